/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/options.h"

#include <getopt.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/options_help.h"

/* A row's value for getopt_long, where it has no letter: this and the row's number. */
enum {
    LONG_ONLY = 256,
};

struct getopt_strings {
    char letters[2 + 2 * OPTION_ROWS + 1];
    struct option names[OPTION_ROWS + 1];
};

int option_flag(void *to, const struct option_given *given)
{
    (void)given;
    *(bool *)to = true;
    return 0;
}

int option_text(void *to, const struct option_given *given)
{
    *(const char **)to = given->arg;
    return 0;
}

int option_parsed(const struct option_given *given, int r, const struct error *err)
{
    return r < 0 ? usage_error(given->command, "%s", err->text) : 0;
}

static int row_value(const struct option_row *row, size_t i)
{
    return row->letter ? row->letter : LONG_ONLY + (int)i;
}

static void make_strings(const struct option_table *t, struct getopt_strings *ret)
{
    const struct option_row *row;
    struct option *name = ret->names;
    char *p = ret->letters;
    if (t->options_first) {
        *p++ = '+';
    }
    *p++ = ':'; /* getopt_long prints nothing; refuse() does */
    for (size_t i = 0; (row = option_row_at(t, i)); i++) {
        if (row->letter) {
            *p++ = row->letter;
        }
        if (row->letter && row->arg) {
            *p++ = ':';
        }
        if (row->name) {
            *name++ = (struct option){row->name, row->arg ? required_argument : no_argument, NULL,
                                      row_value(row, i)};
        }
    }
    *p = '\0';
    *name = (struct option){0};
}

/* getopt_long's '?' and ':' in words. */
static int refuse(const char *command, char **argv, int opt)
{
    const char *word = argv[optind > 0 ? optind - 1 : 0];
    if (optopt > ' ' && optopt < 127 && strncmp(word, "--", 2) != 0) {
        return usage_error(
            command, opt == ':' ? "option -%c needs a value" : "there is no option -%c", optopt);
    }
    return usage_error(command, opt == ':' ? "option %s needs a value" : "there is no option %s",
                       word);
}

static void print_common(const struct option_table *t, int letter)
{
    if (letter == 'h') {
        options_help(t, stdout);
    } else {
        puts("farspan " FARSPAN_VERSION);
    }
}

/* 0, or an exit status. `seen`: the option had an argument before. */
static int take(const char *command, const struct option_row *row, bool seen, void *conf, char *arg)
{
    struct option_given given = {command, {'-', row->letter}, arg};
    if (!row->letter) {
        snprintf(given.label, sizeof(given.label), "--%s", row->name);
    }
    if (arg && !row->repeat && seen) {
        return usage_error(command, "%s is given twice", given.label);
    }
    return row->set((char *)conf + row->to, &given);
}

int options_parse(const struct option_table *t, void *conf, int argc, char **argv)
{
    struct getopt_strings s = {0};
    bool seen[OPTION_ROWS] = {0};
    int opt, r = 0;
    make_strings(t, &s);
    while (r == 0 && (opt = getopt_long(argc, argv, s.letters, s.names, NULL)) != -1) {
        size_t i = 0;
        if (opt == '?' || opt == ':') {
            return -1 - refuse(t->command, argv, opt);
        }
        while (row_value(option_row_at(t, i), i) != opt) {
            i++;
        }
        if (!option_row_at(t, i)->set) {
            print_common(t, opt);
            return -1 - EXIT_SUCCESS;
        }
        r = take(t->command, option_row_at(t, i), seen[i], conf, optarg);
        seen[i] = true;
    }
    return r == 0 ? 0 : -1 - r;
}

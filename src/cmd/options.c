/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/options.h"

#include <string.h>

#include "cmd/cmd.h"
#include "cmd/options_getopt.h"

/* A line of options that is being read. */
struct line {
    const struct options *o;
    struct getopt_strings strings;
    int argc;
    char **argv;
    bool seen[CONF_ROWS];
};

/* The number of the next option's row; CONF_ROWS: there is no other; -1: it cannot be read, as
 * *ret_opt says ('?' or ':'). */
static int next_row(const struct line *l, int *ret_opt)
{
    *ret_opt = getopt_long(l->argc, l->argv, l->strings.letters, l->strings.names, NULL);
    return *ret_opt == -1 ? CONF_ROWS : getopt_row(l->o, *ret_opt);
}

/* getopt_long's '?' and ':' in words. */
static int refuse(const struct line *l, int opt)
{
    const char *command = l->o->table->name, *word = l->argv[optind > 0 ? optind - 1 : 0];
    if (optopt > ' ' && optopt < 127 && strncmp(word, "--", 2) != 0) {
        return usage_error(
            command, opt == ':' ? "option -%c needs a value" : "there is no option -%c", optopt);
    }
    return usage_error(command, opt == ':' ? "option %s needs a value" : "there is no option %s",
                       word);
}

static void print_common(const struct options *o, const struct conf_row *row)
{
    if (row->letter == 'h') {
        options_help(o, stdout);
    } else {
        puts("farspan " FARSPAN_VERSION);
    }
}

/* 0, or an exit status. */
static int take(struct line *l, size_t i, void *conf, char *arg)
{
    const struct conf_row *row = options_row_at(l->o->table, i);
    const char *command = l->o->table->name;
    struct error err = {""};
    char label[CONF_LABEL] = {'-', row->letter};
    if (!row->letter) {
        snprintf(label, sizeof(label), "--%s", row->name);
    }
    if (arg && !(row->flags & CONF_REPEAT) && l->seen[i]) {
        return usage_error(command, "%s is given twice", label);
    }
    l->seen[i] = true;
    return conf_put(l->o->table, i, conf, label, arg, &err) < 0
               ? usage_error(command, "%s", err.text)
               : 0;
}

/* A choice that the line has leaves nothing of the file's choice. */
static void see_choice(const struct conf_table *t, bool seen[CONF_ROWS])
{
    const struct conf_part *part;
    bool chosen = false;
    for (size_t i = 0; conf_row_at(t, i, &part); i++) {
        chosen |= seen[i] && part->group->one_choice;
    }
    for (size_t i = 0; conf_row_at(t, i, &part); i++) {
        seen[i] |= chosen && part->group->one_choice;
    }
}

/* Which rows the line has, and the file that it names; NULL: none, or it is wrong or asks for help,
 * which is told when it is carried out. */
static const char *look_ahead(const struct line *l, bool seen[CONF_ROWS])
{
    const size_t config = conf_find(l->o->table, "config");
    const char *path = NULL;
    int i, opt;
    if (config == CONF_ROWS) {
        return NULL;
    }
    while ((i = next_row(l, &opt)) >= 0 && i < CONF_ROWS) {
        if (!options_row_at(l->o->table, (size_t)i)->set) {
            return NULL;
        }
        seen[i] = true;
        path = (size_t)i == config ? optarg : path;
    }
    if (l->o->rest && optind < l->argc) {
        seen[conf_find(l->o->table, l->o->rest)] = true;
    }
    see_choice(l->o->table, seen);
    return i < 0 ? NULL : path;
}

static int carry_out(struct line *l, void *conf)
{
    int i, opt, r = 0;
    while (r == 0 && (i = next_row(l, &opt)) != CONF_ROWS) {
        if (i < 0) {
            return -1 - refuse(l, opt);
        }
        const struct conf_row *row = options_row_at(l->o->table, (size_t)i);
        if (!row->set) {
            print_common(l->o, row);
            return -1 - EXIT_SUCCESS;
        }
        r = take(l, (size_t)i, conf, optarg);
    }
    return r == 0 ? 0 : -1 - r;
}

int options_parse(const struct options *o, void *conf, int argc, char **argv,
                  struct options_file *file)
{
    struct line l = {.o = o, .argc = argc, .argv = argv};
    bool seen[CONF_ROWS] = {0};
    getopt_strings(o, &l.strings);
    conf_defaults(o->table, conf);
    optind = 0; /* glibc's way to begin again, here and below */
    const char *path = look_ahead(&l, seen);
    int r = path && file ? config_load(o, path, seen, conf, file) : 0;
    optind = 0;
    return r != 0 ? -1 - r : carry_out(&l, conf);
}

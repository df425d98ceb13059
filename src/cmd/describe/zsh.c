/* SPDX-License-Identifier: Apache-2.0
 *
 * The completions for zsh.
 */
#include <string.h>

#include "cmd/describe/describe.h"

static const char head[] =
    "#compdef farspan\n"
    "# SPDX-License-Identifier: Apache-2.0\n"
    "#\n"
    "# Completion of farspan's commands, options and values for zsh; made by the build.\n"
    "\n";

static const char middle[] = "_farspan() {\n"
                             "    local context state line\n"
                             "    _arguments -C \\\n"
                             "        '(-h --help)'{-h,--help}'[print the commands]' \\\n"
                             "        '(-V --version)'{-V,--version}'[print the version]' \\\n"
                             "        '1:command:((";

static const char tail[] =
    "))' \\\n"
    "        '*::argument:->argument'\n"
    "    [[ $state = argument ]] && (( $+functions[_farspan_$line[1]] )) && _farspan_$line[1]\n"
    "}\n"
    "\n"
    "_farspan \"$@\"\n";

static const char *offered(enum conf_offer offer)
{
    static const char *const by[] = {
        [CONF_NOTHING] = "",
        [CONF_FILE] = "_files",
        [CONF_INTERFACE] = "_net_interfaces",
        [CONF_NETNS] = "_files -W /run/netns",
        [CONF_HOST] = "_hosts",
        [CONF_USER] = "_users",
        [CONF_STATUS] = "_files -W /run/farspan",
    };
    return by[offer];
}

/* A text between single quotes, where brackets, colons and backslashes mean something. */
static void print_text(const char *text, FILE *to)
{
    for (const char *p = text; *p; p++) {
        if (strchr("[]:\\", *p)) {
            fputc('\\', to);
        }
        fputs(*p == '\n' ? " " : *p == '\'' ? "'\\''" : (char[]){*p, '\0'}, to);
    }
}

static void print_value(const struct conf_row *row, FILE *to)
{
    fputc(':', to);
    print_text(row->arg, to);
    if (!row->words) {
        fprintf(to, ":%s", offered(row->offer));
        return;
    }
    fputs(":(", to);
    describe_words(row, to);
    fputc(')', to);
}

/* Behind the line before it. */
static void print_row(const struct conf_row *row, FILE *to)
{
    const bool repeat = (row->flags & CONF_REPEAT) != 0;
    fputs(" \\\n        ", to);
    if (row->letter && repeat) {
        fprintf(to, "\\*{-%c,--%s}'[", row->letter, row->name);
    } else if (row->letter) {
        fprintf(to, "'(-%c --%s)'{-%c,--%s}'[", row->letter, row->name, row->letter, row->name);
    } else {
        fprintf(to, "'%s--%s[", repeat ? "*" : "", row->name);
    }
    print_text(row->help, to);
    fputc(']', to);
    if (row->arg && !(row->flags & CONF_MAYBE)) {
        print_value(row, to);
    }
    fputc('\'', to);
}

static void print_command(const struct command *c, FILE *to)
{
    const struct conf_row *row;
    fprintf(to, "_farspan_%s() {\n    _arguments -s", c->name);
    for (size_t i = 0; (row = options_row_at(c->options->table, i)); i++) {
        print_row(row, to);
    }
    if (c->options->rest) {
        fprintf(to, " \\\n        '*:%s:'", c->options->rest);
    } else if (c->options->words != CONF_NOTHING) {
        fprintf(to, " \\\n        ':argument:%s'", offered(c->options->words));
    }
    fputs("\n}\n\n", to);
}

void describe_zsh(const struct command *all, size_t n, FILE *to)
{
    fputs(head, to);
    for (size_t k = 0; k < n; k++) {
        print_command(&all[k], to);
    }
    fputs(middle, to);
    for (size_t k = 0; k < n; k++) {
        fprintf(to, "%s%s\\:\"", k ? " " : "", all[k].name);
        print_text(all[k].help, to);
        fputc('"', to);
    }
    fputs(tail, to);
}

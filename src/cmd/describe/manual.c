/* SPDX-License-Identifier: Apache-2.0
 *
 * The list of options in a manual page.
 */
#include <string.h>

#include "cmd/describe/describe.h"

/* "NAME|PID" with each word underlined; the only words there are stand as they are. */
static void print_value(const struct conf_row *row, FILE *to)
{
    const bool maybe = row->flags & CONF_MAYBE;
    for (const char *p = row->arg; p && !row->words && *p;) {
        size_t n = strcspn(p, "|");
        fprintf(to, "%s_%.*s_", p != row->arg ? "|" : maybe ? "[=" : " ", (int)n, p);
        p += n + (p[n] == '|');
    }
    fputs(maybe ? "]" : "", to);
    if (row->words) {
        fprintf(to, " %s", row->words);
    }
}

static void print_row(const struct conf_row *row, FILE *to)
{
    char limits[64];
    if (row->letter) {
        fprintf(to, "*-%c*, ", row->letter);
    }
    fprintf(to, "*--%s*", row->name);
    print_value(row, to);
    fputs("\n\t", to);
    for (const char *p = row->manual; *p; p++) {
        fputs(*p == '\n' ? "\n\t" : (char[]){*p, '\0'}, to);
    }
    conf_limits(row, limits, sizeof(limits));
    if (limits[0]) {
        fprintf(to, "\n\tThe value is %s.", limits);
    }
    if (row->dflt) {
        fprintf(to, "\n\tBy default it is _%s_.", row->dflt);
    }
    if (row->flags & CONF_LIVE) {
        fputs("\n\tIt is read again on SIGHUP.", to);
    }
    fputs("\n\n", to);
}

void describe_manual(const struct command *c, FILE *from, FILE *to)
{
    char line[512];
    const struct conf_row *row;
    while (fgets(line, sizeof(line), from)) {
        if (strcmp(line, "@OPTIONS@\n") != 0) {
            fputs(line, to);
            continue;
        }
        for (size_t i = 0; (row = options_row_at(c->options->table, i)); i++) {
            print_row(row, to);
        }
    }
}

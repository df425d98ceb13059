/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/options_help.h"

#include <string.h>

/* The rows of every command, at the end of its help. */
static const struct conf_row common[] = {
    {'h', "help", NULL, "print this help", .flags = CONF_LINE, .manual = "Print the options."},
    {'V', "version", NULL, "print the version", .flags = CONF_LINE, .manual = "Print the version."},
};

const struct conf_row *options_row_at(const struct conf_table *t, size_t i)
{
    const size_t n = conf_count(t);
    return i < n ? conf_row_at(t, i, NULL) : i - n < ARRAY_SIZE(common) ? &common[i - n] : NULL;
}

/* The lines of the help, of which the first begins in column `at`. */
static void print_lines(const struct conf_row *row, int at, int column, FILE *to)
{
    for (const char *line = row->help; *line;) {
        int len = (int)strcspn(line, "\n");
        const bool last = line[len] == '\0';
        fprintf(to, "%*s%.*s", column - at, "", len, line);
        if (last && row->dflt) {
            fprintf(to, " (default %s)", row->dflt);
        }
        fputc('\n', to);
        line += len + !last;
        at = 0;
    }
}

static void print_row(const struct conf_row *row, int column, FILE *to)
{
    char head[128], letter[] = {'-', row->letter, ',', '\0'};
    const bool maybe = row->flags & CONF_MAYBE;
    int n = snprintf(head, sizeof(head), "  %s --%s%s%s%s", row->letter ? letter : "   ", row->name,
                     maybe      ? "[="
                     : row->arg ? " "
                                : "",
                     row->arg ? row->arg : "", maybe ? "]" : "");
    fputs(head, to);
    if (n >= column) {
        fputc('\n', to);
        n = 0;
    }
    print_lines(row, n, column, to);
}

void options_help(const struct options *o, FILE *to)
{
    fputs(o->intro, to);
    for (size_t k = 0; k < o->table->n; k++) {
        const struct conf_group *group = o->table->parts[k].group;
        if (group->title || k == 0) {
            fprintf(to, group->title ? "\n%s\n" : "\n", group->title);
        }
        for (size_t i = 0; i < group->n; i++) {
            print_row(&group->rows[i], o->column, to);
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(common); i++) {
        print_row(&common[i], o->column, to);
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/options_help.h"

#include <string.h>

#include "base/cleanup.h"

/* The rows of every command, at the end of its help. */
static const struct option_row common[] = {
    {'h', "help", NULL, "print this help"},
    {'V', "version", NULL, "print the version"},
};

const struct option_row *option_row_at(const struct option_table *t, size_t i)
{
    if (i >= OPTION_ROWS || i >= t->n + ARRAY_SIZE(common)) {
        return NULL;
    }
    return i < t->n ? &t->rows[i] : &common[i - t->n];
}

static void print_row(const struct option_row *row, int column, FILE *to)
{
    char head[128], letter[] = {'-', row->letter, '\0'};
    int n = snprintf(head, sizeof(head), "  %s%s%s%s%s%s", row->letter ? letter : "    ",
                     row->letter && row->name ? ", " : "", row->name ? "--" : "",
                     row->name ? row->name : "", row->arg ? " " : "", row->arg ? row->arg : "");
    fputs(head, to);
    if (n >= column) {
        fputc('\n', to);
        n = 0;
    }
    for (const char *line = row->help; *line;) {
        int len = (int)strcspn(line, "\n");
        fprintf(to, "%*s%.*s\n", column - n, "", len, line);
        line += len + (line[len] == '\n');
        n = 0;
    }
}

void options_help(const struct option_table *t, FILE *to)
{
    const struct option_row *row = option_row_at(t, 0);
    fprintf(to, "%s%s", t->intro, row->group ? "" : "\n");
    for (size_t i = 0; (row = option_row_at(t, i)); i++) {
        if (row->group) {
            fprintf(to, "\n%s\n", row->group);
        } else {
            print_row(row, t->column, to);
        }
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/options_getopt.h"

/* A row's value for getopt_long, where it has no letter: this and the row's number. */
enum {
    LONG_ONLY = 256,
};

static int row_value(const struct conf_row *row, size_t i)
{
    return row->letter ? row->letter : LONG_ONLY + (int)i;
}

void getopt_strings(const struct options *o, struct getopt_strings *ret)
{
    const struct conf_row *row;
    struct option *name = ret->names;
    char *p = ret->letters;
    if (o->rest) {
        *p++ = '+';
    }
    *p++ = ':'; /* getopt_long prints nothing; refuse() does */
    for (size_t i = 0; i < CONF_ROWS && (row = options_row_at(o->table, i)); i++) {
        if (row->letter) {
            *p++ = row->letter;
        }
        if (row->letter && row->arg) {
            *p++ = ':';
        }
        const int arg = !row->arg                 ? no_argument
                        : row->flags & CONF_MAYBE ? optional_argument
                                                  : required_argument;
        *name++ = (struct option){row->name, arg, NULL, row_value(row, i)};
    }
    *p = '\0';
    *name = (struct option){0};
}

int getopt_row(const struct options *o, int opt)
{
    const struct conf_row *row;
    for (size_t i = 0; (row = options_row_at(o->table, i)); i++) {
        if (row_value(row, i) == opt) {
            return (int)i;
        }
    }
    return -1;
}

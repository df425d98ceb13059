/* SPDX-License-Identifier: Apache-2.0
 *
 * A command's options: its table of settings with what stands around it, and the help that is
 * printed from both.
 */
#pragma once

#include <stdio.h>

#include "base/conf.h"

/* Sections of a file that have names, and belong to a command. */
struct options_named {
    const struct conf_table *table;
    const char *row; /* of the command's table: where the line has it, they do not count */
    /* Such a section begins, of a name that lives as long as the file's text; its settings go to
     * the structure at `to` of the command's; and it ends. -EINVAL with a sentence. */
    int (*begin)(void *line, const char *name, struct error *err);
    int (*end)(void *line, struct error *err);
    size_t to;
};

struct options {
    const struct conf_table *table; /* a row "config" names a file of settings */
    const char *intro;              /* the help above the options */
    int column;                     /* of the help at which explanations begin */
    const char *rest; /* the first word that is no option ends them, and it and those behind it
                       * stand for this row; NULL: options may stand anywhere */
    const struct conf_table *const *sections; /* of the file that --config names, to a NULL */
    const struct options_named *named;        /* NULL: none */
    enum conf_offer words; /* what a completion offers for words that are no options */
};

/* The help, as --help prints it. */
void options_help(const struct options *o, FILE *to);

/* The row of that number: the table's, and then those that every command has, -h and -V. NULL
 * behind the last. */
const struct conf_row *options_row_at(const struct conf_table *t, size_t i);

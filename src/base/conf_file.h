/* SPDX-License-Identifier: Apache-2.0
 *
 * Configuration files: sections in brackets, and in each lines "name = value". A line that begins
 * with '#' or ';' is a comment; blanks around names and values do not count; a value goes to the
 * end of its line. Switches have yes or no.
 */
#pragma once

#include "base/conf.h"

enum {
    CONF_FILE_MAX = 1 << 20,
    CONF_LINE_MAX = 4096,
};

/* A reader, which is told of the lines in their order. */
struct conf_reader {
    /* A section of a table whose sections have names begins. May be NULL where no table has. */
    void (*section)(void *user, const struct conf_table *t, char *name, unsigned line);
    /* A setting of that table, with its value, in place: it lives as long as the file's text. */
    void (*setting)(void *user, const struct conf_table *t, size_t row, char *value, unsigned line);
    /* A line that cannot be understood: what is wrong and what would be right. */
    void (*mistake)(void *user, unsigned line, const char *sentence);
    void *user;
    /* A line of a table with a handler (conf_own), whose name and value are in place and clean, and
     * not looked at. May be NULL where no table has. */
    void (*own)(void *user, const struct conf_table *t, char *name, char *value, unsigned line);
};

/* Reads `len` bytes, which it changes; text[len] is a byte that it may write. Names have to be of
 * one of the tables, one at least and then a NULL, each of which is a section. Values are not
 * looked at. */
void conf_file_read(const struct conf_table *const *tables, char *text, size_t len,
                    const struct conf_reader *reader);

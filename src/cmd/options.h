/* SPDX-License-Identifier: Apache-2.0
 *
 * The options of a command as a table of rows, out of which come its help, the strings of
 * getopt_long and the calls that carry an option out. Each command has one table: tap_options.c,
 * collector_options.c, keygen.c, status.c.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/error.h"

enum {
    OPTION_ROWS = 64, /* of a table, with -h and -V */
    OPTION_LABEL = 32,
};

/* An option of the command line. */
struct option_given {
    const char *command;      /* for usage_error */
    char label[OPTION_LABEL]; /* "-s"; "--mtu" where there is no letter: for sentences */
    char *arg;                /* where getopt left it; NULL: the option takes none */
};

/* Carries an option out: 0, or an exit status after a message. */
typedef int option_set(void *to, const struct option_given *given);

struct option_row {
    char letter;      /* 0: none */
    const char *name; /* the long one, without its dashes; NULL: none */
    const char *arg;  /* the argument's word in the help; NULL: the option takes none */
    const char *help; /* its lines have '\n' between them */
    option_set *set;
    size_t to;         /* where `set` writes: the offset in what options_parse was given */
    bool repeat;       /* may be given several times */
    const char *group; /* a heading of the help, which is a row of its own; NULL: an option */
};

struct option_table {
    const char *command;
    const char *intro;  /* the help above the options */
    int column;         /* of the help at which explanations begin */
    bool options_first; /* the first word that is no option ends them */
    const struct option_row *rows;
    size_t n;
};

/* The end of a row: sets a bool, or a text, which stays where getopt left it. */
#define OPTION_FLAG(type, member) option_flag, OPTION_AT(type, member, bool)
#define OPTION_TEXT(type, member) option_text, OPTION_AT(type, member, const char *)
/* The offset of a member, which has to be of that type. */
#define OPTION_AT(type, member, of)                                                                \
    (offsetof(type, member) + 0 * sizeof(char[_Generic(((type *)NULL)->member, of : 1)]))
option_set option_flag, option_text;

/* For a value that was parsed with `r`: 0, or what usage_error returns after the sentence. */
int option_parsed(const struct option_given *given, int r, const struct error *err);

/* Reads argv into `conf`: 0, with the words that are no options from `optind` on; or -1 - exit
 * status, after a message or after what -h and -V print. No option with an argument replaces an
 * earlier one silently. */
int options_parse(const struct option_table *t, void *conf, int argc, char **argv);

/* ---- options_help.c ---- */

/* The row of that number: the table's, then -h and -V, which all commands have; NULL: none. */
const struct option_row *option_row_at(const struct option_table *t, size_t i);
void options_help(const struct option_table *t, FILE *to);

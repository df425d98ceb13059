/* SPDX-License-Identifier: Apache-2.0
 *
 * The rows of a command's table of options: each command fills one, options.c reads argv by it, and
 * options_help.c prints it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

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

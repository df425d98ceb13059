/* SPDX-License-Identifier: Apache-2.0
 *
 * Settings as a schema: a row is one setting, and out of the rows come the parser of the command
 * line, that of configuration files (base/conf_file.h), limits, defaults, the help, the manual's
 * list of options and the completions. A command has one table, made of groups of rows.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum {
    CONF_ROWS = 64, /* of a table */
    CONF_LABEL = 40,
    CONF_WORD = 32, /* of a name */
};

/* A value that was given, for a setter. */
struct conf_given {
    const struct conf_row *row;
    char label[CONF_LABEL]; /* as the setting was written there: "-s", "--mtu", "snaplen" */
    char *text;             /* lives as long as the program; NULL: given without a value */
};

/* Puts a value where it belongs. 0, or -errno with a sentence that begins with the label. */
typedef int conf_set(void *to, const struct conf_given *given, struct error *err);

enum conf_flags {
    CONF_REPEAT = 1, /* may be given several times */
    CONF_LINE = 2,   /* on the command line only: it acts at once, or would be a secret in a file */
    CONF_ZERO = 4,   /* of a size: 0 is a value too */
    CONF_LIVE = 8,   /* another value of a file that is read again applies, without a restart */
    CONF_MAYBE = 16, /* on a command line it may be without its value: --name, or --name=VALUE */
};

/* The values that a completion offers. */
enum conf_offer {
    CONF_NOTHING,
    CONF_FILE,
    CONF_INTERFACE,
    CONF_NETNS,
    CONF_HOST,
    CONF_USER,
    CONF_STATUS, /* a running tap or collector */
};

struct conf_row {
    char letter;       /* of the option; 0: none */
    const char *name;  /* without dashes */
    const char *arg;   /* the value's word in help and manual; NULL: a switch */
    const char *help;  /* its lines have '\n' between them */
    conf_set *set;     /* NULL: the program acts on it and ends */
    size_t to;         /* where `set` writes, from the start of the group's structure */
    uint64_t min, max; /* of a number, size, rate or time */
    unsigned flags;    /* enum conf_flags */
    const char *dflt;  /* the value where none is given; NULL: none */
    const char *words; /* the only values there are, "in|out"; NULL: others */
    enum conf_offer offer;
    const char *manual; /* the paragraph of the manual, as scdoc(5) has it */
};

struct conf_group {
    const char *title; /* a heading of the help; NULL: none, as it goes on with the one before */
    const struct conf_row *rows;
    size_t n;
    bool one_choice; /* one on the command line replaces all of a file, with all such groups */
};

/* A group in a table, which may share it with others. */
struct conf_part {
    const struct conf_group *group;
    size_t at; /* of the structure that the group's rows write to, in that of the table */
};

/* Puts a line of a section whose settings have names of the user's own where it belongs: 0, or
 * -errno with a sentence. Both texts live as long as the file's. */
typedef int conf_own(void *to, const char *name, const char *value, struct error *err);

struct conf_table {
    const char *name; /* of the command, and of its section in a file */
    const struct conf_part *parts;
    size_t n;
    bool named; /* its sections have a name each, "[output probe]", and there may be several */
    /* Of a section only: a handler of its lines, instead of rows, and the table of the command
     * whose structure it writes to. What it says applies when a file is read again. */
    conf_own *own;
    const struct conf_table *of;
};

/* The row's end for a member of that type: a setter and the place. */
#define CONF_FLAG_AT(type, member) conf_flag, CONF_AT(type, member, bool)
#define CONF_TEXT_AT(type, member) conf_text, CONF_AT(type, member, const char *)
#define CONF_U16_AT(type, member) conf_u16, CONF_AT(type, member, uint16_t)
#define CONF_U32_AT(type, member) conf_u32, CONF_AT(type, member, uint32_t)
#define CONF_SIZE_AT(type, member) conf_size, CONF_AT(type, member, uint64_t)
#define CONF_RATE_AT(type, member) conf_rate, CONF_AT(type, member, uint64_t)
#define CONF_MS_AT(type, member) conf_ms, CONF_AT(type, member, uint32_t)
/* The offset of a member, which has to be of that type. */
#define CONF_AT(type, member, of)                                                                  \
    (offsetof(type, member) + 0 * sizeof(char[_Generic(((type *)NULL)->member, of : 1)]))

/* A switch, which a file may also turn off ("no"); a text, which stays where it was given; numbers,
 * sizes (parse_size), rates (parse_rate) and times (parse_ms) within the row's limits. */
conf_set conf_flag, conf_text, conf_u16, conf_u32, conf_size, conf_rate, conf_ms;

/* The row of that number, over all groups; NULL behind the last. *ret_part may be NULL. */
const struct conf_row *conf_row_at(const struct conf_table *t, size_t i,
                                   const struct conf_part **ret_part);
/* How many rows there are. */
size_t conf_count(const struct conf_table *t);
/* "from 1 to 65535": the limits of a number, size, rate or time as a user would write them; "":
 * none. */
void conf_limits(const struct conf_row *row, char *ret, size_t cap);
/* The number of the row of that name, or CONF_ROWS. */
size_t conf_find(const struct conf_table *t, const char *name);
/* The name of the row that is most like the word, or NULL where none is. `in_file`: of those that
 * may stand in a file. */
const char *conf_nearest(const struct conf_table *t, const char *word, bool in_file);
/* The nearest of several words, NULL where none is near: `words` ends with NULL. */
const char *conf_nearest_word(const char *word, const char *const *words);

/* Sets row `i` in the table's structure `conf`: 0, or -errno with a sentence. */
int conf_put(const struct conf_table *t, size_t i, void *conf, const char *label, char *text,
             struct error *err);
/* Sets the default of each row that has one. */
void conf_defaults(const struct conf_table *t, void *conf);

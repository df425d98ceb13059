/* SPDX-License-Identifier: Apache-2.0
 *
 * Kinds of resources: one table each, which says all there is to its fields. Out of it come the
 * store's tables, JSON both ways, validation, queries, and the columns of clients; so a kind costs
 * one file and a row in a list. An object is a row of values by the kind's fields.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "model/time_text.h"
#include "model/uuid.h"

enum {
    KIND_FIELDS = 40,
    KIND_TEXT_MAX = 8192, /* bytes of a value's text that a client gives */
    KIND_ID = UUID_TEXT,  /* bytes of an id's text, its end included: a UUID in small letters */
};

enum field_type {
    FIELD_ID,   /* a UUID in text */
    FIELD_TEXT, /* UTF-8 without control characters, min to max bytes */
    FIELD_INT,  /* min to max */
    FIELD_BOOL,
    FIELD_TIME,  /* nanoseconds since 1970, before 2200; in JSON RFC 3339 */
    FIELD_WORD,  /* one of `words` */
    FIELD_TEXTS, /* min to max texts, as a list of model/texts.h */
    FIELD_JSON,  /* a document of the server's own, kept as text; no client gives one */
};

enum field_flags {
    FIELD_CREATE = 1,  /* a client may give it when it makes one */
    FIELD_CHANGE = 2,  /* and later */
    FIELD_MUST = 4,    /* a client must give it */
    FIELD_FILTER = 8,  /* lists may be asked for one value of it */
    FIELD_SORT = 16,   /* lists may be in its order */
    FIELD_HIDDEN = 32, /* in the store only */
    FIELD_NULL = 64,   /* it may have no value, which is null in JSON */
};

struct field {
    const char *name; /* in JSON, queries and the store */
    enum field_type type;
    unsigned flags;    /* enum field_flags */
    int64_t min, max;  /* both 0: any; of a text its bytes, of FIELD_TEXTS how many */
    const char *dflt;  /* as in a query, of a field that is never null; NULL: none */
    const char *words; /* of FIELD_WORD: "packet|netflow" */
    const char *title; /* of a client's column; NULL: it has none */
    const char *help;  /* a sentence */
    /* Of a text, what is more to check: 0, or -EINVAL with a sentence without the field's name.
     * NULL: nothing. */
    int (*check)(const char *text, struct error *err);
};

struct kind {
    const char *name, *plural; /* "capture", "captures" */
    const struct field *field; /* the first is "id" */
    size_t n;
};

/* The fields that every kind has, in this order, at its beginning. */
#define KIND_COMMON KIND_COMMON_WITH(0)
/* Of a kind whose objects may go to another project, the argument is FIELD_CHANGE. */
#define KIND_COMMON_WITH(project_flags)                                                            \
    {.name = "id", .type = FIELD_ID, .flags = FIELD_SORT, .title = "ID", .help = "a UUID"},        \
        {.name = "project",                                                                        \
         .type = FIELD_TEXT,                                                                       \
         .flags = FIELD_FILTER | (project_flags),                                                  \
         .max = 64,                                                                                \
         .help = "the project that it belongs to"},                                                \
        {.name = "owner",                                                                          \
         .type = FIELD_TEXT,                                                                       \
         .flags = FIELD_FILTER | FIELD_SORT,                                                       \
         .max = 96,                                                                                \
         .help = "the token or local user that made it"},                                          \
        {.name = "generation", .type = FIELD_INT, .help = "grows with each change"},               \
    {                                                                                              \
        .name = "created", .type = FIELD_TIME, .flags = FIELD_SORT, .help = "when it was made"     \
    }
enum {
    FIELD_OF_ID,
    FIELD_OF_PROJECT,
    FIELD_OF_OWNER,
    FIELD_OF_GENERATION,
    FIELD_OF_CREATED,
    FIELDS_COMMON,
};

/* A value; `text` is that of ID, TEXT, WORD, TEXTS and JSON, `n` that of INT, BOOL and TIME. */
struct value {
    bool set; /* false: null */
    int64_t n;
    char *text; /* owned */
};

struct object {
    const struct kind *kind;
    struct value v[KIND_FIELDS];
};

/* Of nothing but nulls. */
void object_init(struct object *o, const struct kind *kind);
void object_done(struct object *o);
/* -ENOMEM: *to is as before. */
int object_copy(struct object *to, const struct object *from);
/* By a field's number. -ENOMEM. */
int object_set_text(struct object *o, unsigned field, const char *text);
void object_set_int(struct object *o, unsigned field, int64_t n);
void object_set_null(struct object *o, unsigned field);
/* Fills those without a value that have a default. -ENOMEM. */
int object_defaults(struct object *o, struct error *err);

/* The field's number, or -ENOENT. */
int kind_find(const struct kind *k, const char *name);
/* The name of a field that clients see and that is most like the word; NULL: none is. */
const char *kind_nearest(const struct kind *k, const char *word);
/* A value as a query or a command line has it ("2026-11-20T14:03:10Z", "true", "17", "a,b") into
 * *ret, checked. -EINVAL with a sentence that begins with the field's name; -ENOMEM. */
int field_parse(const struct field *f, const char *text, struct value *ret, struct error *err);
/* Is it within what the field allows? -EINVAL with such a sentence. */
int field_check(const struct field *f, const struct value *v, struct error *err);
/* A word of `words`: its place, or -ENOENT. */
int field_word(const struct field *f, const char *word);
/* The word at that place: its beginning and length; NULL: there is none. */
const char *field_word_at(const struct field *f, unsigned place, size_t *ret_len);
/* Is it kept as a text, and not as a number? */
bool field_is_text(const struct field *f);
void value_done(struct value *v);
/* -ENOMEM: *to is as before. */
int value_copy(struct value *to, const struct value *from);
/* The order of lists: null comes first, texts are compared by bytes. < 0, 0, > 0. */
int value_compare(const struct field *f, const struct value *a, const struct value *b);

/* SPDX-License-Identifier: Apache-2.0
 *
 * Objects as JSON, by their kinds. A client's document is checked as a whole: each wrong field is
 * told, with a pointer (RFC 6901) and a sentence.
 */
#pragma once

#include "base/bytes.h"
#include "model/kind.h"

enum {
    JSON_FAULTS = 16,
};

struct json_fault {
    char pointer[96]; /* "/points/0" */
    char text[256];
};

struct json_faults {
    struct json_fault at[JSON_FAULTS];
    unsigned n;
};

/* Adds one, cut to its room; more than JSON_FAULTS are left out. `f` may be NULL. */
void json_fault(struct json_faults *f, const char *pointer, const char *fmt, ...) _printf_(3, 4);

/* Text that grows; `failed`: memory was short, and what is there is of no use. */
struct text {
    char *p; /* owned */
    size_t len, cap;
    bool failed;
};
void text_add(struct text *t, const char *fmt, ...) _printf_(2, 3);
void text_add_bytes(struct text *t, const char *p, size_t n);
/* A JSON string, quotes included; bytes that are not UTF-8 become U+FFFD. */
void text_add_json(struct text *t, const char *s);
void text_free(struct text *t);

/* A JSON string of a time. */
void text_add_time(struct text *t, int64_t ns);

/* The object as a JSON object, without its hidden fields; `fields` NULL: all, else those whose
 * place is true. */
void json_put_object(struct text *t, const struct object *o, const bool *fields);

/* A document of a client's into the object, which the caller has initialized. `change` false: it
 * makes one, and defaults are filled in; true: it changes some of its fields. Unknown fields, those
 * that a client may not give, keys that stand there twice and wrong values are faults, as many as
 * there are at once. -EINVAL with faults, -ENOMEM: the object is as before. */
int json_take_object(const void *bytes, size_t len, bool change, struct object *o,
                     struct json_faults *faults);

/* Seeds the hash tables of the JSON library; once, before the first document. Where it was not
 * called the library looks for chance in a file, which a process behind a sandbox cannot open, and
 * takes the time and the process's number instead. */
void json_seed(size_t random);

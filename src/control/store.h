/* SPDX-License-Identifier: Apache-2.0
 *
 * The store of the control role: objects by their kinds, and one numbered stream of events. An ops
 * table, so that another database is one more file: store_sqlite.c, and store_fake.c for tests,
 * which both pass control/store_test.c.
 *
 * Changes belong to a transaction: store->begin comes before the first, and nothing of them is
 * told to anybody before commit has returned 0, as a crash forgets what was not committed.
 */
#pragma once

#include "base/time.h"
#include "model/kind.h"

enum {
    STORE_FILTERS = 8,
    STORE_LIMIT_MAX = 1000,
};

struct store;

struct store_filter {
    unsigned field;
    const struct value *is; /* borrowed */
};

/* Objects in the order of a field, and of their ids where that is alike; those behind the object
 * `marker`, which may be gone meanwhile: its place is kept by the value and the id that it had. */
struct store_query {
    struct store_filter filter[STORE_FILTERS];
    unsigned n_filters;
    unsigned sort; /* a field with FIELD_SORT */
    bool down;
    const struct value *marker_value; /* NULL: from the beginning */
    const char *marker_id;
    unsigned limit; /* 0: all */
};

struct store_event {
    uint64_t number; /* 0: the store gives the next one */
    int64_t time_ns;
    char what[32]; /* "capture.created" */
    char kind[16], id[KIND_ID], project[65], who[97], whence[48];
    char words[320];
};

struct store_ops {
    int (*begin)(struct store *s, struct error *err);
    int (*commit)(struct store *s, struct error *err);
    void (*rollback)(struct store *s);
    /* By its id: a new one, or in place of the one before. */
    int (*put)(struct store *s, const struct object *o, struct error *err);
    /* *ret is object_done()'s. -ENOENT. */
    int (*get)(struct store *s, const struct kind *k, const char *id, struct object *ret,
               struct error *err);
    /* Calls `each` until it returns other than 0, which is returned. */
    int (*list)(struct store *s, const struct kind *k, const struct store_query *q,
                int (*each)(void *user, const struct object *o), void *user, struct error *err);
    int (*count)(struct store *s, const struct kind *k, const struct store_query *q, uint64_t *ret,
                 struct error *err);
    /* -ENOENT. */
    int (*remove)(struct store *s, const struct kind *k, const char *id, struct error *err);
    int (*add_event)(struct store *s, const struct store_event *e, struct error *err);
    /* Those behind the number, in order, up to `most`. */
    int (*events)(struct store *s, uint64_t behind, unsigned most,
                  int (*each)(void *user, const struct store_event *e), void *user,
                  struct error *err);
    void (*free)(struct store *s);
};

struct store {
    const struct store_ops *ops;
};

struct store_conf {
    const struct kind *const *kinds; /* each has a table */
    size_t n;
    int64_t now_ns; /* for the name of a database that is set aside */
};

/* Opens or makes the database `folder`/farspan.db, and brings tables of older versions to this one.
 * A damaged one is set aside as farspan.db.damaged-TIME, of which *ret_aside has the name ("":
 * none); the caller tells of it. */
int store_sqlite_open(const char *folder, const struct store_conf *conf, struct store **ret,
                      char ret_aside[64], struct error *err);
int store_fake_new(const struct store_conf *conf, struct store **ret);
void store_free(struct store *s);

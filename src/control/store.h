/* SPDX-License-Identifier: Apache-2.0
 *
 * The store of the control role: objects by their kinds, and one numbered stream of events. An ops
 * table, so that another database is one more file: store_sqlite.c, and store_fake.c for tests,
 * which both pass control/store_test.c.
 *
 * Changes belong to a transaction: begin comes before the first, and nothing of them is told to
 * anybody before commit has returned 0, as a crash forgets what was not committed. Reads need no
 * transaction, and see what the one under way has changed. When commit fails, the transaction is
 * over and nothing of it is there.
 *
 * Beside those of each function, all may return -ENOSPC (the disk is full), -EBADMSG (the database
 * is damaged: it is set aside when it is opened the next time), -EIO and -ENOMEM.
 */
#pragma once

#include "base/time.h"
#include "model/kind.h"

enum {
    STORE_FILTERS = 8,
    STORE_LIMIT_MAX = 1000,
    STORE_KINDS = 16,
};

struct store;

struct store_filter {
    unsigned field;
    const struct value *is; /* borrowed */
};

/* Objects in the order of a field, null first, and of their ids where that is alike; `down` turns
 * all of it around. With a marker, those behind the object that had this value (which may be null)
 * and this id; it may be gone meanwhile. */
struct store_query {
    struct store_filter filter[STORE_FILTERS];
    unsigned n_filters;
    unsigned sort; /* a field with FIELD_SORT */
    bool down;
    const struct value *marker_value; /* borrowed; may be NULL where `sort` is the id */
    const char *marker_id;            /* NULL: from the beginning */
    unsigned limit;                   /* 0: all */
};

struct store_event {
    uint64_t number; /* from 1 on; when it is added 0: the store gives the next one */
    int64_t time_ns;
    char what[32]; /* "capture.created" */
    char kind[16], id[KIND_ID], project[65], who[97], whence[48];
    char words[320];
};

struct store_ops {
    /* -EINVAL: one is under way. */
    int (*begin)(struct store *s, struct error *err);
    /* -EINVAL: none is under way. */
    int (*commit)(struct store *s, struct error *err);
    /* Does nothing where none is under way. */
    void (*rollback)(struct store *s);
    /* By its id: a new one, or in place of the one before. -EINVAL, of all changes: outside of a
     * transaction. */
    int (*put)(struct store *s, const struct object *o, struct error *err);
    /* *ret is written without a look at what it was, and is then object_done()'s. -ENOENT. */
    int (*get)(struct store *s, const struct kind *k, const char *id, struct object *ret,
               struct error *err);
    /* Calls `each`, which changes nothing in the store, until it returns other than 0, which is
     * returned. */
    int (*list)(struct store *s, const struct kind *k, const struct store_query *q,
                int (*each)(void *user, const struct object *o), void *user, struct error *err);
    /* How many the filters match; marker and limit do not count. */
    int (*count)(struct store *s, const struct kind *k, const struct store_query *q, uint64_t *ret,
                 struct error *err);
    /* -ENOENT. */
    int (*remove)(struct store *s, const struct kind *k, const char *id, struct error *err);
    /* -EINVAL: its number is not above all before it. */
    int (*add_event)(struct store *s, const struct store_event *e, struct error *err);
    /* Those behind the number, in order, up to `most`. */
    int (*events)(struct store *s, uint64_t behind, unsigned most,
                  int (*each)(void *user, const struct store_event *e), void *user,
                  struct error *err);
    /* The numbers of the oldest that is there and of the last that ever was; 0: none. */
    int (*event_range)(struct store *s, uint64_t *ret_oldest, uint64_t *ret_last,
                       struct error *err);
    /* Removes those from before a time. */
    int (*trim_events)(struct store *s, int64_t before_ns, struct error *err);
    void (*free)(struct store *s);
};

struct store {
    const struct store_ops *ops;
};

struct store_conf {
    const struct kind *const *kinds; /* each has a table */
    size_t n;                        /* at most STORE_KINDS */
    int64_t now_ns;                  /* for the name of a database that is set aside */
};

/* Opens or makes the database STORE_FILE in the folder, and brings tables of older versions to this
 * one. A damaged one is set aside as STORE_FILE.damaged-TIME, of which ret_aside has the name ("":
 * none); the caller tells of it. -EBUSY: another process has it open; -EPROTONOSUPPORT: it is of a
 * later version. */
#define STORE_FILE "farspan.db"
int store_sqlite_open(const char *folder, const struct store_conf *conf, struct store **ret,
                      char ret_aside[64], struct error *err);
int store_fake_new(const struct store_conf *conf, struct store **ret);

/* Takes NULL. What a transaction under way has changed is forgotten. */
static inline void store_free(struct store *s)
{
    if (s) {
        s->ops->free(s);
    }
}
DEFINE_FREEP(struct store, store_free)

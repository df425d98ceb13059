/* SPDX-License-Identifier: Apache-2.0
 *
 * A thin edge around SQLite for control/store_sqlite.c and control/store_schema.c: a connection
 * with its settings, its error codes as errnos and sentences, and statements that are prepared
 * once.
 */
#pragma once

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

enum {
    SQL_CACHED = 32, /* statements that are kept for the next use */
};

struct sql_cached {
    sqlite3_stmt *stmt; /* NULL: none */
    uint64_t used;      /* grows with each use of any */
};

struct sql {
    sqlite3 *db;
    struct sql_cached cached[SQL_CACHED];
    uint64_t uses;
};

/* Opens the file, or makes it for its owner alone: write-ahead log, every commit on the disk, no
 * other process beside this one, no temporary files. -EBUSY: another has it; -EBADMSG: it is
 * damaged, or is no database. */
int sql_open(const char *path, struct sql *ret, struct error *err);
/* Takes one that is zeroed or half open. */
void sql_close(struct sql *q);

/* The errno of what went wrong last, with a sentence that begins with `what`. */
int sql_error(struct sql *q, const char *what, struct error *err);
/* Runs statements without values. */
int sql_run(struct sql *q, const char *text, struct error *err);
/* A statement that is ready for values; sql_done()'s. */
int sql_take(struct sql *q, const char *text, sqlite3_stmt **ret, struct error *err);
void sql_done(struct sql *q, sqlite3_stmt *stmt);
/* Goes one row on: 1; 0: that was all. */
int sql_step(struct sql *q, sqlite3_stmt *stmt, struct error *err);
/* As sql_take, from a text that is given away, or NULL where memory was short. */
int sql_take_made(struct sql *q, char *text, sqlite3_stmt **ret, struct error *err);

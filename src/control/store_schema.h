/* SPDX-License-Identifier: Apache-2.0
 *
 * The tables of control/store_sqlite.c out of kinds: one for each kind, a column for each field, an
 * index for each order and filter. A column that a kind has gained is added to the table; one that
 * it has lost stays there, unused. Names come from the program's own tables, values never stand in
 * a statement.
 */
#pragma once

#include "control/sql.h"
#include "control/store.h"

/* Grows when tables change otherwise than by more columns. */
#define SCHEMA_VERSION 1

/* Bytes that the database and its log have in reserve, and after how many pages of 4 KiB the log
 * begins anew, which is before it has used them up. */
#define SCHEMA_ROOM 2097152
#define SCHEMA_LOG_PAGES 300

/* In one transaction. -EPROTONOSUPPORT: the database is of a later version. */
int schema_bring(struct sql *q, const struct store_conf *conf, struct error *err);
/* The store keeps room for its own work on a disk that others fill. Where there is none left, it
 * begins without. */
void schema_keep_room(struct sql *q);
/* Binds the value to a statement's place: 0 or -ENOMEM. */
int schema_bind(struct sql *q, sqlite3_stmt *stmt, int place, const struct field *f,
                const struct value *v, struct error *err);

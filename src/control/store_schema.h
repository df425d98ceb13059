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

/* In one transaction. -EPROTONOSUPPORT: the database is of a later version. */
int schema_bring(struct sql *q, const struct store_conf *conf, struct error *err);
/* Binds the value to a statement's place: 0 or -ENOMEM. */
int schema_bind(struct sql *q, sqlite3_stmt *stmt, int place, const struct field *f,
                const struct value *v, struct error *err);

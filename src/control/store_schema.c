/* SPDX-License-Identifier: Apache-2.0 */
#include "control/store_schema.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define WORDS_(x) #x
#define WORDS(x) WORDS_(x)

int schema_bind(struct sql *q, sqlite3_stmt *stmt, int place, const struct field *f,
                const struct value *v, struct error *err)
{
    int rc = !v->set            ? sqlite3_bind_null(stmt, place)
             : field_is_text(f) ? sqlite3_bind_text(stmt, place, v->text, -1, SQLITE_STATIC)
                                : sqlite3_bind_int64(stmt, place, v->n);
    return rc == SQLITE_OK ? 0 : sql_error(q, "the store cannot take a value", err);
}

static const char *column_type(const struct field *f)
{
    return field_is_text(f) ? "TEXT" : "INTEGER";
}

/* Runs a statement without values, made by sqlite3_mprintf(). */
static int run(struct sql *q, char *text, struct error *err)
{
    int r = text ? sql_run(q, text, err) : error_set(err, ENOMEM, "memory is short");
    sqlite3_free(text);
    return r;
}

/* ---- versions ---- */

static int read_version(struct sql *q, int64_t *ret, struct error *err)
{
    sqlite3_stmt *stmt;
    int r = sql_take(q, "SELECT \"value\" FROM \"meta\" WHERE \"name\"='version'", &stmt, err);
    if (r < 0) {
        return r;
    }
    r = sql_step(q, stmt, err);
    *ret = r == 1 ? sqlite3_column_int64(stmt, 0) : 0;
    sql_done(q, stmt);
    return r < 0 ? r : 0;
}

static int own_tables(struct sql *q, struct error *err)
{
    int64_t version = 0;
    int r = sql_run(q,
                    "CREATE TABLE IF NOT EXISTS \"meta\"(\"name\" TEXT PRIMARY KEY NOT NULL,"
                    " \"value\" INTEGER NOT NULL) STRICT;"
                    "CREATE TABLE IF NOT EXISTS \"events\"("
                    "\"number\" INTEGER PRIMARY KEY AUTOINCREMENT, \"time\" INTEGER NOT NULL,"
                    " \"what\" TEXT NOT NULL, \"kind\" TEXT NOT NULL, \"id\" TEXT NOT NULL,"
                    " \"project\" TEXT NOT NULL, \"who\" TEXT NOT NULL, \"whence\" TEXT NOT NULL,"
                    " \"words\" TEXT NOT NULL) STRICT",
                    err);
    r = r < 0 ? r : read_version(q, &version, err);
    if (r == 0 && version > SCHEMA_VERSION) {
        return error_set(err, EPROTONOSUPPORT,
                         "the store is of a later farspan (version %" PRId64
                         " of its tables; this one knows %d)",
                         version, SCHEMA_VERSION);
    }
    return r < 0
               ? r
               : sql_run(
                     q,
                     "INSERT INTO \"meta\" VALUES('version', " WORDS(
                         SCHEMA_VERSION) ")"
                                         " ON CONFLICT DO UPDATE SET \"value\"=excluded.\"value\"",
                     err);
}

/* ---- tables of kinds ---- */

static int make_table(struct sql *q, const struct kind *k, struct error *err)
{
    sqlite3_str *s = sqlite3_str_new(q->db);
    sqlite3_str_appendf(s, "CREATE TABLE \"%w\"(", k->name);
    for (size_t i = 0; i < k->n; i++) {
        sqlite3_str_appendf(s, "%s\"%w\" %s%s", i ? ", " : "", k->field[i].name,
                            column_type(&k->field[i]),
                            i == FIELD_OF_ID ? " PRIMARY KEY NOT NULL" : "");
    }
    sqlite3_str_appendall(s, ") STRICT");
    return run(q, sqlite3_str_finish(s), err);
}

/* Rows that are there get the field's default. */
static int add_column(struct sql *q, const struct kind *k, const struct field *f, struct error *err)
{
    struct value v = {0};
    sqlite3_stmt *stmt;
    int r = run(q,
                sqlite3_mprintf("ALTER TABLE \"%w\" ADD COLUMN \"%w\" %s", k->name, f->name,
                                column_type(f)),
                err);
    if (r < 0 || !f->dflt) {
        return r;
    }
    r = field_parse(f, f->dflt, &v, err);
    if (r == 0) {
        r = sql_take_made(q, sqlite3_mprintf("UPDATE \"%w\" SET \"%w\"=?1", k->name, f->name),
                          &stmt, err);
    }
    if (r == 0) {
        r = schema_bind(q, stmt, 1, f, &v, err);
        r = r < 0 ? r : sql_step(q, stmt, err);
        sql_done(q, stmt);
    }
    value_done(&v);
    return r < 0 ? r : 0;
}

/* Which fields have a column; one of another type is refused. *ret_any: the table is there. */
static int find_columns(struct sql *q, const struct kind *k, bool ret_has[KIND_FIELDS],
                        bool *ret_any, struct error *err)
{
    sqlite3_stmt *stmt;
    int r = sql_take(q, "SELECT \"name\", \"type\" FROM pragma_table_info(?1)", &stmt, err);
    if (r < 0) {
        return r;
    }
    sqlite3_bind_text(stmt, 1, k->name, -1, SQLITE_STATIC);
    while ((r = sql_step(q, stmt, err)) == 1) {
        const char *name = (const char *)sqlite3_column_text(stmt, 0);
        const char *type = (const char *)sqlite3_column_text(stmt, 1);
        int i = name ? kind_find(k, name) : -ENOENT;
        *ret_any = true;
        if (i >= 0 && (!type || strcmp(type, column_type(&k->field[i])) != 0)) {
            r = error_set(err, EPROTONOSUPPORT,
                          "the store has %s of %s as %s, which farspan knows as %s", name,
                          k->plural, type ? type : "", column_type(&k->field[i]));
            break;
        }
        if (i >= 0) {
            ret_has[i] = true;
        }
    }
    sql_done(q, stmt);
    return r;
}

static int bring_table(struct sql *q, const struct kind *k, struct error *err)
{
    bool has[KIND_FIELDS] = {false}, any = false;
    int r = find_columns(q, k, has, &any, err);
    if (r == 0 && !any) {
        return make_table(q, k, err);
    }
    for (size_t i = 0; r == 0 && i < k->n; i++) {
        if (!has[i]) {
            r = add_column(q, k, &k->field[i], err);
        }
    }
    return r;
}

/* Lists are of one project, or of all of them. */
static int bring_indexes(struct sql *q, const struct kind *k, struct error *err)
{
    int r = run(q,
                sqlite3_mprintf("CREATE INDEX IF NOT EXISTS \"%w of project\" ON"
                                " \"%w\"(\"project\", \"id\")",
                                k->name, k->name),
                err);
    for (size_t i = 0; r == 0 && i < k->n; i++) {
        const struct field *f = &k->field[i];
        if (i == FIELD_OF_ID || i == FIELD_OF_PROJECT) {
            continue;
        }
        if (f->flags & (FIELD_SORT | FIELD_FILTER)) {
            r = run(q,
                    sqlite3_mprintf("CREATE INDEX IF NOT EXISTS \"%w by %w\" ON"
                                    " \"%w\"(\"%w\", \"id\")",
                                    k->name, f->name, k->name, f->name),
                    err);
        }
        if (r == 0 && f->flags & FIELD_SORT) {
            r = run(q,
                    sqlite3_mprintf("CREATE INDEX IF NOT EXISTS \"%w of project by %w\" ON"
                                    " \"%w\"(\"project\", \"%w\", \"id\")",
                                    k->name, f->name, k->name, f->name),
                    err);
        }
    }
    return r;
}

int schema_bring(struct sql *q, const struct store_conf *conf, struct error *err)
{
    int r = sql_run(q, "BEGIN IMMEDIATE", err);
    if (r < 0) {
        return r;
    }
    r = own_tables(q, err);
    for (size_t i = 0; r == 0 && i < conf->n; i++) {
        r = bring_table(q, conf->kinds[i], err);
        r = r < 0 ? r : bring_indexes(q, conf->kinds[i], err);
    }
    r = r < 0 ? r : sql_run(q, "COMMIT", err);
    if (r < 0) {
        sql_run(q, "ROLLBACK", NULL);
    }
    return r;
}

/* Pages that are written and then free stay the files': what a full disk would not give any more is
 * there already, in the database and in its log, which begins anew at its checkpoint. */
void schema_keep_room(struct sql *q)
{
    (void)sql_run(q,
                  "DROP TABLE IF EXISTS \"room\";"
                  "CREATE TABLE \"room\"(\"bytes\" BLOB) STRICT;"
                  "INSERT INTO \"room\" VALUES(zeroblob(" WORDS(
                      SCHEMA_ROOM) "));"
                                   "DROP TABLE \"room\";"
                                   "PRAGMA wal_checkpoint(RESTART);"
                                   "PRAGMA wal_autocheckpoint=" WORDS(SCHEMA_LOG_PAGES),
                  NULL);
}

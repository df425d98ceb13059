/* SPDX-License-Identifier: Apache-2.0 */
#include "control/sql.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/cleanup.h"

/* ---- errors ---- */

static int errno_of(struct sql *q)
{
    const int rc = sqlite3_extended_errcode(q->db), system = sqlite3_system_errno(q->db);
    switch (rc & 0xff) {
    case SQLITE_FULL:
        return ENOSPC;
    case SQLITE_NOMEM:
        return ENOMEM;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return EBADMSG;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return EBUSY;
    case SQLITE_READONLY:
        return EROFS;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
        return system == ENOSPC || system == EDQUOT ? ENOSPC : system > 0 ? system : EIO;
    default:
        return EIO;
    }
}

int sql_error(struct sql *q, const char *what, struct error *err)
{
    const int code = errno_of(q);
    switch (code) {
    case EBUSY:
        return error_set(err, code, "%s: another process has the store open", what);
    case EBADMSG:
        return error_set(err, code, "%s: the database is damaged (%s)", what,
                         sqlite3_errmsg(q->db));
    case ENOSPC:
        return error_set(err, code, "%s: the disk is full", what);
    default:
        return error_set(err, code, "%s: %s", what, sqlite3_errmsg(q->db));
    }
}

/* ---- statements ---- */

int sql_run(struct sql *q, const char *text, struct error *err)
{
    return sqlite3_exec(q->db, text, NULL, NULL, NULL) == SQLITE_OK
               ? 0
               : sql_error(q, "the store cannot do its work", err);
}

/* The place for one more: the statement that has not been used for longest and is not under way. */
static struct sql_cached *oldest(struct sql *q)
{
    struct sql_cached *found = NULL;
    for (size_t i = 0; i < SQL_CACHED; i++) {
        struct sql_cached *c = &q->cached[i];
        if (!c->stmt) {
            return c;
        }
        if (!sqlite3_stmt_busy(c->stmt) && (!found || c->used < found->used)) {
            found = c;
        }
    }
    return found;
}

int sql_take(struct sql *q, const char *text, sqlite3_stmt **ret, struct error *err)
{
    sqlite3_stmt *stmt;
    for (size_t i = 0; i < SQL_CACHED; i++) {
        struct sql_cached *c = &q->cached[i];
        if (c->stmt && !sqlite3_stmt_busy(c->stmt) && strcmp(sqlite3_sql(c->stmt), text) == 0) {
            c->used = ++q->uses;
            *ret = c->stmt;
            return 0;
        }
    }
    if (sqlite3_prepare_v3(q->db, text, -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL) != SQLITE_OK) {
        return sql_error(q, "the store does not understand itself", err);
    }
    struct sql_cached *c = oldest(q);
    if (c) {
        sqlite3_finalize(c->stmt);
        *c = (struct sql_cached){stmt, ++q->uses};
    }
    *ret = stmt;
    return 0;
}

int sql_take_made(struct sql *q, char *text, sqlite3_stmt **ret, struct error *err)
{
    int r = text ? sql_take(q, text, ret, err) : error_set(err, ENOMEM, "memory is short");
    sqlite3_free(text);
    return r;
}

void sql_done(struct sql *q, sqlite3_stmt *stmt)
{
    for (size_t i = 0; i < SQL_CACHED; i++) {
        if (q->cached[i].stmt == stmt) {
            sqlite3_reset(stmt);
            sqlite3_clear_bindings(stmt);
            return;
        }
    }
    sqlite3_finalize(stmt);
}

int sql_step(struct sql *q, sqlite3_stmt *stmt, struct error *err)
{
    const int rc = sqlite3_step(stmt);
    return rc == SQLITE_ROW    ? 1
           : rc == SQLITE_DONE ? 0
                               : sql_error(q, "the store cannot do its work", err);
}

/* ---- the connection ---- */

/* Is "ok" the first row? It looks at each page, but not at whether indexes fit their tables. */
static int check_pages(struct sql *q, struct error *err)
{
    sqlite3_stmt *stmt;
    int r = sql_take(q, "PRAGMA quick_check(1)", &stmt, err);
    if (r < 0) {
        return r;
    }
    r = sql_step(q, stmt, err);
    const char *found = r == 1 ? (const char *)sqlite3_column_text(stmt, 0) : "";
    if (r >= 0 && (!found || strcmp(found, "ok") != 0)) {
        r = error_set(err, EBADMSG, "the database is damaged: %s", found ? found : "");
    }
    sql_done(q, stmt);
    return r < 0 ? r : 0;
}

/* The mode that the database really has is told as a row. */
static int write_ahead(struct sql *q, struct error *err)
{
    sqlite3_stmt *stmt;
    int r = sql_take(q, "PRAGMA journal_mode=WAL", &stmt, err);
    if (r < 0) {
        return r;
    }
    r = sql_step(q, stmt, err);
    const char *mode = r == 1 ? (const char *)sqlite3_column_text(stmt, 0) : NULL;
    if (r >= 0 && (!mode || strcmp(mode, "wal") != 0)) {
        r = error_set(err, EIO, "the store cannot have a write-ahead log on this filesystem");
    }
    sql_done(q, stmt);
    return r < 0 ? r : 0;
}

int sql_open(const char *path, struct sql *ret, struct error *err)
{
    struct sql q = {0};
    /* SQLite would make the file, which has hashes of tokens, readable for all; its other files
     * have the permissions of this one. */
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 && errno != EEXIST) {
        return error_sys(err, errno, "cannot make the store %s", path);
    }
    closep(&fd);
    const int flags =
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_NOFOLLOW;
    int r = 0;
    if (sqlite3_open_v2(path, &q.db, flags, NULL) != SQLITE_OK) {
        r = sql_error(&q, "cannot open the store", err);
    }
    if (r == 0) {
        sqlite3_db_config(q.db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
        sqlite3_db_config(q.db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
        r = sql_run(&q,
                    "PRAGMA locking_mode=EXCLUSIVE; PRAGMA cell_size_check=ON;"
                    "PRAGMA temp_store=MEMORY; PRAGMA mmap_size=0;"
                    "PRAGMA journal_size_limit=4194304",
                    err);
    }
    r = r < 0 ? r : write_ahead(&q, err);
    r = r < 0 ? r : sql_run(&q, "PRAGMA synchronous=FULL", err);
    r = r < 0 ? r : check_pages(&q, err);
    if (r < 0) {
        sql_close(&q);
        return r;
    }
    *ret = q;
    return 0;
}

void sql_close(struct sql *q)
{
    for (size_t i = 0; i < SQL_CACHED; i++) {
        sqlite3_finalize(q->cached[i].stmt);
    }
    sqlite3_close(q->db);
    *q = (struct sql){0};
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * The store in a file of SQLite's. Statements are made out of names of kinds and fields, never out
 * of values; a page of a list is read along an index, from behind its marker on.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/aside.h"
#include "control/sql.h"
#include "control/store.h"
#include "control/store_schema.h"

/* A kind's statements that do not differ from call to call. */
struct table {
    const struct kind *kind;
    char *columns; /* of all fields, in order: "\"id\", \"project\"…"; by sqlite3_free() */
    sqlite3_stmt *get, *put, *remove;
};

struct store_sqlite {
    struct store store;
    struct sql q;
    struct table table[STORE_KINDS];
    size_t n;
    bool under_way; /* a transaction */
    int failed;     /* errno of what ended it early; 0: nothing */
};

static struct store_sqlite *of(struct store *s)
{
    return CONTAINER_OF(s, struct store_sqlite, store);
}

static struct table *table_of(struct store_sqlite *s, const struct kind *k)
{
    for (size_t i = 0; i < s->n; i++) {
        if (s->table[i].kind == k) {
            return &s->table[i];
        }
    }
    return NULL;
}

static int no_table(const struct kind *k, struct error *err)
{
    return error_set(err, EINVAL, "the store has no table of %s", k->plural);
}

/* ---- transactions ---- */

static int begin(struct store *store, struct error *err)
{
    struct store_sqlite *s = of(store);
    if (s->under_way) {
        return error_set(err, EINVAL, "a transaction of the store is under way");
    }
    int r = sql_run(&s->q, "BEGIN IMMEDIATE", err);
    s->under_way = r == 0;
    s->failed = 0;
    return r;
}

/* SQLite ends a transaction itself when the disk is full or fails. */
static bool ended(struct store_sqlite *s)
{
    return s->under_way && sqlite3_get_autocommit(s->q.db);
}

static void rollback(struct store *store)
{
    struct store_sqlite *s = of(store);
    if (s->under_way && !ended(s)) {
        sql_run(&s->q, "ROLLBACK", NULL);
    }
    s->under_way = false;
}

static int gone(struct store_sqlite *s, struct error *err)
{
    const int code = s->failed ? s->failed : EIO;
    return error_sys(err, code, "the store has given up the transaction");
}

static int commit(struct store *store, struct error *err)
{
    struct store_sqlite *s = of(store);
    if (!s->under_way) {
        return error_set(err, EINVAL, "no transaction of the store is under way");
    }
    int r = ended(s) ? gone(s, err) : sql_run(&s->q, "COMMIT", err);
    if (r < 0) {
        rollback(store);
    }
    s->under_way = false;
    return r;
}

/* Before a change. */
static int may_change(struct store_sqlite *s, struct error *err)
{
    if (!s->under_way) {
        return error_set(err, EINVAL, "a change of the store outside of a transaction");
    }
    return ended(s) ? gone(s, err) : 0;
}

/* Carries out a change whose values are bound. */
static int change(struct store_sqlite *s, sqlite3_stmt *stmt, struct error *err)
{
    int r = sql_step(&s->q, stmt, err);
    if (r < 0 && !s->failed) {
        s->failed = -r;
    }
    return r < 0 ? r : 0;
}

static void reset(sqlite3_stmt *stmt)
{
    sqlite3_reset(stmt);
    sqlite3_clear_bindings(stmt);
}

/* ---- objects ---- */

static int read_row(sqlite3_stmt *stmt, const struct kind *k, struct object *ret)
{
    struct object o;
    int r = 0;
    object_init(&o, k);
    for (unsigned i = 0; r == 0 && i < k->n; i++) {
        if (sqlite3_column_type(stmt, (int)i) == SQLITE_NULL) {
            continue;
        }
        if (field_is_text(&k->field[i])) {
            const char *text = (const char *)sqlite3_column_text(stmt, (int)i);
            r = text ? object_set_text(&o, i, text) : -ENOMEM;
        } else {
            object_set_int(&o, i, sqlite3_column_int64(stmt, (int)i));
        }
    }
    if (r < 0) {
        object_done(&o);
        return r;
    }
    *ret = o;
    return 0;
}

static int put(struct store *store, const struct object *o, struct error *err)
{
    struct store_sqlite *s = of(store);
    struct table *t = table_of(s, o->kind);
    int r = may_change(s, err);
    if (r < 0 || !t) {
        return r < 0 ? r : no_table(o->kind, err);
    }
    if (!o->v[FIELD_OF_ID].set) {
        return error_set(err, EINVAL, "an object without an id");
    }
    for (size_t i = 0; r == 0 && i < o->kind->n; i++) {
        r = schema_bind(&s->q, t->put, (int)i + 1, &o->kind->field[i], &o->v[i], err);
    }
    r = r < 0 ? r : change(s, t->put, err);
    reset(t->put);
    return r;
}

static int get(struct store *store, const struct kind *k, const char *id, struct object *ret,
               struct error *err)
{
    struct store_sqlite *s = of(store);
    struct table *t = table_of(s, k);
    if (!t) {
        return no_table(k, err);
    }
    sqlite3_bind_text(t->get, 1, id, -1, SQLITE_STATIC);
    int r = sql_step(&s->q, t->get, err);
    if (r == 0) {
        r = error_set(err, ENOENT, "there is no such %s", k->name);
    } else if (r == 1) {
        r = read_row(t->get, k, ret);
    }
    reset(t->get);
    return r;
}

static int remove_one(struct store *store, const struct kind *k, const char *id, struct error *err)
{
    struct store_sqlite *s = of(store);
    struct table *t = table_of(s, k);
    int r = may_change(s, err);
    if (r < 0 || !t) {
        return r < 0 ? r : no_table(k, err);
    }
    sqlite3_bind_text(t->remove, 1, id, -1, SQLITE_STATIC);
    r = change(s, t->remove, err);
    reset(t->remove);
    if (r == 0 && sqlite3_changes(s->q.db) == 0) {
        r = error_set(err, ENOENT, "there is no such %s", k->name);
    }
    return r;
}

/* ---- lists ---- */

/* A part of an order: all of it where that is by ids, else those without a value, and the others.
 */
enum part {
    PART_ALL,
    PART_NULL,
    PART_VALUE,
};

static void add_filters(sqlite3_str *text, const struct kind *k, const struct store_query *q)
{
    for (unsigned i = 0; i < q->n_filters; i++) {
        const struct store_filter *f = &q->filter[i];
        sqlite3_str_appendf(text, " AND \"%w\" %s", k->field[f->field].name,
                            f->is->set ? "=?" : "IS NULL");
    }
}

static char *list_text(const struct table *t, const struct store_query *q, enum part part,
                       bool behind)
{
    const char *sort = t->kind->field[q->sort].name, *way = q->down ? "DESC" : "ASC";
    const char sign = q->down ? '<' : '>';
    sqlite3_str *text = sqlite3_str_new(NULL);
    sqlite3_str_appendf(text, "SELECT %s FROM \"%w\" WHERE 1", t->columns, t->kind->name);
    add_filters(text, t->kind, q);
    if (part != PART_ALL) {
        sqlite3_str_appendf(text, " AND \"%w\" IS %s", sort,
                            part == PART_NULL ? "NULL" : "NOT NULL");
    }
    if (behind && part == PART_VALUE) {
        sqlite3_str_appendf(text, " AND (\"%w\", \"id\") %c (?, ?)", sort, sign);
    } else if (behind) {
        sqlite3_str_appendf(text, " AND \"id\" %c ?", sign);
    }
    if (part == PART_VALUE) {
        sqlite3_str_appendf(text, " ORDER BY \"%w\" %s, \"id\" %s LIMIT ?", sort, way, way);
    } else {
        sqlite3_str_appendf(text, " ORDER BY \"id\" %s LIMIT ?", way);
    }
    return sqlite3_str_finish(text);
}

static int bind_filters(struct store_sqlite *s, sqlite3_stmt *stmt, const struct kind *k,
                        const struct store_query *q, int *place, struct error *err)
{
    int r = 0;
    for (unsigned i = 0; r == 0 && i < q->n_filters; i++) {
        const struct store_filter *f = &q->filter[i];
        if (f->is->set) {
            r = schema_bind(&s->q, stmt, ++*place, &k->field[f->field], f->is, err);
        }
    }
    return r;
}

struct listing {
    struct store_sqlite *s;
    struct table *t;
    const struct store_query *q;
    int (*each)(void *user, const struct object *o);
    void *user;
    int64_t left; /* rows; negative: all */
};

static int give_rows(struct listing *l, sqlite3_stmt *stmt, struct error *err)
{
    struct object o;
    int r;
    while ((r = sql_step(&l->s->q, stmt, err)) == 1) {
        r = read_row(stmt, l->t->kind, &o);
        if (r < 0) {
            return error_set(err, -r, "memory is short");
        }
        l->left -= l->left > 0;
        r = l->each(l->user, &o);
        object_done(&o);
        if (r != 0) {
            return r;
        }
    }
    return r;
}

static int list_part(struct listing *l, enum part part, bool behind, struct error *err)
{
    const struct kind *k = l->t->kind;
    struct store_sqlite *s = l->s;
    sqlite3_stmt *stmt;
    int place = 0;
    if (l->left == 0) {
        return 0;
    }
    int r = sql_take_made(&s->q, list_text(l->t, l->q, part, behind), &stmt, err);
    if (r < 0) {
        return r;
    }
    r = bind_filters(s, stmt, k, l->q, &place, err);
    if (behind && part == PART_VALUE && r == 0) {
        r = schema_bind(&s->q, stmt, ++place, &k->field[l->q->sort], l->q->marker_value, err);
    }
    if (behind) {
        sqlite3_bind_text(stmt, ++place, l->q->marker_id, -1, SQLITE_STATIC);
    }
    sqlite3_bind_int64(stmt, ++place, l->left);
    r = r < 0 ? r : give_rows(l, stmt, err);
    sql_done(&s->q, stmt);
    return r;
}

static int list(struct store *store, const struct kind *k, const struct store_query *q,
                int (*each)(void *user, const struct object *o), void *user, struct error *err)
{
    struct store_sqlite *s = of(store);
    struct listing l = {s, table_of(s, k), q, each, user, q->limit ? (int64_t)q->limit : -1};
    if (!l.t) {
        return no_table(k, err);
    }
    const bool behind = q->marker_id != NULL;
    if (q->sort == FIELD_OF_ID) {
        return list_part(&l, PART_ALL, behind, err);
    }
    const bool from_null = behind && !q->marker_value->set, from_value = behind && !from_null;
    int r = 0;
    if (!q->down) {
        r = from_value ? 0 : list_part(&l, PART_NULL, from_null, err);
        return r != 0 ? r : list_part(&l, PART_VALUE, from_value, err);
    }
    r = from_null ? 0 : list_part(&l, PART_VALUE, from_value, err);
    return r != 0 ? r : list_part(&l, PART_NULL, from_null, err);
}

static int count(struct store *store, const struct kind *k, const struct store_query *q,
                 uint64_t *ret, struct error *err)
{
    struct store_sqlite *s = of(store);
    sqlite3_stmt *stmt;
    int place = 0;
    if (!table_of(s, k)) {
        return no_table(k, err);
    }
    sqlite3_str *text = sqlite3_str_new(NULL);
    sqlite3_str_appendf(text, "SELECT count(*) FROM \"%w\" WHERE 1", k->name);
    add_filters(text, k, q);
    int r = sql_take_made(&s->q, sqlite3_str_finish(text), &stmt, err);
    if (r < 0) {
        return r;
    }
    r = bind_filters(s, stmt, k, q, &place, err);
    r = r < 0 ? r : sql_step(&s->q, stmt, err);
    if (r == 1) {
        *ret = (uint64_t)sqlite3_column_int64(stmt, 0);
        r = 0;
    }
    sql_done(&s->q, stmt);
    return r;
}

/* ---- events ---- */

static int event_range(struct store *store, uint64_t *ret_oldest, uint64_t *ret_last,
                       struct error *err)
{
    struct store_sqlite *s = of(store);
    sqlite3_stmt *stmt;
    int r = sql_take(&s->q,
                     "SELECT (SELECT min(\"number\") FROM \"events\"),"
                     " (SELECT \"seq\" FROM \"sqlite_sequence\" WHERE \"name\"='events')",
                     &stmt, err);
    if (r < 0) {
        return r;
    }
    r = sql_step(&s->q, stmt, err);
    if (r == 1) { /* null is 0 */
        *ret_oldest = (uint64_t)sqlite3_column_int64(stmt, 0);
        *ret_last = (uint64_t)sqlite3_column_int64(stmt, 1);
        r = 0;
    }
    sql_done(&s->q, stmt);
    return r;
}

static int add_event(struct store *store, const struct store_event *e, struct error *err)
{
    struct store_sqlite *s = of(store);
    const char *const texts[] = {e->what, e->kind, e->id, e->project, e->who, e->whence, e->words};
    uint64_t oldest, last;
    sqlite3_stmt *stmt;
    int r = may_change(s, err);
    if (r == 0 && e->number) {
        r = event_range(store, &oldest, &last, err);
        if (r == 0 && (e->number <= last || e->number > INT64_MAX)) {
            r = error_set(err, EINVAL, "an event's number is not above those before it");
        }
    }
    r = r < 0 ? r
              : sql_take(&s->q, "INSERT INTO \"events\" VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9)", &stmt,
                         err);
    if (r < 0) {
        return r;
    }
    if (e->number) {
        sqlite3_bind_int64(stmt, 1, (int64_t)e->number);
    }
    sqlite3_bind_int64(stmt, 2, e->time_ns);
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        sqlite3_bind_text(stmt, (int)i + 3, texts[i], -1, SQLITE_STATIC);
    }
    r = change(s, stmt, err);
    sql_done(&s->q, stmt);
    return r;
}

static void read_event(sqlite3_stmt *stmt, struct store_event *e)
{
    struct {
        char *to;
        size_t cap;
    } const texts[] = {
        {e->what, sizeof(e->what)},   {e->kind, sizeof(e->kind)},
        {e->id, sizeof(e->id)},       {e->project, sizeof(e->project)},
        {e->who, sizeof(e->who)},     {e->whence, sizeof(e->whence)},
        {e->words, sizeof(e->words)},
    };
    e->number = (uint64_t)sqlite3_column_int64(stmt, 0);
    e->time_ns = sqlite3_column_int64(stmt, 1);
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        const char *text = (const char *)sqlite3_column_text(stmt, (int)i + 2);
        snprintf(texts[i].to, texts[i].cap, "%s", text ? text : "");
    }
}

static int events(struct store *store, uint64_t behind, unsigned most,
                  int (*each)(void *user, const struct store_event *e), void *user,
                  struct error *err)
{
    struct store_sqlite *s = of(store);
    struct store_event e;
    sqlite3_stmt *stmt;
    int r =
        sql_take(&s->q, "SELECT * FROM \"events\" WHERE \"number\">?1 ORDER BY \"number\" LIMIT ?2",
                 &stmt, err);
    if (r < 0) {
        return r;
    }
    sqlite3_bind_int64(stmt, 1, (int64_t)MIN(behind, (uint64_t)INT64_MAX));
    sqlite3_bind_int64(stmt, 2, most);
    while ((r = sql_step(&s->q, stmt, err)) == 1) {
        read_event(stmt, &e);
        r = each(user, &e);
        if (r != 0) {
            break;
        }
    }
    sql_done(&s->q, stmt);
    return r;
}

static int trim_events(struct store *store, int64_t before_ns, struct error *err)
{
    struct store_sqlite *s = of(store);
    sqlite3_stmt *stmt;
    int r = may_change(s, err);
    r = r < 0 ? r : sql_take(&s->q, "DELETE FROM \"events\" WHERE \"time\"<?1", &stmt, err);
    if (r < 0) {
        return r;
    }
    sqlite3_bind_int64(stmt, 1, before_ns);
    r = change(s, stmt, err);
    sql_done(&s->q, stmt);
    return r;
}

/* ---- opening ---- */

static void free_store(struct store *store)
{
    struct store_sqlite *s = of(store);
    for (size_t i = 0; i < s->n; i++) {
        sqlite3_finalize(s->table[i].get);
        sqlite3_finalize(s->table[i].put);
        sqlite3_finalize(s->table[i].remove);
        sqlite3_free(s->table[i].columns);
    }
    sql_close(&s->q);
    free(s);
}

static const struct store_ops ops = {
    .begin = begin,
    .commit = commit,
    .rollback = rollback,
    .put = put,
    .get = get,
    .list = list,
    .count = count,
    .remove = remove_one,
    .add_event = add_event,
    .events = events,
    .event_range = event_range,
    .trim_events = trim_events,
    .free = free_store,
};

static int prepare(struct store_sqlite *s, char *text, sqlite3_stmt **ret, struct error *err)
{
    int r = 0;
    if (!text) {
        r = error_set(err, ENOMEM, "memory is short");
    } else if (sqlite3_prepare_v3(s->q.db, text, -1, SQLITE_PREPARE_PERSISTENT, ret, NULL) !=
               SQLITE_OK) {
        r = sql_error(&s->q, "the store does not understand itself", err);
    }
    sqlite3_free(text);
    return r;
}

static char *put_text(const struct table *t)
{
    const struct kind *k = t->kind;
    sqlite3_str *text = sqlite3_str_new(NULL);
    sqlite3_str_appendf(text, "INSERT INTO \"%w\"(%s) VALUES(", k->name, t->columns);
    for (size_t i = 0; i < k->n; i++) {
        sqlite3_str_appendall(text, i ? ",?" : "?");
    }
    sqlite3_str_appendall(text, ") ON CONFLICT(\"id\") DO UPDATE SET ");
    for (size_t i = 1; i < k->n; i++) {
        sqlite3_str_appendf(text, "%s\"%w\"=excluded.\"%w\"", i > 1 ? "," : "", k->field[i].name,
                            k->field[i].name);
    }
    return sqlite3_str_finish(text);
}

static int prepare_table(struct store_sqlite *s, const struct kind *k, struct error *err)
{
    struct table *t = &s->table[s->n++];
    sqlite3_str *columns = sqlite3_str_new(NULL);
    t->kind = k;
    for (size_t i = 0; i < k->n; i++) {
        sqlite3_str_appendf(columns, "%s\"%w\"", i ? ", " : "", k->field[i].name);
    }
    t->columns = sqlite3_str_finish(columns);
    if (!t->columns) {
        return error_set(err, ENOMEM, "memory is short");
    }
    int r =
        prepare(s, sqlite3_mprintf("SELECT %s FROM \"%w\" WHERE \"id\"=?1", t->columns, k->name),
                &t->get, err);
    r = r < 0 ? r : prepare(s, put_text(t), &t->put, err);
    return r < 0 ? r
                 : prepare(s, sqlite3_mprintf("DELETE FROM \"%w\" WHERE \"id\"=?1", k->name),
                           &t->remove, err);
}

static int open_file(const char *path, const struct store_conf *conf, struct store **ret,
                     struct error *err)
{
    struct store_sqlite *s = calloc(1, sizeof(*s));
    if (!s) {
        return error_set(err, ENOMEM, "memory is short");
    }
    s->store.ops = &ops;
    int r = sql_open(path, &s->q, err);
    r = r < 0 ? r : schema_bring(&s->q, conf, err);
    if (r == 0) {
        schema_keep_room(&s->q);
    }
    for (size_t i = 0; r == 0 && i < conf->n; i++) {
        r = prepare_table(s, conf->kinds[i], err);
    }
    if (r < 0) {
        free_store(&s->store);
        return r;
    }
    *ret = &s->store;
    return 0;
}

int store_sqlite_open(const char *folder, const struct store_conf *conf, struct store **ret,
                      char ret_aside[64], struct error *err)
{
    char path[4096 + 16];
    if (strlen(folder) >= 4096 || conf->n > STORE_KINDS) {
        return error_set(err, EINVAL, "the store's folder, or its list of kinds, is too long");
    }
    snprintf(path, sizeof(path), "%s/" STORE_FILE, folder);
    ret_aside[0] = '\0';
    int r = open_file(path, conf, ret, err);
    if (r == -EBADMSG) {
        r = aside_put(folder, STORE_FILE, conf->now_ns, ret_aside, err);
        r = r < 0 ? r : open_file(path, conf, ret, err);
    }
    return r;
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * The store in memory, for tests: the same answers as those of control/store_sqlite.c, by other
 * means. Objects are kept in the order of their ids; a transaction is undone step by step.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/store.h"

struct rows {
    const struct kind *kind;
    struct object **at; /* by their ids */
    size_t n, cap;
};

enum {
    ROW = sizeof(struct object *), /* bytes of an entry of rows.at */
};

struct undo {
    struct rows *rows;
    char id[KIND_ID];
    struct object *before; /* owned; NULL: there was none */
};

struct store_fake {
    struct store store;
    struct rows rows[STORE_KINDS];
    size_t n;
    bool under_way;
    struct undo *undo;
    size_t n_undo, cap_undo;
    struct store_event *event;
    size_t n_events, cap_events;
    uint64_t last; /* number of an event */
    /* As they were when the transaction began. */
    struct store_event *event_before;
    size_t n_before;
    uint64_t last_before;
};

static struct store_fake *of(struct store *s)
{
    return CONTAINER_OF(s, struct store_fake, store);
}

static struct rows *rows_of(struct store_fake *s, const struct kind *k)
{
    for (size_t i = 0; i < s->n; i++) {
        if (s->rows[i].kind == k) {
            return &s->rows[i];
        }
    }
    return NULL;
}

static int no_table(const struct kind *k, struct error *err)
{
    return error_set(err, EINVAL, "the store has no table of %s", k->plural);
}

static int short_of_memory(struct error *err)
{
    return error_set(err, ENOMEM, "memory is short");
}

/* Room for one more of `size` bytes: 0 or -ENOMEM. */
static int grow(void *array, size_t n, size_t *cap, size_t size)
{
    void **at = array;
    if (n < *cap) {
        return 0;
    }
    size_t more = *cap ? *cap * 2 : 16;
    void *p = reallocarray(*at, more, size);
    if (!p) {
        return -ENOMEM;
    }
    *at = p;
    *cap = more;
    return 0;
}

static void object_free(struct object *o)
{
    if (o) {
        object_done(o);
        free(o);
    }
}

static struct object *object_new(const struct object *from)
{
    struct object *o = calloc(1, sizeof(*o));
    if (o) {
        object_init(o, from->kind);
        if (object_copy(o, from) < 0) {
            free(o);
            return NULL;
        }
    }
    return o;
}

/* ---- rows ---- */

/* The place of the id, or where it would have to be. */
static size_t find(const struct rows *rows, const char *id, bool *ret_there)
{
    size_t low = 0, high = rows->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int c = strcmp(rows->at[mid]->v[FIELD_OF_ID].text, id);
        if (c == 0) {
            *ret_there = true;
            return mid;
        }
        *(c < 0 ? &low : &high) = c < 0 ? mid + 1 : mid;
    }
    *ret_there = false;
    return low;
}

/* Puts an object, which is given away, or with NULL takes away the one of that id. What was there
 * is returned in *ret_before, the caller's. There must be room. */
static void exchange(struct rows *rows, const char *id, struct object *o,
                     struct object **ret_before)
{
    bool there;
    size_t i = find(rows, id, &there);
    *ret_before = there ? rows->at[i] : NULL;
    if (there && o) {
        rows->at[i] = o;
    } else if (there) {
        rows->n--;
        memmove(&rows->at[i], &rows->at[i + 1], (rows->n - i) * ROW);
    } else if (o) {
        memmove(&rows->at[i + 1], &rows->at[i], (rows->n - i) * ROW);
        rows->at[i] = o;
        rows->n++;
    }
}

/* ---- transactions ---- */

static void forget(struct store_fake *s)
{
    for (size_t i = 0; i < s->n_undo; i++) {
        object_free(s->undo[i].before);
    }
    s->n_undo = 0;
    free(s->event_before);
    s->event_before = NULL;
    s->under_way = false;
}

static int begin(struct store *store, struct error *err)
{
    struct store_fake *s = of(store);
    if (s->under_way) {
        return error_set(err, EINVAL, "a transaction of the store is under way");
    }
    s->event_before = malloc((s->n_events + 1) * sizeof(*s->event));
    if (!s->event_before) {
        return short_of_memory(err);
    }
    if (s->n_events) {
        memcpy(s->event_before, s->event, s->n_events * sizeof(*s->event));
    }
    s->n_before = s->n_events;
    s->last_before = s->last;
    s->under_way = true;
    return 0;
}

static int commit(struct store *store, struct error *err)
{
    struct store_fake *s = of(store);
    if (!s->under_way) {
        return error_set(err, EINVAL, "no transaction of the store is under way");
    }
    forget(s);
    return 0;
}

static void rollback(struct store *store)
{
    struct store_fake *s = of(store);
    if (!s->under_way) {
        return;
    }
    while (s->n_undo > 0) {
        struct undo *u = &s->undo[--s->n_undo];
        struct object *made;
        exchange(u->rows, u->id, u->before, &made);
        object_free(made);
    }
    if (s->n_before) { /* there was room for as many */
        memcpy(s->event, s->event_before, s->n_before * sizeof(*s->event));
    }
    s->n_events = s->n_before;
    s->last = s->last_before;
    forget(s);
}

static int may_change(const struct store_fake *s, struct error *err)
{
    return s->under_way ? 0
                        : error_set(err, EINVAL, "a change of the store outside of a transaction");
}

/* Exchanges, so that it can be undone. Takes the object also when it fails. */
static int change(struct store_fake *s, struct rows *rows, const char *id, struct object *o,
                  struct error *err)
{
    if (grow(&s->undo, s->n_undo, &s->cap_undo, sizeof(*s->undo)) < 0 ||
        grow(&rows->at, rows->n, &rows->cap, ROW) < 0) {
        object_free(o);
        return short_of_memory(err);
    }
    struct undo *u = &s->undo[s->n_undo++];
    u->rows = rows;
    snprintf(u->id, sizeof(u->id), "%s", id);
    exchange(rows, u->id, o, &u->before);
    return 0;
}

/* ---- objects ---- */

static int put(struct store *store, const struct object *o, struct error *err)
{
    struct store_fake *s = of(store);
    struct rows *rows = rows_of(s, o->kind);
    int r = may_change(s, err);
    if (r < 0 || !rows) {
        return r < 0 ? r : no_table(o->kind, err);
    }
    if (!o->v[FIELD_OF_ID].set) {
        return error_set(err, EINVAL, "an object without an id");
    }
    struct object *copy = object_new(o);
    return copy ? change(s, rows, o->v[FIELD_OF_ID].text, copy, err) : short_of_memory(err);
}

static int get(struct store *store, const struct kind *k, const char *id, struct object *ret,
               struct error *err)
{
    const struct rows *rows = rows_of(of(store), k);
    bool there;
    if (!rows) {
        return no_table(k, err);
    }
    size_t i = find(rows, id, &there);
    if (!there) {
        return error_set(err, ENOENT, "there is no such %s", k->name);
    }
    struct object o;
    object_init(&o, k);
    if (object_copy(&o, rows->at[i]) < 0) {
        return short_of_memory(err);
    }
    *ret = o;
    return 0;
}

static int remove_one(struct store *store, const struct kind *k, const char *id, struct error *err)
{
    struct store_fake *s = of(store);
    struct rows *rows = rows_of(s, k);
    bool there;
    int r = may_change(s, err);
    if (r < 0 || !rows) {
        return r < 0 ? r : no_table(k, err);
    }
    find(rows, id, &there);
    return there ? change(s, rows, id, NULL, err)
                 : error_set(err, ENOENT, "there is no such %s", k->name);
}

/* ---- lists ---- */

static bool matches(const struct object *o, const struct store_query *q)
{
    for (unsigned i = 0; i < q->n_filters; i++) {
        const struct store_filter *f = &q->filter[i];
        if (value_compare(&o->kind->field[f->field], &o->v[f->field], f->is) != 0) {
            return false;
        }
    }
    return true;
}

/* Where the object stands to a place in the order. */
static int compare(const struct object *o, const struct store_query *q, const struct value *value,
                   const char *id)
{
    int c =
        q->sort == FIELD_OF_ID ? 0 : value_compare(&o->kind->field[q->sort], &o->v[q->sort], value);
    c = c ? c : strcmp(o->v[FIELD_OF_ID].text, id);
    return q->down ? -c : c;
}

static int by_query(const void *a, const void *b, void *user)
{
    const struct object *x = *(struct object *const *)a, *y = *(struct object *const *)b;
    const struct store_query *q = user;
    return compare(x, q, &y->v[q->sort], y->v[FIELD_OF_ID].text);
}

static int list(struct store *store, const struct kind *k, const struct store_query *q,
                int (*each)(void *user, const struct object *o), void *user, struct error *err)
{
    const struct rows *rows = rows_of(of(store), k);
    size_t n = 0;
    int r = 0;
    if (!rows) {
        return no_table(k, err);
    }
    _cleanup_(freep) struct object **found = calloc(rows->n + 1, sizeof(struct object *));
    if (!found) {
        return short_of_memory(err);
    }
    for (size_t i = 0; i < rows->n; i++) {
        if (matches(rows->at[i], q) &&
            (!q->marker_id || compare(rows->at[i], q, q->marker_value, q->marker_id) > 0)) {
            found[n++] = rows->at[i];
        }
    }
    qsort_r(found, n, sizeof(struct object *), by_query, (void *)q);
    for (size_t i = 0; r == 0 && i < n && (!q->limit || i < q->limit); i++) {
        r = each(user, found[i]);
    }
    return r;
}

static int count(struct store *store, const struct kind *k, const struct store_query *q,
                 uint64_t *ret, struct error *err)
{
    const struct rows *rows = rows_of(of(store), k);
    uint64_t n = 0;
    if (!rows) {
        return no_table(k, err);
    }
    for (size_t i = 0; i < rows->n; i++) {
        n += matches(rows->at[i], q);
    }
    *ret = n;
    return 0;
}

/* ---- events ---- */

static int add_event(struct store *store, const struct store_event *e, struct error *err)
{
    struct store_fake *s = of(store);
    int r = may_change(s, err);
    if (r < 0) {
        return r;
    }
    if (e->number && (e->number <= s->last || e->number > INT64_MAX)) {
        return error_set(err, EINVAL, "an event's number is not above those before it");
    }
    if (grow(&s->event, s->n_events, &s->cap_events, sizeof(*s->event)) < 0) {
        return short_of_memory(err);
    }
    struct store_event *to = &s->event[s->n_events++];
    *to = *e;
    to->number = e->number ? e->number : s->last + 1;
    s->last = to->number;
    return 0;
}

static int events(struct store *store, uint64_t behind, unsigned most,
                  int (*each)(void *user, const struct store_event *e), void *user,
                  struct error *err)
{
    const struct store_fake *s = of(store);
    int r = 0;
    (void)err;
    for (size_t i = 0; r == 0 && most > 0 && i < s->n_events; i++) {
        if (s->event[i].number > behind) {
            r = each(user, &s->event[i]);
            most--;
        }
    }
    return r;
}

static int event_range(struct store *store, uint64_t *ret_oldest, uint64_t *ret_last,
                       struct error *err)
{
    const struct store_fake *s = of(store);
    (void)err;
    *ret_oldest = s->n_events ? s->event[0].number : 0;
    *ret_last = s->last;
    return 0;
}

static int trim_events(struct store *store, int64_t before_ns, struct error *err)
{
    struct store_fake *s = of(store);
    int r = may_change(s, err);
    size_t n = 0;
    for (size_t i = 0; r == 0 && i < s->n_events; i++) {
        if (s->event[i].time_ns >= before_ns) {
            s->event[n++] = s->event[i];
        }
    }
    s->n_events = r == 0 ? n : s->n_events;
    return r;
}

/* ---- the whole ---- */

static void free_store(struct store *store)
{
    struct store_fake *s = of(store);
    forget(s);
    for (size_t i = 0; i < s->n; i++) {
        for (size_t j = 0; j < s->rows[i].n; j++) {
            object_free(s->rows[i].at[j]);
        }
        free(s->rows[i].at);
    }
    free(s->undo);
    free(s->event);
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

int store_fake_new(const struct store_conf *conf, struct store **ret)
{
    struct store_fake *s = calloc(1, sizeof(*s));
    if (!s || conf->n > STORE_KINDS) {
        free(s);
        return s ? -EINVAL : -ENOMEM;
    }
    s->store.ops = &ops;
    s->n = conf->n;
    for (size_t i = 0; i < s->n; i++) {
        s->rows[i].kind = conf->kinds[i];
    }
    *ret = &s->store;
    return 0;
}

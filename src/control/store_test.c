/* SPDX-License-Identifier: Apache-2.0
 *
 * The same cases against both stores, and both side by side through changes and questions by chance
 * (FARSPAN_STORE_SEED tells one story again). What only SQLite has is in
 * control/store_sqlite_test.c.
 */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "control/store.h"
#include "control/store_testing.h"

struct both {
    struct scratch scratch;
    struct store *store;
};

static int open_fake(void **state)
{
    const struct store_conf conf = {store_test_kinds, 2, 0};
    struct both *b = calloc(1, sizeof(*b));
    *state = b;
    return b ? store_fake_new(&conf, &b->store) : -1;
}

static int open_sqlite(void **state)
{
    const struct store_conf conf = {store_test_kinds, 2, 0};
    char aside[64];
    struct both *b = calloc(1, sizeof(*b));
    *state = b;
    return b && scratch_make(&b->scratch) == 0
               ? store_sqlite_open(b->scratch.path, &conf, &b->store, aside, NULL)
               : -1;
}

static int done(void **state)
{
    struct both *b = *state;
    store_free(b->store);
    scratch_remove(&b->scratch);
    free(b);
    return 0;
}

static struct store *store_of(void **state)
{
    return ((struct both *)*state)->store;
}

/* ---- objects ---- */

static void test_put_and_get(void **state)
{
    struct store *s = store_of(state);
    struct object o, back;
    struct error err = {""};
    test_object(&o, 7, "p", "alice", 12);
    begin(s);
    assert_int_equal(s->ops->get(s, &kind_small, o.v[0].text, &back, &err), -ENOENT);
    assert_string_equal(err.text, "there is no such small");
    assert_int_equal(s->ops->put(s, &o, &err), 0);
    check_there(s, &o); /* a transaction sees what it has changed */
    commit(s);
    check_there(s, &o);

    object_set_null(&o, SMALL_RANK);
    assert_int_equal(object_set_text(&o, SMALL_WORD, "two"), 0);
    assert_int_equal(object_set_text(&o, FIELD_OF_OWNER, "'; DROP TABLE small; --\xc3\xa9"), 0);
    assert_int_equal(object_set_text(&o, SMALL_LIST, "[\"a\",\"b\\\"c\"]"), 0);
    object_set_int(&o, SMALL_WHEN, INT64_MAX);
    object_set_int(&o, SMALL_FLAG, 1);
    begin(s);
    assert_int_equal(s->ops->put(s, &o, &err), 0);
    commit(s);
    check_there(s, &o);
    assert_int_equal(count_all(s), 1);
    object_done(&o);
}

static void test_remove(void **state)
{
    struct store *s = store_of(state);
    char id[KIND_ID];
    put_some(s, 1, 3);
    begin(s);
    assert_int_equal(s->ops->remove(s, &kind_small, test_id(2, id), NULL), 0);
    assert_int_equal(s->ops->remove(s, &kind_small, id, NULL), -ENOENT);
    commit(s);
    assert_int_equal(count_all(s), 2);
    begin(s);
    put_one(s, 2, "p", "bob", 5);
    commit(s);
    assert_int_equal(count_all(s), 3);
}

static void test_transactions(void **state)
{
    struct store *s = store_of(state);
    struct store_event e = {.time_ns = 1, .what = "small.made"};
    struct error err = {""};
    struct object o;
    char id[KIND_ID];
    uint64_t oldest, last;
    test_object(&o, 1, "p", "a", 1);
    assert_int_equal(s->ops->put(s, &o, &err), -EINVAL);
    assert_string_equal(err.text, "a change of the store outside of a transaction");
    assert_int_equal(s->ops->remove(s, &kind_small, o.v[0].text, &err), -EINVAL);
    assert_int_equal(s->ops->add_event(s, &e, &err), -EINVAL);
    assert_int_equal(s->ops->commit(s, &err), -EINVAL);
    s->ops->rollback(s);
    object_done(&o);

    put_some(s, 1, 4);
    begin(s);
    assert_int_equal(s->ops->begin(s, &err), -EINVAL);
    put_one(s, 1, "other", "zoe", 99);
    put_one(s, 9, "other", "zoe", 99);
    put_one(s, 9, "other", "zoe", 98);
    assert_int_equal(s->ops->remove(s, &kind_small, test_id(2, id), NULL), 0);
    assert_int_equal(s->ops->add_event(s, &e, NULL), 0);
    s->ops->rollback(s);
    assert_int_equal(count_all(s), 4);
    check_numbers(s, &(struct store_query){.sort = FIELD_OF_ID}, "1 2 3 4");
    assert_int_equal(s->ops->event_range(s, &oldest, &last, NULL), 0);
    assert_true(oldest == 0 && last == 0);
    test_object(&o, 1, "p", "a", 1);
    check_there(s, &o);
    object_done(&o);
}

/* ---- lists ---- */

static void test_order(void **state)
{
    struct store *s = store_of(state);
    begin(s);
    put_one(s, 1, "p", "bob", 30);
    put_one(s, 2, "p", "alice", TEST_NULL);
    put_one(s, 3, "p", "bob", -5);
    put_one(s, 4, "q", "Zoe", 30);
    put_one(s, 5, "p", "alice", TEST_NULL);
    put_one(s, 6, "q", "\xc3\xa9ve", 9);
    commit(s);
    check_numbers(s, &(struct store_query){.sort = FIELD_OF_ID}, "1 2 3 4 5 6");
    check_numbers(s, &(struct store_query){.sort = FIELD_OF_ID, .down = true}, "6 5 4 3 2 1");
    check_numbers(s, &(struct store_query){.sort = SMALL_RANK}, "2 5 3 6 1 4");
    check_numbers(s, &(struct store_query){.sort = SMALL_RANK, .down = true}, "4 1 6 3 5 2");
    check_numbers(s, &(struct store_query){.sort = FIELD_OF_OWNER}, "4 2 5 1 3 6");
    check_numbers(s, &(struct store_query){.sort = SMALL_RANK, .limit = 3}, "2 5 3");
    check_numbers(s, &(struct store_query){.sort = SMALL_RANK, .limit = 1, .down = true}, "4");
}

static void test_filters(void **state)
{
    struct store *s = store_of(state);
    const struct value q = {true, 0, (char *)"q"}, bob = {true, 0, (char *)"bob"}, none = {0};
    const struct value thirty = {true, 30, NULL};
    uint64_t n = 99;
    begin(s);
    put_one(s, 1, "p", "bob", 30);
    put_one(s, 2, "q", "bob", 30);
    put_one(s, 3, "q", "alice", TEST_NULL);
    put_one(s, 4, "q", "bob", 31);
    commit(s);
    struct store_query by = {.filter = {{FIELD_OF_PROJECT, &q}}, .n_filters = 1};
    check_numbers(s, &by, "2 3 4");
    by.filter[by.n_filters++] = (struct store_filter){FIELD_OF_OWNER, &bob};
    by.sort = SMALL_RANK;
    by.down = true;
    check_numbers(s, &by, "4 2");
    by.limit = 1;
    assert_int_equal(s->ops->count(s, &kind_small, &by, &n, NULL), 0);
    assert_int_equal(n, 2);
    by.filter[by.n_filters++] = (struct store_filter){SMALL_RANK, &thirty};
    check_numbers(s, &by, "2");
    by = (struct store_query){.filter = {{SMALL_RANK, &none}}, .n_filters = 1};
    check_numbers(s, &by, "3");
}

/* From behind each object, also one that has gone, in both ways and by each order. */
static void check_markers(struct store *s, unsigned sort, bool down, const char *all)
{
    const char *rest = all;
    char id[KIND_ID];
    for (; *rest; rest = strchr(rest, ' ') ? strchr(rest, ' ') + 1 : "") {
        unsigned number = (unsigned)strtoul(rest, NULL, 10);
        struct object o;
        assert_int_equal(s->ops->get(s, &kind_small, test_id(number, id), &o, NULL), 0);
        struct store_query q = {.sort = sort, .down = down};
        q.marker_value = &o.v[sort];
        q.marker_id = id;
        const char *behind = strchr(rest, ' ') ? strchr(rest, ' ') + 1 : "";
        check_numbers(s, &q, behind);
        begin(s);
        assert_int_equal(s->ops->remove(s, &kind_small, id, NULL), 0);
        check_numbers(s, &q, behind);
        s->ops->rollback(s);
        object_done(&o);
    }
}

static void test_markers(void **state)
{
    struct store *s = store_of(state);
    begin(s);
    put_one(s, 1, "p", "bob", 30);
    put_one(s, 2, "p", "alice", TEST_NULL);
    put_one(s, 3, "p", "bob", -5);
    put_one(s, 4, "q", "carl", 30);
    put_one(s, 5, "p", "alice", TEST_NULL);
    commit(s);
    check_markers(s, FIELD_OF_ID, false, "1 2 3 4 5");
    check_markers(s, FIELD_OF_ID, true, "5 4 3 2 1");
    check_markers(s, SMALL_RANK, false, "2 5 3 1 4");
    check_markers(s, SMALL_RANK, true, "4 1 3 5 2");
    check_markers(s, FIELD_OF_OWNER, false, "2 5 1 3 4");
    check_markers(s, FIELD_OF_OWNER, true, "4 3 1 5 2");
    struct store_query by_id = {.sort = FIELD_OF_ID};
    char id[KIND_ID];
    by_id.marker_id = test_id(3, id); /* and no value */
    check_numbers(s, &by_id, "4 5");
}

static int stop_at_two(void *user, const struct object *o)
{
    (void)o;
    return ++*(unsigned *)user == 2 ? -ECANCELED : 0;
}

static void test_each_ends_the_list(void **state)
{
    struct store *s = store_of(state);
    unsigned n = 0;
    put_some(s, 1, 5);
    const struct store_query q = {.sort = SMALL_RANK};
    assert_int_equal(s->ops->list(s, &kind_small, &q, stop_at_two, &n, NULL), -ECANCELED);
    assert_int_equal(n, 2);
    check_numbers(s, &(struct store_query){.sort = FIELD_OF_ID}, "1 2 3 4 5");
}

struct inner {
    struct store *s;
    unsigned n;
};

static int list_again(void *user, const struct object *o)
{
    struct inner *in = user;
    unsigned n = 0;
    (void)o;
    const struct store_query q = {.sort = FIELD_OF_ID};
    in->s->ops->list(in->s, &kind_small, &q, stop_at_two, &n, NULL);
    in->n += n;
    return 0;
}

/* A list within a list, by the same words. */
static void test_lists_nest(void **state)
{
    struct inner in = {store_of(state), 0};
    put_some(in.s, 1, 5);
    const struct store_query q = {.sort = FIELD_OF_ID};
    assert_int_equal(in.s->ops->list(in.s, &kind_small, &q, list_again, &in, NULL), 0);
    assert_int_equal(in.n, 10);
}

/* ---- pages while rows come and go ---- */

enum {
    PAGED = 10000,
    PAGE = 100,
    LASTING = 3, /* each third is there all the time */
};

struct page {
    unsigned n;
    struct value value;
    char id[KIND_ID];
    uint8_t *seen; /* how often, by number */
    unsigned sort;
};

static int see(void *user, const struct object *o)
{
    struct page *p = user;
    p->n++;
    p->seen[test_number(o)]++;
    snprintf(p->id, sizeof(p->id), "%s", o->v[FIELD_OF_ID].text);
    return value_copy(&p->value, &o->v[p->sort]);
}

/* Adds and removes objects that are not among the lasting ones, around the whole order. */
static void disturb(struct store *s, uint64_t *seed, const uint8_t *seen)
{
    char id[KIND_ID];
    begin(s);
    for (unsigned i = 0; i < 20; i++) {
        unsigned number = 1 + chance(seed) % (2 * PAGED);
        if (number % LASTING == 0) {
            continue;
        }
        if (chance(seed) % 2) {
            s->ops->remove(s, &kind_small, test_id(number, id), NULL);
        } else if (!seen[number]) {
            put_one(s, number, "p", "o", (int64_t)(number % 7));
        }
    }
    commit(s);
}

static void page_through(struct store *s, unsigned sort, bool down)
{
    uint64_t seed = 1;
    unsigned pages = 0;
    struct page p = {.seen = calloc(2 * PAGED + 1, 1), .sort = sort};
    assert_non_null(p.seen);
    do {
        struct store_query q = {.sort = sort, .down = down, .limit = PAGE};
        p.n = 0;
        assert_true(pages++ < 2 * PAGED / PAGE + 1); /* it comes to an end */
        struct value value = {0};                    /* see() writes over what the marker is */
        char id[KIND_ID];
        assert_int_equal(value_copy(&value, &p.value), 0);
        memcpy(id, p.id, sizeof(id));
        q.marker_value = &value;
        q.marker_id = id[0] ? id : NULL;
        assert_int_equal(s->ops->list(s, &kind_small, &q, see, &p, NULL), 0);
        value_done(&value);
        disturb(s, &seed, p.seen);
    } while (p.n == PAGE);
    for (unsigned i = 1; i <= 2 * PAGED; i++) {
        assert_true(p.seen[i] <= 1);
        assert_true(p.seen[i] == 1 || i % LASTING != 0 || i > PAGED);
    }
    value_done(&p.value);
    free(p.seen);
}

static void test_pages_are_stable(void **state)
{
    struct store *s = store_of(state);
    begin(s);
    for (unsigned i = 1; i <= PAGED; i++) {
        put_one(s, i, "p", "o", i % 7 ? (int64_t)(i % 7) : TEST_NULL);
    }
    commit(s);
    page_through(s, SMALL_RANK, false);
    page_through(s, SMALL_RANK, true);
    page_through(s, FIELD_OF_ID, false);
}

/* ---- events ---- */

static int note_event(void *user, const struct store_event *e)
{
    char *to = user;
    size_t n = strlen(to);
    snprintf(to + n, 64 - n, "%s%" PRIu64 ":%s", n ? " " : "", e->number, e->words);
    return 0;
}

static void check_events(struct store *s, uint64_t behind, unsigned most, const char *what)
{
    char got[64] = "";
    assert_int_equal(s->ops->events(s, behind, most, note_event, got, NULL), 0);
    assert_string_equal(got, what);
}

static int whole_event(void *user, const struct store_event *e)
{
    struct store_event *to = user;
    *to = *e;
    return -ECANCELED;
}

static void test_events(void **state)
{
    struct store *s = store_of(state);
    struct store_event e = {0, 5, "small.made", "small", "id", "p", "alice", "local", "one"}, got;
    uint64_t oldest = 9, last = 9;
    check_events(s, 0, 10, "");
    begin(s);
    assert_int_equal(s->ops->add_event(s, &e, NULL), 0);
    snprintf(e.words, sizeof(e.words), "two");
    e.time_ns = 7;
    assert_int_equal(s->ops->add_event(s, &e, NULL), 0);
    e.number = 2;
    assert_int_equal(s->ops->add_event(s, &e, NULL), -EINVAL);
    e.number = 40;
    assert_int_equal(s->ops->add_event(s, &e, NULL), 0);
    e.number = 0;
    assert_int_equal(s->ops->add_event(s, &e, NULL), 0);
    commit(s);
    check_events(s, 0, 10, "1:one 2:two 40:two 41:two");
    check_events(s, 1, 2, "2:two 40:two");
    check_events(s, 41, 2, "");
    check_events(s, UINT64_MAX, 2, "");
    assert_int_equal(s->ops->events(s, 0, 9, whole_event, &got, NULL), -ECANCELED);
    assert_true(got.number == 1 && got.time_ns == 5);
    assert_string_equal(got.what, "small.made");
    assert_string_equal(got.kind, "small");
    assert_string_equal(got.id, "id");
    assert_string_equal(got.project, "p");
    assert_string_equal(got.who, "alice");
    assert_string_equal(got.whence, "local");
    begin(s);
    assert_int_equal(s->ops->trim_events(s, 7, NULL), 0);
    commit(s);
    check_events(s, 0, 10, "2:two 40:two 41:two");
    begin(s);
    assert_int_equal(s->ops->trim_events(s, INT64_MAX, NULL), 0);
    commit(s);
    assert_int_equal(s->ops->event_range(s, &oldest, &last, NULL), 0);
    assert_true(oldest == 0 && last == 41);
    begin(s); /* a number is never given twice */
    assert_int_equal(s->ops->add_event(s, &e, NULL), 0);
    commit(s);
    check_events(s, 0, 10, "42:two");
}

static void test_unknown_kind(void **state)
{
    struct store *s = store_of(state);
    const struct kind other = {"other", "others", kind_small.field, kind_small.n};
    const struct store_query q = {0};
    struct object o;
    uint64_t n;
    object_init(&o, &other);
    begin(s);
    assert_int_equal(s->ops->put(s, &o, NULL), -EINVAL);
    assert_int_equal(s->ops->get(s, &other, "x", &o, NULL), -EINVAL);
    assert_int_equal(s->ops->remove(s, &other, "x", NULL), -EINVAL);
    assert_int_equal(s->ops->count(s, &other, &q, &n, NULL), -EINVAL);
    assert_int_equal(s->ops->list(s, &other, &q, stop_at_two, NULL, NULL), -EINVAL);
    object_init(&o, &kind_small);
    assert_int_equal(s->ops->put(s, &o, NULL), -EINVAL); /* without an id */
    commit(s);
}

int main(void)
{
#define BOTH(test)                                                                                 \
    {#test " (fake)", test, open_fake, done, NULL},                                                \
    {                                                                                              \
#test " (sqlite)", test, open_sqlite, done, NULL                                           \
    }
    const struct CMUnitTest tests[] = {
        BOTH(test_put_and_get),
        BOTH(test_remove),
        BOTH(test_transactions),
        BOTH(test_order),
        BOTH(test_filters),
        BOTH(test_markers),
        BOTH(test_each_ends_the_list),
        BOTH(test_lists_nest),
        BOTH(test_pages_are_stable),
        BOTH(test_events),
        BOTH(test_unknown_kind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

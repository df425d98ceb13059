/* SPDX-License-Identifier: Apache-2.0
 *
 * Both stores side by side, through changes and questions by chance: what one answers the other
 * answers, too. FARSPAN_STORE_SEED tells one story again.
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

enum {
    STORIES = 12,
    STEPS = 1500,
    NUMBERS = 60, /* objects that there may be */
};

struct pair {
    struct store *one, *other;
    uint64_t seed;
    bool under_way;
};

static const char *word(struct pair *p, const char *const *words, unsigned n)
{
    return words[chance(&p->seed) % n];
}

static const char *const owners[] = {"", "a", "b", "B", "\xc3\xa9", "'", "%"};
static const char *const projects[] = {"p", "q", ""};

static void any_object(struct pair *p, struct object *o)
{
    int64_t rank = (int64_t)(chance(&p->seed) % 7) - 3;
    test_object(o, 1 + chance(&p->seed) % NUMBERS, word(p, projects, ARRAY_SIZE(projects)),
                word(p, owners, ARRAY_SIZE(owners)), rank == 3 ? TEST_NULL : rank);
    if (chance(&p->seed) % 4 == 0) {
        object_set_null(o, chance(&p->seed) % 2 ? FIELD_OF_OWNER : FIELD_OF_CREATED);
    }
    if (chance(&p->seed) % 2) {
        object_set_int(o, SMALL_WHEN, chance(&p->seed) % 3 ? 0 : INT64_MIN);
    }
}

/* ---- changes ---- */

static void change(struct pair *p)
{
    struct object o;
    any_object(p, &o);
    if (chance(&p->seed) % 3) {
        int r = p->one->ops->put(p->one, &o, NULL);
        assert_int_equal(p->other->ops->put(p->other, &o, NULL), r);
    } else {
        const char *id = o.v[FIELD_OF_ID].text;
        int r = p->one->ops->remove(p->one, &kind_small, id, NULL);
        assert_int_equal(p->other->ops->remove(p->other, &kind_small, id, NULL), r);
    }
    object_done(&o);
}

static void change_events(struct pair *p)
{
    struct store_event e = {.time_ns = chance(&p->seed) % 100};
    snprintf(e.words, sizeof(e.words), "%" PRId64, e.time_ns);
    if (chance(&p->seed) % 5 == 0) {
        e.number = chance(&p->seed) % 200;
    }
    if (chance(&p->seed) % 20 == 0) {
        int r = p->one->ops->trim_events(p->one, 50, NULL);
        assert_int_equal(p->other->ops->trim_events(p->other, 50, NULL), r);
        return;
    }
    int r = p->one->ops->add_event(p->one, &e, NULL);
    assert_int_equal(p->other->ops->add_event(p->other, &e, NULL), r);
}

static void transact(struct pair *p)
{
    int r;
    if (p->under_way && chance(&p->seed) % 3 == 0) {
        p->one->ops->rollback(p->one);
        p->other->ops->rollback(p->other);
        p->under_way = false;
    } else if (p->under_way) {
        r = p->one->ops->commit(p->one, NULL);
        assert_int_equal(p->other->ops->commit(p->other, NULL), r);
        p->under_way = false;
    } else {
        r = p->one->ops->begin(p->one, NULL);
        assert_int_equal(p->other->ops->begin(p->other, NULL), r);
        p->under_way = true;
    }
}

/* ---- questions ---- */

/* Everything that a list says, in one text. */
struct answer {
    char text[1 << 14];
    size_t n;
    unsigned rows, most;
};

static int write_down(void *user, const struct object *o)
{
    struct answer *a = user;
    for (size_t i = 0; i < o->kind->n; i++) {
        const struct value *v = &o->v[i];
        a->n += (size_t)snprintf(a->text + a->n, sizeof(a->text) - a->n, "%d%s%" PRId64 " ", v->set,
                                 v->text ? v->text : "", v->n);
        assert_true(a->n < sizeof(a->text));
    }
    return ++a->rows == a->most ? -ECANCELED : 0;
}

static int write_event(void *user, const struct store_event *e)
{
    struct answer *a = user;
    a->n += (size_t)snprintf(a->text + a->n, sizeof(a->text) - a->n, "%" PRIu64 ":%s ", e->number,
                             e->words);
    assert_true(a->n < sizeof(a->text));
    return ++a->rows == a->most ? -ECANCELED : 0;
}

static void ask_list(struct pair *p)
{
    static const unsigned sorts[] = {FIELD_OF_ID, FIELD_OF_OWNER, FIELD_OF_CREATED, SMALL_RANK,
                                     SMALL_WHEN};
    static const unsigned by[] = {FIELD_OF_PROJECT, FIELD_OF_OWNER, SMALL_RANK};
    static struct answer one, other;
    struct object like, at;
    uint64_t n = 0, m = 1;
    any_object(p, &like);
    any_object(p, &at);
    struct store_query q = {.sort = sorts[chance(&p->seed) % ARRAY_SIZE(sorts)],
                            .down = chance(&p->seed) % 2};
    q.limit = chance(&p->seed) % 2 ? chance(&p->seed) % 9 : 0;
    for (unsigned i = 0; i < ARRAY_SIZE(by); i++) {
        if (chance(&p->seed) % 4 == 0) {
            q.filter[q.n_filters++] = (struct store_filter){by[i], &like.v[by[i]]};
        }
    }
    if (chance(&p->seed) % 2) {
        q.marker_id = at.v[FIELD_OF_ID].text;
        q.marker_value = &at.v[q.sort];
    }
    one.n = other.n = one.rows = other.rows = 0;
    one.most = other.most = chance(&p->seed) % 5 ? 0 : 3;
    one.text[0] = other.text[0] = '\0';
    int r = p->one->ops->list(p->one, &kind_small, &q, write_down, &one, NULL);
    assert_int_equal(p->other->ops->list(p->other, &kind_small, &q, write_down, &other, NULL), r);
    assert_string_equal(one.text, other.text);
    assert_int_equal(p->one->ops->count(p->one, &kind_small, &q, &n, NULL), 0);
    assert_int_equal(p->other->ops->count(p->other, &kind_small, &q, &m, NULL), 0);
    assert_int_equal(n, m);
    object_done(&like);
    object_done(&at);
}

static void ask_events(struct pair *p)
{
    static struct answer one, other;
    const uint64_t behind = chance(&p->seed) % 50;
    const unsigned most = chance(&p->seed) % 40;
    uint64_t a = 0, b = 0, c = 1, d = 1;
    one.n = other.n = one.rows = other.rows = 0;
    one.most = other.most = chance(&p->seed) % 5 ? 0 : 3;
    one.text[0] = other.text[0] = '\0';
    int r = p->one->ops->events(p->one, behind, most, write_event, &one, NULL);
    assert_int_equal(p->other->ops->events(p->other, behind, most, write_event, &other, NULL), r);
    assert_string_equal(one.text, other.text);
    assert_int_equal(p->one->ops->event_range(p->one, &a, &b, NULL), 0);
    assert_int_equal(p->other->ops->event_range(p->other, &c, &d, NULL), 0);
    assert_true(a == c && b == d);
}

static void ask_one(struct pair *p)
{
    char id[KIND_ID];
    struct object one, other;
    test_id(1 + chance(&p->seed) % NUMBERS, id);
    int r = p->one->ops->get(p->one, &kind_small, id, &one, NULL);
    assert_int_equal(p->other->ops->get(p->other, &kind_small, id, &other, NULL), r);
    for (size_t i = 0; r == 0 && i < kind_small.n; i++) {
        assert_int_equal(value_compare(&kind_small.field[i], &one.v[i], &other.v[i]), 0);
    }
    if (r == 0) {
        object_done(&one);
        object_done(&other);
    }
}

static void step(struct pair *p)
{
    const unsigned what = chance(&p->seed) % 20;
    if (what < 10) {
        change(p);
    } else if (what < 12) {
        change_events(p);
    } else if (what < 14) {
        transact(p);
    } else if (what < 17) {
        ask_list(p);
    } else if (what < 18) {
        ask_events(p);
    } else {
        ask_one(p);
    }
}

static void tell(uint64_t seed)
{
    const struct store_conf conf = {store_test_kinds, 2, 0};
    struct pair p = {.seed = seed};
    struct scratch scratch;
    char aside[64];
    print_message("FARSPAN_STORE_SEED=%" PRIu64 "\n", seed);
    assert_int_equal(scratch_make(&scratch), 0);
    assert_int_equal(store_sqlite_open(scratch.path, &conf, &p.one, aside, NULL), 0);
    assert_int_equal(store_fake_new(&conf, &p.other), 0);
    for (unsigned i = 0; i < STEPS; i++) {
        step(&p);
    }
    store_free(p.one);
    store_free(p.other);
    scratch_remove(&scratch);
}

static void test_stories(void **state)
{
    const char *seed = getenv("FARSPAN_STORE_SEED");
    (void)state;
    for (uint64_t i = 1; i <= STORIES && !seed; i++) {
        tell(i);
    }
    if (seed) {
        tell(strtoull(seed, NULL, 10));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_stories)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

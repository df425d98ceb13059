/* SPDX-License-Identifier: Apache-2.0
 *
 * The plan against a peer behind a path that loses, doubles and delays, and that dies and comes
 * back with nothing or with some other set: both agree in the end, and then nothing is told.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "model/plan.h"

#define SECOND INT64_C(1000000000)

enum {
    SET = 6,         /* things that there are */
    ON_THE_WAY = 64, /* messages at most */
    ROUNDS = 400,
    TICK_MS = 100,
};

struct message {
    bool used, back; /* back: an acknowledgment */
    unsigned session;
    struct mono at;
    uint64_t generation;
    size_t place, n;
    struct plan_item item;
};

/* One that carries out sets, and the path to it. */
struct world {
    uint64_t seed;
    struct mono now;
    struct plan plan;
    struct message message[ON_THE_WAY];
    bool bad; /* the path */
    unsigned session, told;
    /* of the peer */
    struct plan_item has[PLAN_MAX], part[PLAN_MAX];
    bool came[PLAN_MAX];
    size_t n_has, n_part;
    uint64_t collects;
};

static uint64_t chance(struct world *w, uint64_t below)
{
    w->seed = w->seed * 6364136223846793005u + 1442695040888963407u;
    return (w->seed >> 33) % below;
}

static void put(struct world *w, const struct message *m)
{
    unsigned copies = w->bad ? (unsigned)chance(w, 3) : 1;
    for (size_t i = 0; copies > 0 && i < ON_THE_WAY; i++) {
        if (!w->message[i].used) {
            w->message[i] = *m;
            w->message[i].used = true;
            w->message[i].session = w->session;
            w->message[i].at = mono_add_ms(w->now, (int64_t)(w->bad ? chance(w, 12000) : 1));
            copies--;
        }
    }
}

static void tell(struct world *w)
{
    const struct plan *p = &w->plan;
    struct message m = {.generation = p->generation, .n = p->n};
    w->told++;
    for (m.place = 0; m.place < p->n || (p->n == 0 && m.place == 0); m.place++) {
        m.item = p->item[m.place];
        put(w, &m);
    }
    plan_told(&w->plan, w->now);
}

/* The peer's half, as WANT is defined: a set applies when all of it has come, and in a session none
 * that is older than one that was seen. */
static void hear(struct world *w, const struct message *m)
{
    size_t there = 0;
    if (m->generation < w->collects) {
        return; /* it is late */
    }
    if (m->generation != w->collects || m->n != w->n_part) {
        memset(w->came, 0, sizeof(w->came));
        w->collects = m->generation;
        w->n_part = m->n;
    }
    w->part[m->place] = m->item;
    w->came[m->place] = true;
    while (there < m->n && w->came[there]) {
        there++;
    }
    if (there == m->n) {
        memcpy(w->has, w->part, sizeof(w->has));
        w->n_has = m->n;
        put(w, &(struct message){.back = true, .generation = m->generation});
    }
}

static void deliver(struct world *w)
{
    for (size_t i = 0; i < ON_THE_WAY; i++) {
        const struct message m = w->message[i];
        if (!m.used || !mono_due(w->now, m.at)) {
            continue;
        }
        w->message[i].used = false;
        if (m.session != w->session) {
            continue; /* its socket is gone */
        }
        if (m.back) {
            plan_acknowledged(&w->plan, m.generation);
        } else {
            hear(w, &m);
        }
    }
}

static void begin_session(struct world *w)
{
    w->session++;
    w->collects = 0;
    w->n_has = chance(w, SET);
    for (size_t i = 0; i < w->n_has; i++) { /* any state */
        w->has[i] = (struct plan_item){.id = {(uint8_t)i}, .version = chance(w, 3)};
    }
    plan_session(&w->plan, w->now);
}

static void want_some(struct world *w)
{
    struct plan_item some[SET];
    size_t n = 0;
    for (unsigned i = SET; i > 0; i--) {
        if (chance(w, 2)) {
            some[n++] = (struct plan_item){.id = {(uint8_t)i}, .version = chance(w, 3)};
        }
    }
    assert_true(plan_want(&w->plan, some, n, w->now) >= 0);
}

static void step(struct world *w)
{
    w->now = mono_add_ms(w->now, TICK_MS);
    deliver(w);
    if (plan_due(&w->plan, w->now)) {
        tell(w);
    }
}

static bool agree(const struct world *w)
{
    return w->n_has == w->plan.n && memcmp(w->has, w->plan.item, w->n_has * sizeof(w->has[0])) == 0;
}

static void it_converges_and_then_does_nothing(void **state)
{
    (void)state;
    static struct world w;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        w = (struct world){.seed = seed, .now = {1000}, .bad = true};
        plan_init(&w.plan, 1 + chance(&w, 1000));
        for (unsigned i = 0; i < ROUNDS; i++) {
            if (chance(&w, 20) == 0) {
                want_some(&w);
            }
            if (chance(&w, 60) == 0) {
                plan_lost(&w.plan);
            }
            if (!w.plan.session && chance(&w, 10) == 0) {
                begin_session(&w);
            }
            step(&w);
        }
        w.bad = false;
        if (!w.plan.session) {
            begin_session(&w);
        }
        /* A late message comes within 12 s, and the next repetition within 8 s of that. */
        for (unsigned i = 0; i < 21000 / TICK_MS; i++) {
            step(&w);
        }
        assert_true(plan_is_done(&w.plan));
        assert_true(agree(&w));
        w.told = 0;
        for (unsigned i = 0; i < ROUNDS; i++) {
            step(&w);
        }
        assert_int_equal(w.told, 0);
        assert_true(agree(&w));
    }
}

static void it_is_told_again_later_and_later(void **state)
{
    (void)state;
    static struct plan p;
    const struct plan_item one = {.id = {1}, .version = 1};
    int64_t at = 0;
    plan_init(&p, 7);
    assert_int_equal(plan_want(&p, &one, 1, (struct mono){0}), 1);
    assert_int_equal(p.generation, 8);
    assert_false(plan_due(&p, (struct mono){INT64_MAX})); /* nobody is there */
    plan_session(&p, (struct mono){0});
    assert_true(plan_due(&p, (struct mono){1}));
    static const int64_t after_ms[] = {1000, 2000, 4000, 8000, 8000};
    for (size_t i = 0; i < ARRAY_SIZE(after_ms); i++) {
        plan_told(&p, (struct mono){at});
        at += after_ms[i] * NSEC_PER_MSEC;
        assert_false(plan_due(&p, (struct mono){at - 1}));
        assert_true(plan_due(&p, (struct mono){at}));
    }
    plan_acknowledged(&p, 7);
    assert_true(plan_due(&p, (struct mono){at}));
    plan_acknowledged(&p, 8);
    assert_false(plan_due(&p, (struct mono){INT64_MAX}));
    assert_int_equal(plan_want(&p, &one, 1, (struct mono){at}), 0);
    assert_false(plan_due(&p, (struct mono){INT64_MAX}));
    assert_int_equal(plan_want(&p, NULL, 0, (struct mono){at}), 1);
    assert_true(plan_due(&p, (struct mono){at}));
    plan_lost(&p);
    plan_acknowledged(&p, p.generation);
    assert_false(plan_is_done(&p));
}

static void a_new_session_knows_nothing(void **state)
{
    (void)state;
    static struct plan p;
    plan_init(&p, 7);
    for (unsigned i = 0; i < 2; i++) { /* also where nobody saw the end of the one before */
        plan_session(&p, (struct mono){SECOND});
        plan_acknowledged(&p, 7);
        assert_true(plan_is_done(&p));
        if (i == 0) {
            plan_lost(&p);
        }
        plan_session(&p, (struct mono){SECOND});
        assert_false(plan_is_done(&p));
        assert_true(plan_due(&p, (struct mono){SECOND}));
        plan_told(&p, (struct mono){SECOND});
        assert_false(plan_due(&p, (struct mono){SECOND}));
        assert_true(plan_due(&p, (struct mono){2 * SECOND})); /* it was lost */
    }
}

static void order_means_nothing_and_too_many_are_refused(void **state)
{
    (void)state;
    static struct plan p;
    static struct plan_item many[PLAN_MAX + 1];
    const struct plan_item a[] = {{.id = {2}, .version = 1}, {.id = {1}, .version = 2}};
    const struct plan_item b[] = {{.id = {1}, .version = 2}, {.id = {2}, .version = 1}};
    const struct plan_item c[] = {{.id = {1}, .version = 1}, {.id = {2}, .version = 2}};
    plan_init(&p, 1);
    assert_int_equal(plan_want(&p, a, 2, (struct mono){1}), 1);
    assert_int_equal(plan_want(&p, b, 2, (struct mono){1}), 0);
    assert_int_equal(plan_want(&p, many, PLAN_MAX + 1, (struct mono){1}), -E2BIG);
    assert_int_equal(p.n, 2);
    assert_int_equal(plan_want(&p, c, 2, (struct mono){1}), 1);
    p.generation = UINT64_MAX;
    assert_int_equal(plan_want(&p, b, 2, (struct mono){1}), 1);
    assert_int_equal(p.generation, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_converges_and_then_does_nothing),
        cmocka_unit_test(it_is_told_again_later_and_later),
        cmocka_unit_test(a_new_session_knows_nothing),
        cmocka_unit_test(order_means_nothing_and_too_many_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

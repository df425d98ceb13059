/* SPDX-License-Identifier: Apache-2.0
 *
 * The model of a tap's clock, over made-up paths and clocks: thousands of stories by seed, in which
 * the truth is known. Whatever the path, drift and the steps of both clocks do, the estimate is
 * never further from the truth than its bound.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "model/clock.h"

enum {
    STORIES = 3000,
    STORY_S = 90,
    UNDER_WAY = 64,
    ECHOES = 8,
};

#define MS NSEC_PER_MSEC

/* A REPORT under way; `number`: of ours. */
struct report {
    int64_t due, left;
    bool to_tap;
    unsigned number;
    struct clock_exchange e;
};

static struct story {
    uint64_t seed, random;
    struct clock_model model;
    int64_t now; /* the true time: our monotonic clock */
    /* The tap's monotonic clock at `turned`, and its gain since, in parts of 10^9. */
    int64_t steady, turned, gain;
    int64_t ahead, ours; /* the wall clocks less the monotonic ones */
    int64_t stepped;     /* when the tap's was last set */
    int64_t newest_left; /* when the newest REPORT that was taken had left */
    bool old_end;        /* the tap tells no monotonic clock */
    int64_t delay[2], jitter[2];
    unsigned loss; /* of a hundred */
    struct report way[UNDER_WAY];
    unsigned n_way, numbers, echoed;
    int64_t sent[ECHOES], heard; /* our REPORTs, when the newest came to the tap */
    unsigned checks, jumps, steps;
} s;

static uint32_t draw(uint32_t n)
{
    s.random = s.random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(s.random >> 33) % n;
}

/* ---- the clocks ---- */

static int64_t tap_steady(int64_t at)
{
    const int64_t since = at - s.turned;
    return s.steady + since + since / 1000000 * s.gain / 1000;
}

static void turn(int64_t gain)
{
    s.steady = tap_steady(s.now);
    s.turned = s.now;
    s.gain = gain;
}

static int64_t true_offset(void)
{
    return tap_steady(s.now) + s.ahead - s.now - s.ours;
}

/* ---- the path ---- */

static void put(const struct report *r)
{
    const int64_t jitter = s.jitter[r->to_tap];
    if (s.n_way == UNDER_WAY || draw(100) < s.loss) {
        return;
    }
    s.way[s.n_way] = *r;
    s.way[s.n_way++].due =
        s.now + s.delay[r->to_tap] + (jitter ? (int64_t)draw((uint32_t)(jitter / 1000)) * 1000 : 0);
}

static void we_send(void)
{
    s.sent[++s.numbers % ECHOES] = s.now - draw(50000); /* read some time before it leaves */
    put(&(struct report){.to_tap = true, .number = s.numbers});
}

static void tap_sends(void)
{
    struct report r = {.left = s.now, .number = s.echoed};
    if (s.echoed == 0) {
        return;
    }
    r.e.held = (uint64_t)(tap_steady(s.now) - tap_steady(s.heard));
    r.e.steady = s.old_end ? 0 : tap_steady(s.now);
    r.e.wall = tap_steady(s.now) + s.ahead + draw(CLOCK_PAIR_NS);
    put(&r);
}

static void arrive(const struct report *r)
{
    int64_t by = 0;
    if (r->to_tap) {
        s.echoed = r->number;
        s.heard = s.now;
        return;
    }
    if (s.numbers - r->number >= ECHOES) {
        return;
    }
    struct clock_exchange e = r->e;
    e.sent.ns = s.sent[r->number % ECHOES];
    e.came.ns = s.now;
    const enum clock_news news = clock_model_take(&s.model, &e, &by);
    s.newest_left = news == CLOCK_USELESS ? s.newest_left : r->left;
    s.jumps += news == CLOCK_JUMPED;
    assert_true(news != CLOCK_JUMPED || s.steps > 0); /* none that nobody set */
}

/* ---- the judge ---- */

static void judge(void)
{
    struct clock_estimate c;
    const int64_t ahead = s.ours + draw(CLOCK_PAIR_NS);
    if (!clock_model_estimate(&s.model, (struct mono){s.now}, ahead, &c) ||
        s.stepped >= s.newest_left) {
        return; /* the tap has not told yet that its clock was set */
    }
    const int64_t wrong = llabs(c.offset - true_offset());
    if (wrong > c.bound) {
        fail_msg("seed %llu at %.3f s: wrong by %.3f ms, and the bound is %.3f ms",
                 (unsigned long long)s.seed, (double)s.now / 1e9, (double)wrong / 1e6,
                 (double)c.bound / 1e6);
    }
    s.checks++;
}

static void pass_to(int64_t end)
{
    while (s.now < end) {
        unsigned first = s.n_way;
        for (unsigned i = 0; i < s.n_way; i++) {
            first = first == s.n_way || s.way[i].due < s.way[first].due ? i : first;
        }
        if (first == s.n_way || s.way[first].due > end) {
            s.now = end;
        } else {
            const struct report r = s.way[first];
            s.way[first] = s.way[--s.n_way];
            s.now = MAX(r.due, s.now);
            arrive(&r);
        }
        judge();
    }
}

/* ---- the stories ---- */

static int64_t some_step(void)
{
    static const int64_t most[] = {100000, 5 * MS, 500 * MS, 3600 * NSEC_PER_SEC};
    const int64_t n = most[draw(4)];
    return (int64_t)(draw(1u << 30) / (double)(1u << 29) * (double)n) - n;
}

static void something_happens(void)
{
    const unsigned what = draw(100);
    if (what < 3) {
        s.ahead += some_step();
        s.stepped = s.now;
        s.steps++;
    } else if (what < 5) {
        s.ours += some_step();
    } else if (what < 8) {
        turn((int64_t)draw(1198000) - 599000);
    } else if (what < 14) {
        for (unsigned i = 0; i < 2; i++) { /* lopsided */
            s.delay[i] = draw(2) ? draw(200) * 1000 : (int64_t)draw(400000) * 1000;
            s.jitter[i] = draw(2) ? 0 : (int64_t)draw(2000) * MS + MS;
        }
    } else if (what < 17) {
        s.loss = draw(2) ? 0 : draw(95);
    }
}

static void tell(uint64_t seed, bool old_end)
{
    s = (struct story){.seed = seed, .random = seed * 977 + old_end, .old_end = old_end};
    s.now = 1000 * NSEC_PER_SEC;
    s.steady = (int64_t)draw(1u << 30) * 1000;
    s.turned = s.now;
    s.gain = (int64_t)draw(1198000) - 599000;
    s.ours = 1700000000 * NSEC_PER_SEC;
    s.ahead = s.ours + some_step();
    s.delay[0] = s.delay[1] = 100000;
    for (unsigned i = 0; i < STORY_S; i++) {
        const int64_t second = s.now;
        pass_to(second + draw(300) * MS);
        we_send();
        pass_to(second + (300 + draw(300)) * MS);
        tap_sends();
        pass_to(second + (600 + draw(400)) * MS);
        something_happens();
    }
}

static void the_bound_always_holds(void **state)
{
    (void)state;
    unsigned checks = 0, jumps = 0;
    for (uint64_t seed = 1; seed <= STORIES; seed++) {
        tell(seed, false);
        checks += s.checks;
        jumps += s.jumps;
    }
    assert_in_range(checks, STORIES * 100, UINT32_MAX);
    assert_in_range(jumps, STORIES / 4, UINT32_MAX);
}

/* Steps that it cannot tell from jitter do not make the bound of an old end's clock wrong. */
static void of_old_ends_too(void **state)
{
    (void)state;
    unsigned checks = 0;
    for (uint64_t seed = 1; seed <= STORIES / 3; seed++) {
        tell(seed, true);
        checks += s.checks;
    }
    assert_in_range(checks, STORIES, UINT32_MAX);
}

/* ---- by hand ---- */

/* An exchange at that second: so many ms each way, and the tap's clock so many ns ahead. */
static struct clock_exchange exchange(int64_t second, int64_t there_us, int64_t back_us,
                                      int64_t ahead)
{
    const int64_t sent = second * NSEC_PER_SEC, held = 300 * MS;
    const int64_t left = sent + there_us * 1000 + held;
    return (struct clock_exchange){.sent = {sent},
                                   .came = {left + back_us * 1000},
                                   .held = (uint64_t)held,
                                   .wall = left + ahead,
                                   .steady = left};
}

static void a_lopsided_path(void **state)
{
    (void)state;
    struct clock_model m = {0};
    struct clock_estimate c;
    int64_t by = 0;
    struct clock_exchange e = exchange(10, 100, 80000, 0); /* the worst: all of it one way */
    assert_false(clock_model_estimate(&m, e.came, 0, &c));
    assert_int_equal(clock_model_take(&m, &e, &by), CLOCK_TAKEN);
    assert_true(clock_model_estimate(&m, e.came, 0, &c));
    assert_in_range(-c.offset, 39 * MS, 40 * MS); /* middle: wrong by as much as it may be */
    assert_in_range(c.bound, 40 * MS, 40 * MS + 400000);
    e = exchange(11, 100, 100, 0); /* one good round trip is enough, … */
    assert_int_equal(clock_model_take(&m, &e, &by), CLOCK_TAKEN);
    assert_true(clock_model_estimate(&m, e.came, 0, &c));
    assert_in_range(c.bound, 100000, 400000);
    e = exchange(40, 100, 80000, 0); /* … for the next while */
    assert_int_equal(clock_model_take(&m, &e, &by), CLOCK_TAKEN);
    assert_true(clock_model_estimate(&m, e.came, 0, &c));
    assert_in_range(c.bound, 30 * INT64_C(600) * 250, 30 * INT64_C(600) * 1000 + 400000);
}

static void a_step_is_a_jump(void **state)
{
    (void)state;
    struct clock_model m = {0};
    struct clock_estimate c;
    int64_t by = 0;
    struct clock_exchange e = exchange(10, 10000, 10000, 0);
    assert_int_equal(clock_model_take(&m, &e, &by), CLOCK_TAKEN);
    e = exchange(11, 10000, 10000, 3 * MS); /* less than the bound, and known exactly */
    assert_int_equal(clock_model_take(&m, &e, &by), CLOCK_JUMPED);
    assert_int_equal(by, 3 * MS);
    e = exchange(12, 10000, 10000, 3 * MS);
    assert_int_equal(clock_model_take(&m, &e, &by), CLOCK_TAKEN);
    assert_true(clock_model_estimate(&m, e.came, 0, &c));
    assert_in_range(llabs(c.offset - 3 * MS), 0, c.bound);
    assert_true(clock_model_estimate(&m, e.came, -7 * MS, &c)); /* and our own, at once */
    assert_in_range(llabs(c.offset - 10 * MS), 0, c.bound);
    e.steady += 50 * MS; /* clocks that cannot have gone so */
    e.wall += 50 * MS;
    assert_int_equal(clock_model_take(&m, &e, &by), CLOCK_JUMPED);
    assert_in_range(by, 45 * MS, 55 * MS);
}

static void what_cannot_be(void **state)
{
    (void)state;
    struct clock_model m = {0};
    int64_t by = 0;
    struct clock_exchange e = exchange(10, 100, 100, 0), bad = e;
    bad.held = (uint64_t)(mono_diff(e.came, e.sent) + MS); /* longer than the whole */
    assert_int_equal(clock_model_take(&m, &bad, &by), CLOCK_USELESS);
    bad.held = UINT64_MAX;
    assert_int_equal(clock_model_take(&m, &bad, &by), CLOCK_USELESS);
    bad = e;
    bad.wall = INT64_MIN;
    assert_int_equal(clock_model_take(&m, &bad, &by), CLOCK_USELESS);
    bad = e;
    bad.steady = INT64_MAX;
    assert_int_equal(clock_model_take(&m, &bad, &by), CLOCK_USELESS);
    bad = e;
    bad.sent.ns = 0; /* nobody knows of it */
    assert_int_equal(clock_model_take(&m, &bad, &by), CLOCK_USELESS);
    clock_model_forget(&m, (struct mono){e.sent.ns + 1});
    assert_int_equal(clock_model_take(&m, &e, &by), CLOCK_USELESS); /* it began before that */
    e = exchange(11, 100, 100, 0);
    assert_int_equal(clock_model_take(&m, &e, &by), CLOCK_TAKEN);
    e = exchange(12, 100, 100, 0);
    assert_int_equal(clock_model_take(&m, &e, &by), CLOCK_TAKEN);
    bad = exchange(11, 100, 1900000, -NSEC_PER_SEC); /* was under way for longer than the newer */
    assert_int_equal(clock_model_take(&m, &bad, &by), CLOCK_USELESS);
}

/* 80 ppm over four minutes, and over a path that is good now and then. */
static void drift_is_measured(void **state)
{
    (void)state;
    struct clock_model m = {0};
    struct clock_estimate c = {0};
    int64_t by = 0;
    for (int64_t i = 0; i < 240; i++) {
        struct clock_exchange e = exchange(10 + i, i % 7 ? 30000 : 200, 200, 0);
        const int64_t gained = (int64_t)e.came.ns / 1000000 * 80;
        e.steady += gained;
        e.wall += gained + i * 1000; /* a step of the wall clock is no drift */
        assert_int_equal(clock_model_take(&m, &e, &by), CLOCK_TAKEN);
        assert_true(clock_model_estimate(&m, e.came, 0, &c));
        assert_true(!c.drifts ||
                    (c.drift - c.drift_bound < 80.0 && c.drift + c.drift_bound > 80.0));
    }
    assert_true(c.drifts);
    assert_true(c.drift_bound < 20.0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lopsided_path),        cmocka_unit_test(a_step_is_a_jump),
        cmocka_unit_test(what_cannot_be),         cmocka_unit_test(drift_is_measured),
        cmocka_unit_test(the_bound_always_holds), cmocka_unit_test(of_old_ends_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

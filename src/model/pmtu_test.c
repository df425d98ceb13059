/* SPDX-License-Identifier: Apache-2.0
 *
 * The search against simulated paths: widths, losses and delays, with the time made up.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "model/pmtu.h"

enum {
    FLIGHT = 64,
    TINY = 60, /* a companion, as an IP packet */
};

/* A path, and answers that are under way back. */
struct path {
    uint32_t width;  /* of the path: what is wider vanishes without a word */
    uint32_t device; /* of the first hop: what is wider is refused */
    unsigned loss;   /* of a hundred, in each direction */
    int64_t rtt_ms;
    bool dead;
    uint32_t random;
    struct {
        struct mono at;
        uint32_t token, size;
    } flight[FLIGHT];
    unsigned n;
    unsigned probes, fails, found; /* what the machine has asked for */
    uint32_t smallest, largest;    /* sizes that data was allowed to have, of late */
};

static const struct mono t0 = {1000 * NSEC_PER_SEC};

static bool lost(struct path *w)
{
    w->random = w->random * 1664525u + 1013904223u;
    return (w->random >> 16) % 100 < w->loss;
}

static void packet(struct path *w, uint32_t token, uint32_t size, struct mono now)
{
    if (w->dead || size > w->width || lost(w) || lost(w) || w->n == FLIGHT) {
        return;
    }
    w->flight[w->n].at = mono_add_ms(now, w->rtt_ms);
    w->flight[w->n].token = token;
    w->flight[w->n++].size = size;
}

static void act(struct path *w, struct pmtu *p, unsigned actions, struct mono now)
{
    while (actions) {
        if (actions & PMTU_DO_SIZE) {
            w->smallest = MIN(w->smallest, p->size);
            w->largest = MAX(w->largest, p->size);
        }
        w->fails += actions & PMTU_DO_FAIL ? 1 : 0;
        w->found += actions & PMTU_DO_FOUND ? 1 : 0;
        if (!(actions & PMTU_DO_PROBE)) {
            return;
        }
        assert_in_range(p->probe, p->min, p->max);
        if (p->probe > w->device) {
            actions = pmtu_step(p, PMTU_REFUSED, now);
            continue;
        }
        w->probes++;
        packet(w, p->token, p->probe, now);
        packet(w, p->token + 1, TINY, now);
        return;
    }
}

static void deliver(struct path *w, struct pmtu *p, struct mono now)
{
    for (unsigned i = 0; i < w->n;) {
        if (!mono_due(now, w->flight[i].at)) {
            i++;
            continue;
        }
        __auto_type f = w->flight[i];
        w->flight[i] = w->flight[--w->n];
        act(w, p, pmtu_acked(p, f.token, f.size, now), now);
    }
}

/* Runs until the search is over or the time is up; gives the milliseconds that it took. */
static int64_t run(struct path *w, struct pmtu *p, struct mono *now, int64_t ms, bool until_found)
{
    unsigned found = w->found;
    w->smallest = w->largest = p->size;
    for (int64_t i = 0; i < ms; i++) {
        *now = mono_add_ms(*now, 1);
        deliver(w, p, *now);
        act(w, p, pmtu_step(p, PMTU_TICK, *now), *now);
        assert_true(p->size >= p->min && p->size <= p->max);
        if (until_found && w->found > found) {
            return i + 1;
        }
    }
    return ms;
}

static struct path path_of(uint32_t width, uint32_t device)
{
    return (struct path){.width = width, .device = device, .rtt_ms = 20, .random = width};
}

static void start(struct path *w, struct pmtu *p, uint32_t min, uint32_t max, struct mono now)
{
    *p = (struct pmtu){0};
    act(w, p, pmtu_start(p, min, max, (int)w->device, now), now);
}

/* How long an answer is waited for: by the slowest of late, within limits. */
static void the_timer_follows_round_trips(void **state)
{
    (void)state;
    static const struct {
        int64_t rtt_ms, smoothed_us, timer_ms;
    } steps[] = {
        {10, 10000, 200},    {100, 100000, 400},    {20, 90000, 360},   {90, 90000, 360},
        {400, 400000, 1600}, {2000, 2000000, 5000}, {0, 1750000, 5000},
    };
    struct pmtu p = {0};
    struct mono now = t0;
    assert_true(pmtu_start(&p, PMTU_MIN_V4, 0, 0, now) & PMTU_DO_PROBE);
    assert_int_equal(mono_diff(p.deadline, now), PMTU_TIMER_MS * NSEC_PER_MSEC);
    for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
        now = mono_add_ms(now, steps[i].rtt_ms);
        assert_int_equal(pmtu_acked(&p, p.token + 1, TINY, now), 0);
        assert_in_range(p.rtt_ns, steps[i].smoothed_us * 1000, steps[i].smoothed_us * 1000 + 1);
        uint32_t size = p.probe;
        unsigned actions = pmtu_acked(&p, p.token, size, now); /* the next size is asked for */
        assert_int_equal(actions, PMTU_DO_SIZE | PMTU_DO_PROBE);
        assert_true(p.probe > size && p.size == size);
        assert_in_range(mono_diff(p.deadline, now), steps[i].timer_ms * NSEC_PER_MSEC,
                        steps[i].timer_ms * NSEC_PER_MSEC + 4);
    }
}

/* An answer that says no more than is known changes no size, and what says the same says it again.
 */
static void late_answers(void **state)
{
    (void)state;
    struct path w = path_of(1500, 1500);
    struct pmtu p;
    struct mono now = t0;
    start(&w, &p, PMTU_MIN_V4, 0, now);
    run(&w, &p, &now, 60000, true);
    assert_int_equal(p.size, 1500);
    assert_int_equal(pmtu_acked(&p, p.token, 1499, now), 0);
    assert_int_equal(p.size, 1500);
    assert_int_equal(pmtu_acked(&p, p.token, 1500, now), PMTU_DO_SIZE);
    assert_int_equal(pmtu_acked(&p, p.token, 1501, now), PMTU_DO_SIZE);
    assert_int_equal(p.size, 1501);
    assert_int_equal(pmtu_acked(&p, p.token, PMTU_MAX + 1, now), 0);
    assert_int_equal(pmtu_acked(&p, p.token, PMTU_MIN_V4 - 1, now), 0);
}

/* The kernel knows of a wider path: that is looked at once, where there is room, at rest. */
static void the_kernel_says_wider(void **state)
{
    (void)state;
    struct path w = path_of(1400, 1400);
    struct pmtu p;
    struct mono now = t0;
    start(&w, &p, PMTU_MIN_V4, 0, now);
    run(&w, &p, &now, 60000, true);
    assert_int_equal(p.state, PMTU_COMPLETE);
    struct pmtu narrow = p, busy = p, full = p;
    assert_int_equal(pmtu_kernel(&p, 1400, now), 0); /* nothing new */
    assert_int_equal(pmtu_kernel(&p, 1500, now), PMTU_DO_PROBE);
    assert_int_equal(p.probe, 1500);
    assert_int_equal(p.state, PMTU_SEARCH);
    assert_int_equal(pmtu_kernel(&narrow, 1399, now), PMTU_DO_PROBE); /* is that so? */
    assert_int_equal(narrow.probe, 1400);
    busy.probe = 1400;
    assert_int_equal(pmtu_kernel(&busy, 1500, now), 0);
    full.max = full.size;
    assert_int_equal(pmtu_kernel(&full, 1500, now), 0);
}

static void the_usual_sizes_in_a_few_probes(void **state)
{
    (void)state;
    static const struct {
        uint32_t width, device;
        unsigned probes;
        int64_t ms;
    } cases[] = {
        {1500, 1500, 2, 100}, /* the base, then what the card can: and that is the end */
        {9000, 9000, 2, 100},   {65536, 65536, 2, 100}, {1280, 1280, 1, 50},
        {1400, 1400, 2, 100},   {576, 576, 1, 50},      {576, 1500, 8, 3000},
        {1280, 1500, 12, 4000}, {1420, 1500, 14, 4000}, {1492, 1500, 20, 4000},
        {1500, 9000, 24, 4000}, {8900, 9000, 24, 4000},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct mono now = t0;
        struct pmtu p;
        struct path w = path_of(cases[i].width, cases[i].device);
        start(&w, &p, PMTU_MIN_V4, 0, now);
        int64_t took = run(&w, &p, &now, 60000, true);
        assert_int_equal(p.state, PMTU_COMPLETE);
        assert_int_equal(p.size, MIN(cases[i].width, (uint32_t)PMTU_MAX));
        assert_int_equal(w.largest, p.size); /* never more than what passes */
        assert_int_equal(w.fails, 0);
        if (w.probes > cases[i].probes || took > cases[i].ms) {
            fail_msg("width %u of %u: %u probes, %lld ms", cases[i].width, cases[i].device,
                     w.probes, (long long)took);
        }
    }
}

static void any_width_is_found_to_the_byte(void **state)
{
    (void)state;
    for (uint32_t width = PMTU_MIN_V4; width <= PMTU_MAX + 100; width += width < 1600 ? 1 : 37) {
        struct mono now = t0;
        struct pmtu p;
        struct path w = path_of(width, 9000);
        start(&w, &p, PMTU_MIN_V4, 0, now);
        assert_int_equal(p.size, PMTU_MIN_V4); /* data may flow at once, and safely */
        run(&w, &p, &now, 60000, true);
        assert_int_equal(p.state, PMTU_COMPLETE);
        assert_int_equal(p.size, MIN(width, (uint32_t)PMTU_MAX));
        assert_int_equal(w.largest, p.size);
        assert_true(w.probes <= 60);
    }
}

static void loss_is_not_taken_for_a_narrow_path(void **state)
{
    (void)state;
    static const uint32_t widths[] = {1280, 1400, 1492, 1500, 4000, 9000};
    unsigned wrong = 0, runs = 0;
    for (uint32_t seed = 1; seed <= 100; seed++) {
        for (size_t i = 0; i < ARRAY_SIZE(widths); i++, runs++) {
            struct mono now = t0;
            struct pmtu p;
            struct path w = path_of(widths[i], 9000);
            w.loss = 30;
            w.random = seed * 7919;
            start(&w, &p, PMTU_MIN_V4, 0, now);
            run(&w, &p, &now, 300000, true);
            assert_int_equal(p.state, PMTU_COMPLETE);
            assert_true(p.size <= widths[i]);
            assert_int_equal(w.fails, 0);
            wrong += p.size != widths[i] ? 1 : 0;
        }
    }
    assert_true(wrong * 10 <= runs);
    /* and it stays: in an hour of confirmations, few are taken for a black hole */
    struct mono now = t0;
    struct pmtu p;
    struct path w = path_of(1500, 1500);
    w.loss = 30;
    start(&w, &p, PMTU_MIN_V4, 0, now);
    run(&w, &p, &now, 3600000, false);
    assert_true(w.found < 40);
    assert_int_equal(w.fails, 0);
}

static void a_black_hole_is_found_and_followed(void **state)
{
    (void)state;
    static const uint32_t after[] = {1499, 1492, 1400, 1280, 1000, 576};
    for (size_t i = 0; i < ARRAY_SIZE(after); i++) {
        struct mono now = t0;
        struct pmtu p;
        struct path w = path_of(1500, 1500);
        start(&w, &p, PMTU_MIN_V4, 0, now);
        run(&w, &p, &now, 5000, false);
        assert_int_equal(p.size, 1500);
        w.width = after[i];
        /* the reports say that datagrams are missing */
        act(&w, &p, pmtu_step(&p, PMTU_DOUBT, now), now);
        int64_t ms = 0;
        while (p.size > after[i]) {
            assert_true(++ms < 1000);
            run(&w, &p, &now, 1, false);
        }
        run(&w, &p, &now, 20000, true);
        assert_int_equal(p.size, after[i]);
        assert_int_equal(p.state, PMTU_COMPLETE);
    }
}

static void unasked_it_is_found_within_the_confirmation_timer(void **state)
{
    (void)state;
    struct mono now = t0;
    struct pmtu p;
    struct path w = path_of(9000, 9000);
    start(&w, &p, PMTU_MIN_V6, 0, now);
    run(&w, &p, &now, 60000, false);
    assert_int_equal(p.size, 9000);
    assert_in_range(w.probes, 6, 9); /* one each ten seconds */
    w.width = 1500;
    run(&w, &p, &now, PMTU_CONFIRM_MS + 1000, false);
    assert_true(p.size <= 1500);
    run(&w, &p, &now, 10000, false);
    assert_int_equal(p.size, 1500);
}

static void wider_again_is_found(void **state)
{
    (void)state;
    struct mono now = t0;
    struct pmtu p;
    struct path w = path_of(1400, 9000);
    start(&w, &p, PMTU_MIN_V4, 0, now);
    run(&w, &p, &now, 20000, true);
    assert_int_equal(p.size, 1400);
    w.width = 9000;
    run(&w, &p, &now, PMTU_RAISE_MS + PMTU_CONFIRM_MS + 5000, false);
    assert_int_equal(p.size, 9000);
    assert_int_equal(w.smallest, 1400); /* data went on at the size that passed before */
    /* where the kernel learns of it, at once */
    w = path_of(1400, 1400);
    start(&w, &p, PMTU_MIN_V4, 0, now);
    run(&w, &p, &now, 20000, true);
    assert_int_equal(p.size, 1400);
    w.width = w.device = 1500;
    act(&w, &p, pmtu_kernel(&p, 1500, now), now);
    run(&w, &p, &now, 1000, true);
    assert_int_equal(p.size, 1500);
}

static void what_icmp_says_is_only_a_hint(void **state)
{
    (void)state;
    struct mono now = t0;
    struct pmtu p;
    struct path w = path_of(1500, 1500);
    start(&w, &p, PMTU_MIN_V4, 0, now);
    run(&w, &p, &now, 5000, false);
    unsigned before = w.probes;
    act(&w, &p, pmtu_kernel(&p, 552, now), now); /* forged */
    run(&w, &p, &now, 5000, false);
    assert_int_equal(p.size, 1500);
    assert_int_equal(w.smallest, 1500);
    assert_true(w.probes <= before + 2);
    w.width = 1403; /* true */
    before = w.probes;
    act(&w, &p, pmtu_kernel(&p, 1403, now), now);
    int64_t took = run(&w, &p, &now, 5000, true);
    assert_int_equal(p.size, 1403);
    assert_true(w.probes - before <= 9 && took < 2500); /* 3 times 1500, 1280, 1403, 3 times 1404 */
    /* the same in the middle of a search: the router answers the probe of 9000 */
    w = path_of(2345, 9000);
    start(&w, &p, PMTU_MIN_V4, 0, now);
    run(&w, &p, &now, 100, false);
    assert_int_equal(p.probe, 9000);
    act(&w, &p, pmtu_kernel(&p, 2345, now), now);
    run(&w, &p, &now, 5000, true);
    assert_int_equal(p.size, 2345);
    assert_true(w.probes <= 12);
}

static void not_even_the_smallest(void **state)
{
    (void)state;
    struct mono now = t0;
    struct pmtu p;
    struct path w = path_of(500, 1500);
    start(&w, &p, PMTU_MIN_V4, 0, now);
    run(&w, &p, &now, 60000, false);
    assert_int_equal(p.state, PMTU_ERROR);
    assert_int_equal(w.fails, 1); /* told once */
    assert_int_equal(p.size, PMTU_MIN_V4);
    assert_string_equal(pmtu_words(&p), "too small");
    w.width = 1450;
    run(&w, &p, &now, 10000, true);
    assert_int_equal(p.size, 1450);
    assert_int_equal(p.state, PMTU_COMPLETE);
    /* IPv6 has another smallest, and the user may allow less */
    w = path_of(1000, 1500);
    start(&w, &p, PMTU_MIN_V6, 0, now);
    run(&w, &p, &now, 10000, false);
    assert_int_equal(p.state, PMTU_ERROR);
    start(&w, &p, PMTU_MIN_V6, 900, now);
    run(&w, &p, &now, 10000, true);
    assert_int_equal(p.size, 900);
    assert_int_equal(p.state, PMTU_COMPLETE);
}

static void an_outage_says_nothing_of_sizes(void **state)
{
    (void)state;
    struct mono now = t0;
    struct pmtu p;
    struct path w = path_of(1500, 1500);
    start(&w, &p, PMTU_MIN_V4, 0, now);
    run(&w, &p, &now, 9000, false);
    w.dead = true;
    run(&w, &p, &now, 60000, false);
    w.dead = false;
    run(&w, &p, &now, 30000, false);
    assert_int_equal(p.size, 1500);
    assert_int_equal(w.smallest, 1500);
    assert_int_equal(w.fails, 0);
    w = path_of(1500, 1500);
    w.dead = true;
    start(&w, &p, PMTU_MIN_V4, 0, now);
    run(&w, &p, &now, 60000, false);
    assert_true(w.probes < 100);
    w.dead = false;
    run(&w, &p, &now, 5000, true);
    assert_int_equal(p.size, 1500);
}

static void a_slow_path(void **state)
{
    (void)state;
    static const int64_t rtts[] = {1, 600, 1500, 2500};
    for (size_t i = 0; i < ARRAY_SIZE(rtts); i++) {
        struct mono now = t0;
        struct pmtu p;
        struct path w = path_of(1420, 1500);
        w.rtt_ms = rtts[i];
        start(&w, &p, PMTU_MIN_V4, 0, now);
        run(&w, &p, &now, 300000, false);
        assert_int_equal(p.size, 1420);
        assert_int_equal(w.fails, 0);
    }
}

/* More is sent than a path takes: large ones are dropped, small ones slip through. */
static void data_that_arrives_says_enough(void **state)
{
    (void)state;
    struct mono now = t0;
    struct pmtu p;
    struct path w = path_of(1500, 1500);
    start(&w, &p, PMTU_MIN_V4, 0, now);
    run(&w, &p, &now, 5000, false);
    w.width = 1000; /* as probes see it */
    for (unsigned i = 0; i < 700; i++) {
        act(&w, &p, pmtu_step(&p, PMTU_PASSES, now), now);
        act(&w, &p, pmtu_step(&p, PMTU_DOUBT, now), now);
        run(&w, &p, &now, 300, false);
        assert_int_equal(p.size, 1500);
    }
    assert_true(w.probes < 300);
    run(&w, &p, &now, 12000, false);
    assert_true(p.size <= 1000);
    /* but not when a router has just told, and the data that arrived is of before */
    w = path_of(1500, 1500);
    start(&w, &p, PMTU_MIN_V4, 0, now);
    run(&w, &p, &now, 5000, false);
    w.width = 1400;
    act(&w, &p, pmtu_kernel(&p, 1400, now), now);
    run(&w, &p, &now, 300, false);
    act(&w, &p, pmtu_step(&p, PMTU_PASSES, now), now);
    run(&w, &p, &now, 700, false);
    assert_true(p.size <= 1400);
}

static void bounds_of_the_user_hold(void **state)
{
    (void)state;
    static const uint32_t limits[] = {576, 1000, 1280, 1400, 9000, 20000};
    for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
        struct mono now = t0;
        struct pmtu p;
        struct path w = path_of(65536, 65536);
        start(&w, &p, PMTU_MIN_V4, limits[i], now);
        run(&w, &p, &now, 20000, false);
        assert_int_equal(p.size, MIN(limits[i], (uint32_t)PMTU_MAX));
        assert_int_equal(p.state, PMTU_COMPLETE);
    }
    struct pmtu p = {0};
    pmtu_fix(&p, 1400);
    assert_int_equal(pmtu_step(&p, PMTU_TICK, t0), 0);
    assert_int_equal(pmtu_step(&p, PMTU_DOUBT, t0), 0);
    assert_int_equal(pmtu_kernel(&p, 576, t0), 0);
    assert_int_equal(pmtu_acked(&p, 0, 9000, t0), 0);
    assert_int_equal(p.size, 1400);
}

static void answers_of_another_path_do_not_count(void **state)
{
    (void)state;
    struct mono now = t0;
    struct pmtu p;
    struct path w = path_of(1500, 1500);
    start(&w, &p, PMTU_MIN_V4, 0, now);
    uint32_t old = p.token;
    (void)pmtu_start(&p, PMTU_MIN_V4, 0, 1500, now); /* the address has changed */
    assert_int_equal(pmtu_acked(&p, old, 1280, now), 0);
    assert_int_equal(pmtu_acked(&p, p.token + 2, 1280, now), 0); /* nor such as were never asked */
    assert_int_equal(pmtu_acked(&p, p.token, 20000, now), 0);
    assert_int_equal(p.size, PMTU_MIN_V4);
    assert_true(pmtu_acked(&p, p.token, 1280, now) & PMTU_DO_SIZE);
    assert_int_equal(p.size, 1280);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_timer_follows_round_trips),
        cmocka_unit_test(late_answers),
        cmocka_unit_test(the_kernel_says_wider),
        cmocka_unit_test(the_usual_sizes_in_a_few_probes),
        cmocka_unit_test(any_width_is_found_to_the_byte),
        cmocka_unit_test(loss_is_not_taken_for_a_narrow_path),
        cmocka_unit_test(a_black_hole_is_found_and_followed),
        cmocka_unit_test(unasked_it_is_found_within_the_confirmation_timer),
        cmocka_unit_test(wider_again_is_found),
        cmocka_unit_test(what_icmp_says_is_only_a_hint),
        cmocka_unit_test(not_even_the_smallest),
        cmocka_unit_test(an_outage_says_nothing_of_sizes),
        cmocka_unit_test(a_slow_path),
        cmocka_unit_test(data_that_arrives_says_enough),
        cmocka_unit_test(bounds_of_the_user_hold),
        cmocka_unit_test(answers_of_another_path_do_not_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

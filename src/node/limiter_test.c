/* SPDX-License-Identifier: Apache-2.0
 *
 * The limiter over figures made up: the plan follows the ladder, each step is told, and a tap that
 * is to end where it is at its limit ends after so many intervals.
 */
#include "node/limiter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/cleanup.h"

enum {
    BITS = 10000000,
};

static struct {
    unsigned n, breaches;
    char words[HISTORY_WORDS], breach[HISTORY_WORDS];
} told;

static void on_event(void *user, enum history_kind kind, const char *words)
{
    (void)user;
    if (kind == HISTORY_LIMIT_BREACH) {
        told.breaches++;
        snprintf(told.breach, sizeof(told.breach), "%s", words);
        return;
    }
    assert_int_equal(kind, HISTORY_LIMIT_RUNG);
    told.n++;
    snprintf(told.words, sizeof(told.words), "%s", words);
}

static const struct budget_conf budget = {.rate = {.bits = BITS, .burst_ms = 10}, .queue_ms = 200};
static const struct limiter_conf ladder = {
    .mode = LIMITER_LADDER, .rung = {LADDER_HEADERS, LADDER_SAMPLE, LADDER_COUNT}, .n_rungs = 3};

static void begin(struct limiter *l, const struct limiter_conf *conf)
{
    memset(&told, 0, sizeof(told));
    assert_int_equal(limiter_init(l, conf, &budget, on_event, NULL), 0);
}

/* Each tick so many bytes come, a tenth of them headers, in flows of all classes. */
static void come(struct limiter *l, uint64_t bytes)
{
    for (unsigned k = 0; k < LIMIT_CLASSES; k++) {
        uint64_t part = k + 1 < LIMIT_CLASSES ? bytes >> (k + 1) : bytes >> k;
        atomic_fetch_add(&l->plan.came[0][k], part);
        atomic_fetch_add(&l->plan.came[1][k], part / 10);
    }
}

static void the_plan_follows_the_ladder(void **state)
{
    (void)state;
    static struct limiter l;
    struct budget_figures f = {.rate_bps = BITS};
    struct mono now = {NSEC_PER_SEC};
    begin(&l, &ladder);
    for (unsigned i = 0; i < 40; i++) { /* 4 x the rate */
        come(&l, BITS / 8 / 20 * 4);
        now = mono_add_ms(now, LADDER_TICK_MS);
        assert_false(limiter_tick(&l, &f, i < 20 ? 150 : 0, 0, now));
    }
    assert_int_equal(atomic_load(&l.plan.step), LIMIT_HEADERS);
    assert_int_equal(told.n, 1);
    assert_string_equal(told.words,
                        "from \"full\" to \"headers\": more is wished than --rate carries");
    for (unsigned i = 0; i < 150; i++) {
        come(&l, BITS / 8 / 20 / 4);
        now = mono_add_ms(now, LADDER_TICK_MS);
        assert_false(limiter_tick(&l, &f, 0, 0, now));
    }
    assert_int_equal(atomic_load(&l.plan.step), 0);
    assert_string_equal(told.words, "from \"headers\" to \"full\": it has fitted for some seconds");
}

/* The step of flow records is there while the collector takes them. */
static void flow_records_want_a_collector_that_takes_them(void **state)
{
    (void)state;
    static struct limiter l;
    static const struct limiter_conf flows = {
        .mode = LIMITER_LADDER, .rung = {LADDER_FLOWS, LADDER_COUNT}, .n_rungs = 2};
    struct budget_figures f = {.rate_bps = BITS};
    struct mono now = {NSEC_PER_SEC};
    begin(&l, &flows);
    assert_false(atomic_load(&l.plan.flows));
    for (unsigned takes = 0; takes < 2; takes++) {
        limiter_set_flows(&l, takes);
        limiter_set_flows(&l, takes);
        assert_int_equal(atomic_load(&l.plan.flows), takes);
        assert_int_equal(atomic_load(&l.plan.step), 0);
        for (unsigned i = 0; i < 40; i++) {
            come(&l, BITS / 8 / 20 * 4);
            atomic_fetch_add(&l.plan.told, BITS / 8 / 20 / 4);
            now = mono_add_ms(now, LADDER_TICK_MS);
            assert_false(limiter_tick(&l, &f, 150, 0, now));
        }
        assert_int_equal(atomic_load(&l.plan.step), takes ? LIMIT_FLOWS : LIMIT_COUNT);
    }
    assert_int_equal(told.n, 3); /* that it does not, and two steps */
    assert_string_equal(told.words,
                        "from \"full\" to \"flow records\": more is wished than --rate carries");
    limiter_set(&l, &flows, &budget);
    assert_true(atomic_load(&l.plan.flows));
    assert_int_equal(atomic_load(&l.plan.step), LIMIT_FLOWS);
    struct filter_prog keep = {0};
    struct error err = {""};
    assert_int_equal(filter_compile_plain("tcp", &keep, &err), 0);
    const struct limiter_conf kept = {
        .mode = LIMITER_LADDER, .rung = {LADDER_FLOWS}, .n_rungs = 1, .keep = keep};
    limiter_set(&l, &kept, &budget);
    limiter_set_flows(&l, false); /* the filter stays where it is borrowed from */
    assert_ptr_equal(atomic_load(&l.plan.keep), &kept.keep);
    filter_done(&keep);
}

static void the_last_step_may_not_be_enough(void **state)
{
    (void)state;
    static struct limiter l;
    struct limiter_conf conf = ladder;
    struct mono now = {NSEC_PER_SEC};
    conf.rung[0] = LADDER_COUNT;
    conf.n_rungs = 1;
    conf.cpu_permille = 100;
    begin(&l, &conf);
    for (unsigned i = 1; i <= 100; i++) { /* half of a core */
        now = mono_add_ms(now, LADDER_TICK_MS);
        assert_false(limiter_tick(&l, NULL, 0, i * LADDER_TICK_MS * NSEC_PER_MSEC / 2, now));
    }
    assert_int_equal(atomic_load(&l.plan.step), LIMIT_COUNT);
    assert_int_equal(told.n, 2); /* the step, and once that it is not enough */
    assert_string_equal(told.words, "the last step of --on-limit uses more than --cpu-limit, too");
}

static void a_tap_at_its_limit_ends(void **state)
{
    (void)state;
    static struct limiter l;
    const struct limiter_conf conf = {.mode = LIMITER_STOP, .check_ms = 1000, .breaches = 3};
    struct budget_figures f = {.rate_bps = BITS};
    struct mono now = {NSEC_PER_SEC};
    begin(&l, &conf);
    bool end = false;
    static const unsigned percent[] = {0, 100, 100, 99, 100, 250, 101};
    for (unsigned second = 0; second < ARRAY_SIZE(percent); second++) {
        assert_false(end);
        for (unsigned i = 0; i < 20; i++) {
            assert_false(end);
            f.wished += (uint64_t)BITS / 8 / 20 * percent[second] / 100;
            end = limiter_tick(&l, &f, 0, 0, now);
            now = mono_add_ms(now, LADDER_TICK_MS);
        }
    }
    assert_false(end);
    f.wished += BITS / 8;
    assert_true(limiter_tick(&l, &f, 0, 0, now));
    assert_int_equal(told.n, 1);
    assert_non_null(strstr(told.words, "in 3 intervals in a row"));
    assert_int_equal(told.breaches, 4);
    assert_string_equal(told.breach, "as much as --rate carries, or more, was wished in 3 of 3 "
                                     "intervals in a row, 4 in all");
    assert_int_equal(atomic_load(&l.plan.step), 0);
}

/* Short intervals: an event a second at most, which has the number of all. */
static void breaches_are_told_now_and_then(void **state)
{
    (void)state;
    static struct limiter l;
    const struct limiter_conf conf = {.mode = LIMITER_STOP, .check_ms = 50, .breaches = 1000};
    struct budget_figures f = {.rate_bps = BITS};
    struct mono now = {NSEC_PER_SEC};
    begin(&l, &conf);
    for (unsigned i = 0; i <= 60; i++) {
        assert_false(limiter_tick(&l, &f, 0, 0, now));
        f.wished += BITS / 8;
        now = mono_add_ms(now, LADDER_TICK_MS);
    }
    assert_int_equal(l.breached, 60);
    assert_in_range(told.breaches, 2, 4);
    assert_int_equal(told.n, 0);
}

static void nothing_to_limit(void **state)
{
    (void)state;
    const struct budget_conf none = {0};
    struct limiter_conf conf = ladder;
    assert_false(limiter_limits(&conf, &none));
    assert_true(limiter_limits(&conf, &budget));
    conf.cpu_permille = 1;
    assert_true(limiter_limits(&conf, &none));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_plan_follows_the_ladder),
        cmocka_unit_test(flow_records_want_a_collector_that_takes_them),
        cmocka_unit_test(the_last_step_may_not_be_enough),
        cmocka_unit_test(a_tap_at_its_limit_ends),
        cmocka_unit_test(breaches_are_told_now_and_then),
        cmocka_unit_test(nothing_to_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * The ladder over a queue that this file simulates, with the time made up: so much is wished, each
 * step sends its part of it, and the rate empties the queue.
 */
#include "model/ladder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/cleanup.h"

enum {
    RATE = 1250000, /* bytes a second */
    QUEUE_MS = 200,
    HEADERS = 8, /* of so many bytes of a frame one is its headers' */
};

struct road {
    struct ladder ladder;
    struct ladder_seen seen;
    struct mono now;
    uint64_t queue, room; /* bytes; more room than the ordinary one, for a backlog */
    uint64_t keep;        /* of what is wished, bytes a second that are always kept */
    uint64_t flows;       /* bytes a second of flow records, which leave later */
    uint64_t cpu_per_kib; /* nanoseconds of those sent, … */
    uint64_t cpu_fixed;   /* … and a second */
    unsigned changes, downs, ups, cpu;
    struct mono changed;
};

static void begin(struct road *r, const struct ladder_conf *conf)
{
    *r = (struct road){.now = {100 * NSEC_PER_SEC}};
    ladder_init(&r->ladder, conf);
}

static const struct ladder_conf usual = {.rung = {LADDER_HEADERS, LADDER_SAMPLE, LADDER_COUNT},
                                         .n = 3,
                                         .rate = RATE,
                                         .queue_ms = QUEUE_MS};

/* Bytes of a tick that the step sends. */
static uint64_t sent(const struct ladder_step *s, uint64_t whole, uint64_t kept)
{
    const bool none = s->count || s->flows;
    uint64_t bytes = none ? 0 : (whole >> s->halvings) / (s->headers ? HEADERS : 1);
    return s->count ? 0 : bytes + kept;
}

/* Flows are many and alike: half of the bytes survive no halving, a quarter one, and so on. */
static void come(struct road *r, uint64_t whole, uint64_t kept)
{
    for (unsigned k = 0; k <= LADDER_HALVINGS; k++) {
        uint64_t part = k < LADDER_HALVINGS ? whole >> (k + 1) : whole >> LADDER_HALVINGS;
        r->seen.bytes[0][k] += part;
        r->seen.bytes[1][k] += part / HEADERS;
    }
    r->seen.bytes[0][LADDER_HALVINGS] += kept;
    r->seen.bytes[1][LADDER_HALVINGS] += kept;
}

/* For `ms`, `wish` bytes a second are wished. */
static void run(struct road *r, uint64_t wish, int64_t ms)
{
    const uint64_t rate = r->ladder.conf.rate ? r->ladder.conf.rate : UINT64_C(1) << 40;
    for (int64_t t = 0; t < ms; t += LADDER_TICK_MS) {
        uint64_t whole = wish * LADDER_TICK_MS / 1000, kept = r->keep * LADDER_TICK_MS / 1000;
        uint64_t goes = sent(ladder_at(&r->ladder), whole, kept);
        come(r, whole, kept);
        r->seen.flows += r->flows * LADDER_TICK_MS / 1000 + kept;
        r->queue = MIN(r->queue + goes, MAX(r->room, rate * QUEUE_MS / 1000));
        r->queue -= MIN(r->queue, rate * LADDER_TICK_MS / 1000);
        r->seen.wait_ms = (uint32_t)(r->queue * 1000 / rate);
        r->seen.cpu_ns += goes * r->cpu_per_kib / 1024 + r->cpu_fixed * LADDER_TICK_MS / 1000;
        r->now = mono_add_ms(r->now, LADDER_TICK_MS);
        enum ladder_why why = ladder_tick(&r->ladder, &r->seen, r->now);
        r->changes += why != LADDER_STAYS;
        r->downs += why == LADDER_QUEUE;
        r->cpu += why == LADDER_CPU;
        r->ups += why == LADDER_FITS;
        r->changed = why != LADDER_STAYS ? r->now : r->changed;
    }
}

static void stands_on(const struct road *r, bool headers, unsigned halvings, bool count)
{
    const struct ladder_step *s = ladder_at(&r->ladder);
    assert_int_equal(s->headers, headers);
    assert_int_equal(s->halvings, halvings);
    assert_int_equal(s->count, count);
}

/* A wish settles the ladder within 2 s, and it stands still from then on; calm brings it back. */
static void settles(uint64_t wish, bool headers, unsigned halvings, bool count)
{
    static struct road r;
    begin(&r, &usual);
    run(&r, RATE / 10, 10000);
    stands_on(&r, false, 0, false);
    assert_int_equal(r.changes, 0);
    const struct mono began = r.now;
    run(&r, wish, 60000);
    stands_on(&r, headers, halvings, count);
    assert_in_range(mono_diff(r.changed, began) / NSEC_PER_MSEC, 1, 2000);
    assert_int_equal(r.ups, 0);
    assert_true(count || r.seen.wait_ms < QUEUE_MS / 2); /* the queue has got short again */
    const unsigned before = r.changes;
    const struct mono calm = r.now;
    run(&r, RATE / 10, 4500);
    assert_int_equal(r.changes, before); /* not at once */
    run(&r, RATE / 10, 4000);
    stands_on(&r, false, 0, false);
    assert_int_equal(r.downs + r.ups, r.changes);
    assert_in_range(mono_diff(r.changed, calm) / NSEC_PER_MSEC, 5000, 7000);
}

static void it_settles_stands_still_and_comes_back(void **state)
{
    (void)state;
    settles(4 * RATE, true, 0, false);
    settles(16 * RATE, true, 2, false);              /* headers are 2 x, halved twice 0.5 x */
    settles(7 * RATE, true, 0, false);               /* 0.875: below 90 % */
    settles(31 * RATE / 4, true, 1, false);          /* 0.97 */
    settles(UINT64_C(1000) * RATE, true, 8, false);  /* 125 x, halved eight times: 0.49 x */
    settles(UINT64_C(16000) * RATE, true, 10, true); /* too much for 1 in 1024 */
}

/* As much as the rate carries: nothing changes. */
static void a_wish_that_fits_changes_nothing(void **state)
{
    (void)state;
    static struct road r;
    begin(&r, &usual);
    run(&r, RATE, 60000);
    assert_int_equal(r.changes, 0);
    run(&r, RATE * 3 / 2, 180); /* a burst that the queue takes */
    run(&r, RATE / 2, 10000);
    assert_int_equal(r.changes, 0);
}

/* A wish in between stays where it is: it is neither too much nor little enough. */
static void there_is_a_gap_between_up_and_down(void **state)
{
    (void)state;
    static struct road r;
    begin(&r, &usual);
    run(&r, 2 * RATE, 10000);
    stands_on(&r, true, 0, false);
    run(&r, RATE * 9 / 10, 60000);
    assert_int_equal(r.changes, 1);
    run(&r, RATE * 8 / 10, 4900);
    assert_int_equal(r.changes, 1);
    run(&r, RATE * 2, 100); /* the time begins anew */
    run(&r, RATE * 8 / 10, 4900);
    assert_int_equal(r.changes, 1);
    run(&r, RATE * 8 / 10, 2000);
    stands_on(&r, false, 0, false);
}

/* Any rungs in any order: each step has all of the one before. */
static void rungs_have_an_order(void **state)
{
    (void)state;
    static struct road r;
    struct ladder_conf conf = usual;
    conf.rung[0] = LADDER_SAMPLE;
    conf.rung[1] = LADDER_HEADERS;
    conf.n = 2;
    begin(&r, &conf);
    assert_int_equal(r.ladder.n_steps, LADDER_HALVINGS + 2);
    run(&r, 4 * RATE, 20000);
    stands_on(&r, false, 3, false);
    run(&r, UINT64_C(8000) * RATE, 20000); /* 7.8 x with 1 in 1024 */
    stands_on(&r, true, 10, false);
    conf.n = 1;
    conf.rung[0] = LADDER_COUNT;
    begin(&r, &conf);
    run(&r, 2 * RATE, 20000);
    stands_on(&r, false, 0, true);
    assert_int_equal(r.changes, 1);
}

/* Frames that are always kept count whole on each step. */
static const struct ladder_conf with_flows = {.rung = {LADDER_SAMPLE, LADDER_FLOWS, LADDER_COUNT},
                                              .n = 3,
                                              .rate = RATE,
                                              .queue_ms = QUEUE_MS};

/* Flow records tell of all frames, whatever was left out on the steps before. */
static void flow_records_come_before_counters(void **state)
{
    (void)state;
    static struct road r;
    begin(&r, &with_flows);
    r.flows = RATE / 2;
    run(&r, UINT64_C(4000) * RATE, 10000);
    stands_on(&r, false, 0, false);
    assert_true(ladder_at(&r.ladder)->flows);
    assert_in_range(mono_diff(r.changed, (struct mono){100 * NSEC_PER_SEC}) / NSEC_PER_MSEC, 1,
                    2000);
    r.flows = RATE * 2; /* nothing waits yet, but it will */
    run(&r, UINT64_C(4000) * RATE, 1500);
    stands_on(&r, false, 0, true);
    assert_int_equal(r.seen.wait_ms, 0);
    r.flows = RATE / 2;
    run(&r, UINT64_C(4000) * RATE, 7000);
    assert_true(ladder_at(&r.ladder)->flows);
    run(&r, RATE / 10, 7000);
    stands_on(&r, false, 0, false);
    assert_false(ladder_at(&r.ladder)->flows);
}

/* Records of too many flows are no step to stand on. */
static void flow_records_may_cost_too_much(void **state)
{
    (void)state;
    static struct road r;
    begin(&r, &with_flows);
    r.flows = RATE;
    run(&r, UINT64_C(4000) * RATE, 60000);
    stands_on(&r, false, 0, true);
    assert_int_equal(r.changes, r.downs);
    begin(&r, &(struct ladder_conf){.rate = RATE, .queue_ms = QUEUE_MS});
    run(&r, UINT64_C(4000) * RATE, 3000); /* a ladder of one step */
    stands_on(&r, false, 0, false);
    assert_int_equal(r.changes, 0);
}

static void kept_frames_cost_what_they_cost(void **state)
{
    (void)state;
    static struct road r;
    begin(&r, &usual);
    r.keep = RATE / 2;
    run(&r, 4 * RATE, 20000); /* with headers alone it would be 1.0 */
    stands_on(&r, true, 1, false);
    r.keep = 2 * RATE;
    run(&r, RATE, 20000);
    stands_on(&r, true, 10, true);
}

/* A queue that is long already, as after an outage, gets shorter or the step is another one. */
static void a_backlog_shrinks(void **state)
{
    (void)state;
    static struct road r;
    begin(&r, &usual);
    r.queue = r.room = 20 * RATE;
    run(&r, RATE / 2, 10000);
    assert_int_equal(r.changes, 0);
    assert_true(r.queue < 16 * RATE);
    run(&r, RATE, 2000);
    stands_on(&r, true, 0, false);
    run(&r, RATE, 30000);
    assert_int_equal(r.queue, 0);
}

/* The processor's limit, with what it costs to look at frames that are not sent: one step at a
 * time, and back only where it would do. */
static void the_processor_has_a_limit(void **state)
{
    (void)state;
    static struct road r;
    struct ladder_conf conf = usual;
    conf.rate = 0;
    conf.cpu_permille = 300;
    begin(&r, &conf);
    r.cpu_per_kib = 200000; /* 1.25 MB/s: 0.24 of a core */
    run(&r, RATE, 20000);
    assert_int_equal(r.changes, 0);
    run(&r, 10 * RATE, 20000); /* 2.4 cores; headers: 0.3, which is too much by a little */
    stands_on(&r, true, 1, false);
    assert_int_equal(r.cpu, 2);
    run(&r, 10 * RATE, 60000);
    assert_int_equal(r.changes, 2);
    run(&r, RATE / 4, 20000);
    stands_on(&r, false, 0, false);
    r.cpu_fixed = NSEC_PER_SEC / 2; /* more than anything of the ladder's can save */
    run(&r, RATE, 60000);
    stands_on(&r, true, 10, true);
    assert_true(r.ladder.cpu_at_end);
    r.cpu_fixed = NSEC_PER_SEC / 10;
    run(&r, RATE / 4, 10000);
    assert_false(r.ladder.cpu_at_end);
    stands_on(&r, false, 0, false);
}

static void another_rate_takes_its_place(void **state)
{
    (void)state;
    static struct road r;
    struct ladder_conf conf = usual;
    begin(&r, &conf);
    run(&r, 4 * RATE, 10000);
    stands_on(&r, true, 0, false);
    conf.rate = RATE / 4;
    ladder_set(&r.ladder, &conf);
    run(&r, 4 * RATE, 10000);
    stands_on(&r, true, 2, false); /* headers 2 x of it */
    conf.rate = 10 * RATE;
    ladder_set(&r.ladder, &conf);
    run(&r, 4 * RATE, 10000);
    stands_on(&r, false, 0, false);
    conf.n = 1;
    ladder_set(&r.ladder, &conf);
    assert_int_equal(r.ladder.n_steps, 2);
}

static void steps_have_words(void **state)
{
    (void)state;
    char words[48];
    static const struct {
        struct ladder_step step;
        const char *words;
    } steps[] = {{{.headers = false}, "full"},
                 {{.headers = true}, "headers"},
                 {{.headers = true, .halvings = 10}, "headers, 1 flow in 1024"},
                 {{.halvings = 1}, "1 flow in 2"},
                 {{.flows = true}, "flow records"},
                 {{.headers = true, .count = true, .halvings = 10}, "counters only"}};
    for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
        ladder_words(&steps[i].step, words);
        assert_string_equal(words, steps[i].words);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_settles_stands_still_and_comes_back),
        cmocka_unit_test(a_wish_that_fits_changes_nothing),
        cmocka_unit_test(there_is_a_gap_between_up_and_down),
        cmocka_unit_test(rungs_have_an_order),
        cmocka_unit_test(flow_records_come_before_counters),
        cmocka_unit_test(flow_records_may_cost_too_much),
        cmocka_unit_test(kept_frames_cost_what_they_cost),
        cmocka_unit_test(a_backlog_shrinks),
        cmocka_unit_test(the_processor_has_a_limit),
        cmocka_unit_test(another_rate_takes_its_place),
        cmocka_unit_test(steps_have_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

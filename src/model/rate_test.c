/* SPDX-License-Identifier: Apache-2.0
 *
 * The rate (rate.h) in warped time: no 100 ms have more than they may, over demand of every kind,
 * and where more is wished than may leave, nearly all of it is used.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "model/rate.h"

enum {
    DATAGRAM = 1500,
    EVENTS = 1 << 20,
};

static const struct mono t0 = {1000 * NSEC_PER_SEC};

/* All that has left, and when. */
static struct {
    struct mono at;
    uint64_t bytes;
} event[EVENTS];
static unsigned n_events;

static uint64_t drawn;

static uint64_t draw(uint64_t below)
{
    uint64_t z = (drawn += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (z ^ (z >> 31)) % below;
}

static void note(struct mono now, uint64_t bytes)
{
    assert_true(n_events < EVENTS);
    event[n_events].at = now;
    event[n_events++].bytes = bytes;
}

static uint64_t bytes_between(unsigned from, unsigned to)
{
    uint64_t sum = 0;
    for (; from < to; from++) {
        sum += event[from].bytes;
    }
    return sum;
}

/* The most in any `ms` milliseconds that begin with a datagram. */
static uint64_t most_in(int64_t ms)
{
    uint64_t sum = 0, most = 0;
    unsigned end = 0;
    for (unsigned i = 0; i < n_events; i++) {
        for (; end < n_events && mono_diff(event[end].at, event[i].at) < ms * NSEC_PER_MSEC;
             end++) {
            sum += event[end].bytes;
        }
        most = MAX(most, sum);
        sum -= event[i].bytes;
    }
    return most;
}

/* Sends of `*wished` what may leave, in one call or several; a call takes some time. */
static void send_some(struct rate *r, uint64_t *wished, struct mono due, struct mono *now,
                      bool exact)
{
    uint64_t room = 0;
    while (*wished >= DATAGRAM && (room = rate_room(r, DATAGRAM, *now)) > 0) {
        uint64_t n = MIN(room, *wished) / DATAGRAM * DATAGRAM;
        uint64_t left = draw(20) == 0 ? n - DATAGRAM : n; /* the system takes less */
        assert_true(room <= rate_burst(r, DATAGRAM));
        rate_take(r, n, due, *now);
        now->ns += exact ? 0 : (int64_t)draw(200000);
        rate_left(r, n, left, *now);
        if (left > 0) {
            note(*now, left);
        }
        *wished -= left;
    }
}

static bool busy_machine;

/* Now and then a busy machine takes a while to let a thread run. */
static int64_t busy_ns(void)
{
    return busy_machine && draw(60) == 0 ? (int64_t)draw(40 * NSEC_PER_MSEC) : 0;
}

/* Sleeps as a thread does: in whole milliseconds, and then some. Returns when it should have come.
 */
static struct mono sleep_until_next(struct rate *r, struct mono *now, bool exact)
{
    int64_t ns = rate_wait(r, DATAGRAM, *now);
    if (exact) {
        now->ns += MAX(ns, 1);
        return *now;
    }
    struct mono due = {now->ns + (ns / NSEC_PER_MSEC + 1) * NSEC_PER_MSEC};
    now->ns = due.ns + (int64_t)draw(100000) + busy_ns();
    return due;
}

static uint64_t rate_of(const struct rate *r)
{
    return r->conf.bits / 8;
}

/* More is wished than may leave, for ten seconds; the share of the rate that was used, in
 * thousandths. */
static unsigned used_of(uint64_t bits, bool exact)
{
    struct rate r;
    struct mono now = t0;
    struct mono due = {0};
    drawn = bits;
    rate_init(&r, &(struct rate_conf){bits, 10}, now);
    n_events = 0;
    while (mono_diff(now, t0) < 10 * NSEC_PER_SEC) {
        uint64_t wished = UINT64_C(1) << 40;
        send_some(&r, &wished, due, &now, exact);
        due = sleep_until_next(&r, &now, exact);
    }
    assert_true(most_in(100) <= MAX(bits / 80, (uint64_t)DATAGRAM));
    assert_true(bits < 1000000 || most_in(1000) <= bits / 8);
    return (unsigned)(bytes_between(0, n_events) * 100 / rate_of(&r));
}

static void uses_what_it_may(void **state)
{
    (void)state;
    assert_in_range(used_of(1000000, false), 940, 1000);
    assert_in_range(used_of(10000000, false), 950, 1000);
    assert_in_range(used_of(100000000, false), 950, 1000);
    assert_in_range(used_of(1000000000, false), 950, 1000);
    assert_in_range(used_of(1000000, true), 950, 1000);
    assert_in_range(used_of(10000000, true), 960, 1000);
    assert_in_range(used_of(4800000, true), 950, 1000);
}

/* Time that was lost while the burst was full is made up for, but not what nobody waited for. */
static void late_senders_catch_up(void **state)
{
    (void)state;
    busy_machine = true;
    assert_in_range(used_of(10000000, false), 885, 1000); /* 870 without that */
    assert_in_range(used_of(100000000, false), 885, 1000);
    busy_machine = false;
    struct rate r;
    rate_init(&r, &(struct rate_conf){10000000, 10}, t0);
    rate_take(&r, DATAGRAM, t0, mono_add_ms(t0, 20));
    assert_int_equal(r.lost, 25000 - DATAGRAM / 4);
    rate_take(&r, DATAGRAM, t0, mono_add_ms(t0, 1000));
    assert_int_equal(r.lost, 62500 - DATAGRAM / 4);
    rate_init(&r, &(struct rate_conf){10000000, 10}, t0);
    rate_take(&r, DATAGRAM, (struct mono){0}, mono_add_ms(t0, 20));
    assert_int_equal(r.lost, 0);
}

/* 64 kbit/s are 800 bytes in 100 ms: a datagram, and 187.5 ms. */
static void one_datagram_and_its_pause(void **state)
{
    (void)state;
    struct rate r;
    struct mono now = t0;
    rate_init(&r, &(struct rate_conf){64000, 10}, now);
    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(rate_wait(&r, DATAGRAM, now), 0);
        assert_int_equal(rate_room(&r, DATAGRAM, now), DATAGRAM);
        rate_take(&r, DATAGRAM, (struct mono){0}, now);
        assert_int_equal(rate_room(&r, DATAGRAM, now), 0);
        rate_left(&r, DATAGRAM, DATAGRAM, now);
        assert_int_equal(rate_wait(&r, DATAGRAM, now), 187500000);
        assert_int_equal(rate_room(&r, DATAGRAM, (struct mono){now.ns + 187499999}), 0);
        now.ns += 187500000;
    }
    assert_in_range(used_of(64000, false), 950, 1020); /* the first has no pause before it */
}

/* After a pause a burst leaves, no more, and what follows keeps to the rate. */
static void bursts_are_bounded(void **state)
{
    (void)state;
    struct rate r;
    struct mono now = t0;
    rate_init(&r, &(struct rate_conf){100000000, 10}, now);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(rate_room(&r, DATAGRAM, now), 125000);
        now = mono_add_ms(now, 5000);
    }
    rate_take(&r, 125000, (struct mono){0}, now);
    assert_int_equal(rate_room(&r, DATAGRAM, now), 0);
    rate_left(&r, 125000, 0, now); /* nothing of it left */
    assert_int_equal(rate_room(&r, DATAGRAM, now), 125000);
    rate_init(&r, &(struct rate_conf){1000000, 1}, now); /* 1 ms of it is 125 bytes */
    assert_int_equal(rate_room(&r, DATAGRAM, now), 2 * DATAGRAM);
    assert_int_equal(rate_burst(&r, DATAGRAM), 2 * DATAGRAM);
    rate_init(&r, &(struct rate_conf){RATE_MAX, 100}, now);
    assert_in_range(rate_room(&r, DATAGRAM, now), RATE_MAX / 80 / 10 * 9, RATE_MAX / 80);
}

/* Bytes under way count, however long they take, and then from when they have left. */
static void what_is_under_way_counts(void **state)
{
    (void)state;
    struct rate r;
    rate_init(&r, &(struct rate_conf){10000000, 100}, t0);
    uint64_t all = rate_room(&r, DATAGRAM, t0);
    assert_in_range(all, 120000, 125000);
    rate_take(&r, all, (struct mono){0}, t0);
    struct mono late = mono_add_ms(t0, 300);
    assert_int_equal(rate_room(&r, DATAGRAM, late), 0);
    assert_true(rate_wait(&r, DATAGRAM, late) > 0);
    rate_left(&r, all, all, late);
    assert_int_equal(rate_room(&r, DATAGRAM, mono_add_ms(late, 99)), 0);
    assert_int_equal(rate_wait(&r, DATAGRAM, mono_add_ms(late, 99)), NSEC_PER_MSEC);
    assert_true(rate_room(&r, DATAGRAM, mono_add_ms(late, 100)) > 0);
}

/* Of what was taken a part leaves: the other part costs nothing. */
static void what_does_not_leave_is_free(void **state)
{
    (void)state;
    struct rate r;
    rate_init(&r, &(struct rate_conf){12000000, 1}, t0); /* a datagram a millisecond */
    rate_take(&r, 2 * DATAGRAM, (struct mono){0}, t0);
    assert_int_equal(rate_wait(&r, DATAGRAM, t0), NSEC_PER_MSEC);
    rate_left(&r, 2 * DATAGRAM, DATAGRAM, t0);
    assert_int_equal(rate_wait(&r, DATAGRAM, t0), 0);
    assert_int_equal(rate_room(&r, DATAGRAM, t0), DATAGRAM);
    assert_int_equal(r.sum, DATAGRAM);
}

/* However often something leaves, what is kept of it is bounded, and the sum is right. */
static void slots_are_bounded(void **state)
{
    (void)state;
    struct rate r;
    rate_init(&r, &(struct rate_conf){10000000, 10}, t0);
    for (int64_t i = 0; i < 3000; i++) {
        rate_charge(&r, 1, (struct mono){t0.ns + i * 100000});
        assert_true(r.n <= 100 * 1000 / RATE_SLOT_US + 2);
        assert_in_range(r.sum, MIN(i + 1, 1000), MIN(i + 1, 1003));
    }
}

/* Charged bytes have left, and the next ones pay for them; but not for ever. */
static void debts_are_paid_and_bounded(void **state)
{
    (void)state;
    struct rate r;
    struct mono now = mono_add_ms(t0, 1000);
    rate_init(&r, &(struct rate_conf){1000000, 10}, t0);
    rate_charge(&r, 3000, now); /* the whole burst, 24 ms of the rate */
    assert_int_equal(rate_room(&r, DATAGRAM, now), 0);
    assert_int_equal(rate_wait(&r, DATAGRAM, now), 12 * NSEC_PER_MSEC);
    rate_charge(&r, 12500, now); /* and 100 ms of it */
    assert_int_equal(rate_wait(&r, DATAGRAM, now), 112 * NSEC_PER_MSEC);
    for (unsigned i = 0; i < 1000; i++) {
        rate_charge(&r, 12500, now);
    }
    assert_in_range(rate_wait(&r, DATAGRAM, now), 900 * NSEC_PER_MSEC, 1000 * NSEC_PER_MSEC);
    assert_int_equal(rate_room(&r, DATAGRAM, mono_add_ms(now, 1000)), 2 * DATAGRAM);
    /* a time that goes back is the one before */
    assert_int_equal(rate_wait(&r, DATAGRAM, t0), 0);
}

static void the_rate_changes(void **state)
{
    (void)state;
    struct rate r;
    rate_init(&r, &(struct rate_conf){1000000, 10}, t0);
    rate_charge(&r, 12500, t0);
    assert_int_equal(rate_wait(&r, DATAGRAM, t0), 100 * NSEC_PER_MSEC);
    rate_set(&r, &(struct rate_conf){10000000, 10}, t0); /* the debt is the same in bytes */
    assert_in_range(rate_wait(&r, DATAGRAM, t0), NSEC_PER_MSEC, 2 * NSEC_PER_MSEC);
    rate_set(&r, &(struct rate_conf){100000, 10}, t0);
    assert_in_range(rate_wait(&r, DATAGRAM, t0), 999 * NSEC_PER_MSEC, 1001 * NSEC_PER_MSEC);
    assert_int_equal(rate_bytes(&r, 1000), 12500);
}

/* Random demand: quiet and busy times, things that cannot wait, slow calls, other rates. */
static void demand(uint64_t seed)
{
    static const uint64_t rates[] = {64000, 300000, 1000000, 5000000, 10000000, 100000000};
    struct rate r;
    struct mono now = t0, due = {0};
    uint64_t wished = 0, charged = 0;
    drawn = seed;
    busy_machine = seed % 2 == 0;
    const struct rate_conf conf = {rates[draw(6)], 1 + (uint32_t)draw(30)};
    const uint64_t spare = conf.bits / 80 / RATE_SPARE;
    rate_init(&r, &conf, now);
    n_events = 0;
    struct mono calm = now;
    for (unsigned i = 0; i < 3000 && n_events < EVENTS / 2; i++) {
        wished += draw(3) == 0 ? draw(conf.bits / 80) : 0;
        if (spare > 500 && mono_due(now, calm)) { /* within what is left to it */
            charged = draw(MIN(spare, UINT64_C(1500)));
            rate_charge(&r, charged, now);
            note(now, charged);
            calm = mono_add_ms(now, 110);
        }
        send_some(&r, &wished, due, &now, false);
        if (wished >= DATAGRAM) {
            due = sleep_until_next(&r, &now, false);
        } else {
            due.ns = 0;
            now.ns += (int64_t)draw(20 * NSEC_PER_MSEC);
        }
    }
    uint64_t most = most_in(100), may = MAX(conf.bits / 80, (uint64_t)DATAGRAM);
    if (most > may) {
        fail_msg("seed %llu: %llu bytes in 100 ms, %llu may be", (unsigned long long)seed,
                 (unsigned long long)most, (unsigned long long)may);
    }
}

static void random_demand(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        demand(seed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(uses_what_it_may),
        cmocka_unit_test(late_senders_catch_up),
        cmocka_unit_test(one_datagram_and_its_pause),
        cmocka_unit_test(bursts_are_bounded),
        cmocka_unit_test(what_is_under_way_counts),
        cmocka_unit_test(debts_are_paid_and_bounded),
        cmocka_unit_test(what_does_not_leave_is_free),
        cmocka_unit_test(slots_are_bounded),
        cmocka_unit_test(the_rate_changes),
        cmocka_unit_test(random_demand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

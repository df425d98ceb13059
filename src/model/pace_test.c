/* SPDX-License-Identifier: Apache-2.0
 *
 * The rate of the backlog, driven by reports on simulated paths with the time made up.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/pace.h"

static const struct mono t0 = {1000 * NSEC_PER_SEC};

/* Looks every 2 ms from `from` for `ms`, sends frames of 1000 bytes whenever one may go; gives the
 * bytes. Each look brings `came` bytes in. */
static int64_t run(struct pace *d, struct mono from, int64_t ms, uint64_t came)
{
    int64_t bytes = 0;
    for (int64_t at = 0; at < ms; at += 2) {
        pace_came(d, came);
        while (pace_may(d, mono_add_ms(from, at))) {
            pace_sent(d, 1000);
            bytes += 1000;
        }
    }
    return bytes;
}

static void grows_while_all_arrives(void **state)
{
    (void)state;
    struct pace d = {0};
    struct mono t = t0;
    int64_t expected = PACE_START;
    uint64_t frames = 0;
    pace_begin(&d, 0, t);
    for (unsigned i = 0; i < 10; i++) {
        int64_t bytes = run(&d, t, 1000, 0);
        assert_in_range(bytes, expected * 98 / 100 - 2000, expected + 2000);
        t = mono_add_ms(t, 1000);
        frames += (uint64_t)bytes / 1000;
        pace_report(&d, frames, frames, 0, t);
        expected = expected * 2 > PACE_MAX ? PACE_MAX : expected * 2;
    }
    assert_int_equal(d.rate, PACE_MAX);
}

/* A thread that was busy elsewhere makes up for a moment, not for all of its time. */
static void a_pause_earns_little(void **state)
{
    (void)state;
    struct pace d = {0};
    const int64_t burst = (int64_t)PACE_START * PACE_BURST_MS / 1000;
    int64_t bytes = 0;
    pace_begin(&d, 0, t0);
    while (pace_may(&d, mono_add_ms(t0, PACE_FRESH_MS - 1))) {
        pace_sent(&d, 1);
        bytes++;
    }
    assert_int_equal(bytes, burst);
    for (bytes = 0; pace_may(&d, mono_add_ms(t0, PACE_FRESH_MS - 1));) {
        pace_sent(&d, 1);
        bytes++;
    }
    assert_int_equal(bytes, 0); /* and once only */
}

static void shrinks_with_loss_and_forgives_a_little(void **state)
{
    (void)state;
    struct pace d = {0};
    pace_begin(&d, 0, t0);
    pace_report(&d, 20000, 10000, 1000, t0);
    assert_int_equal(d.rate, PACE_START / 2);
    pace_report(&d, 30000, 20000, 1312, t0);
    assert_int_equal(d.rate, PACE_START);
    for (unsigned i = 1; i <= 30; i++) {
        pace_report(&d, 100000, 20000 + 1000 * i, 1312 + 500 * i, t0);
    }
    assert_int_equal(d.rate, PACE_MIN);
}

static void what_comes_in_passes(void **state)
{
    (void)state;
    struct pace d = {0};
    pace_begin(&d, 0, t0);
    /* 50 MB/s come in: those go, and the rate beside them */
    int64_t bytes = run(&d, t0, 1000, 100000);
    assert_in_range(bytes, 50000000 + PACE_START * 97 / 100, 50000000 + PACE_START + 2000);
}

static void stops_without_reports(void **state)
{
    (void)state;
    struct pace d = {0};
    pace_begin(&d, 0, t0);
    int64_t bytes = run(&d, t0, 5000, 1000);
    int64_t most = (PACE_START + 500000) * (int64_t)PACE_FRESH_MS / 1000 + 2000;
    assert_in_range(bytes, most * 95 / 100, most);
    /* Frames that came in meanwhile go at the rate: no burst. */
    struct mono t = mono_add_ms(t0, 5000);
    pace_report(&d, 10, 10, 0, t);
    assert_in_range(run(&d, t, 20, 0), 1000, 2 * PACE_START / 1000 * 45);
}

static void a_probe_when_nothing_arrives(void **state)
{
    (void)state;
    struct pace d = {0};
    pace_begin(&d, 0, t0);
    pace_report(&d, 5000, 100, 0, t0);
    pace_report(&d, 9000, 100, 0, t0); /* signs of life, and none of the frames */
    assert_false(d.stalled);           /* but one report may overtake what it is about */
    pace_report(&d, 9000, 100, 0, t0);
    assert_true(d.stalled);
    int64_t bytes = run(&d, t0, 1000, 100000);
    assert_in_range(bytes, 1000, PACE_MIN + 2000);
    pace_report(&d, 9100, 9090, 4000, mono_add_ms(t0, 1000));
    pace_report(&d, 9200, 9190, 4000, mono_add_ms(t0, 2000));
    assert_true(d.rate > PACE_MIN);
    assert_false(d.stalled);
    for (unsigned i = 0; i < 10; i++) {
        pace_report(&d, 9200, 9200, 4000, t0); /* nothing was sent: no reason to worry */
        assert_false(d.stalled);
    }
}

/* Frames that vanished while the path was gone do not make its return slow. */
static void losses_of_before_do_not_count(void **state)
{
    (void)state;
    struct pace d = {0};
    pace_begin(&d, 0, t0);
    pace_report(&d, 1000, 1000, 0, t0);
    pace_begin(&d, 9000, t0);           /* 8000 went into nothing, and it is back */
    pace_report(&d, 9000, 1000, 0, t0); /* nobody knows that yet */
    pace_report(&d, 9700, 9600, 8000, t0);
    assert_int_equal(d.rate, PACE_START);
    pace_report(&d, 9900, 9800, 8000, t0);
    assert_int_equal(d.rate, 2 * PACE_START);
    pace_report(&d, 10500, 10400, 8100, t0); /* this is of now */
    assert_int_equal(d.rate, PACE_START);
}

static void another_session_counts_anew(void **state)
{
    (void)state;
    struct pace d = {0};
    pace_begin(&d, 0, t0);
    pace_report(&d, 100000, 100000, 90000, t0);
    int64_t rate = d.rate;
    pace_report(&d, 500, 400, 0, t0);
    assert_int_equal(d.rate, 2 * rate);
}

static void one_long_frame_waits_for_the_next(void **state)
{
    (void)state;
    struct pace d = {0};
    pace_begin(&d, 0, t0);
    assert_true(pace_may(&d, mono_add_ms(t0, 1)));
    pace_sent(&d, PACE_START);
    assert_false(pace_may(&d, mono_add_ms(t0, 20)));
    for (int64_t ms = 30; ms < 1000; ms += 10) {
        assert_false(pace_may(&d, mono_add_ms(t0, ms)));
    }
    assert_true(pace_may(&d, mono_add_ms(t0, 1002)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grows_while_all_arrives),
        cmocka_unit_test(a_pause_earns_little),
        cmocka_unit_test(shrinks_with_loss_and_forgives_a_little),
        cmocka_unit_test(what_comes_in_passes),
        cmocka_unit_test(stops_without_reports),
        cmocka_unit_test(a_probe_when_nothing_arrives),
        cmocka_unit_test(losses_of_before_do_not_count),
        cmocka_unit_test(another_session_counts_anew),
        cmocka_unit_test(one_long_frame_waits_for_the_next),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * Paths that are good, dead or lossy, with the time made up: only a way on which nothing arrives
 * is doubted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "model/arrival.h"

static const struct mono t0 = {1000 * NSEC_PER_SEC};

enum { TICK_MS = 100 };

/* A tap that sends `rate` frames a second over a path of `rtt_ms`, and gets a report each second,
 * the first one `phase_ms` after the beginning. */
struct path {
    struct arrival a;
    unsigned rate, rtt_ms, phase_ms;
    unsigned cut_ms, back_ms; /* the ways there and back are dead from then on; 0: never */
};

static uint64_t sent_by(const struct path *p, int64_t ms)
{
    return ms > 0 ? (uint64_t)ms * p->rate / 1000 : 0;
}

/* Ticks until there is doubt, for `end_ms` at most: returns when that was, 0: never. */
static unsigned doubt_at(struct path *p, unsigned end_ms)
{
    int64_t rtt_ns = p->rtt_ms * NSEC_PER_MSEC;
    arrival_begin(&p->a, t0);
    for (unsigned ms = TICK_MS; ms <= end_ms; ms += TICK_MS) {
        struct mono now = mono_add_ms(t0, ms);
        int64_t made = (int64_t)ms - p->rtt_ms / 2; /* when what comes now left the collector */
        bool dead = p->back_ms && made >= p->back_ms;
        if (made >= p->phase_ms && (made - p->phase_ms) % 1000 < TICK_MS && !dead) {
            int64_t until = made - p->rtt_ms / 2;
            until = p->cut_ms ? MIN(until, (int64_t)p->cut_ms) : until;
            arrival_reported(&p->a, sent_by(p, until), now);
        }
        arrival_sent(&p->a, sent_by(p, ms), now);
        if (arrival_doubtful(&p->a, rtt_ns, now)) {
            return ms;
        }
    }
    return 0;
}

static void a_good_path_is_not_doubted(void **state)
{
    (void)state;
    for (unsigned rtt = 0; rtt <= 3000; rtt += 50) {
        for (unsigned phase = 0; phase < 1000; phase += 100) {
            struct path p = {.rate = 1000, .rtt_ms = rtt, .phase_ms = phase};
            assert_int_equal(doubt_at(&p, 60000), 0);
        }
    }
}

/* Whatever the moment, the doubt comes no later than after so much silence, also where the way back
 * dies before a report tells. */
static void a_dead_way_is_noticed(void **state)
{
    (void)state;
    for (unsigned phase = 0; phase < 1000; phase += 50) {
        for (unsigned rtt = 0; rtt <= 200; rtt += 20) {
            struct path p = {.rate = 1000, .rtt_ms = rtt, .phase_ms = phase, .cut_ms = 10000};
            assert_in_range(doubt_at(&p, 60000), 11000, 12200 + rtt + 2 * TICK_MS);
            for (unsigned later = 0; later <= 3000; later += 500) {
                p.back_ms = p.cut_ms + later;
                assert_in_range(doubt_at(&p, 60000), 11000, 12200 + rtt + 2 * TICK_MS);
            }
        }
    }
}

/* The last frame of all is lost: that may be the path, and once it was seen to be good, is not. */
static void a_lost_frame_is_doubted_once(void **state)
{
    (void)state;
    struct arrival a;
    arrival_begin(&a, t0);
    arrival_sent(&a, 10, t0);
    for (unsigned s = 1; s <= 2; s++) {
        arrival_reported(&a, 9, mono_add_ms(t0, s * 1000));
    }
    assert_true(arrival_doubtful(&a, 0, mono_add_ms(t0, 2000)));
    arrival_forgive(&a, 10, mono_add_ms(t0, 2100));
    for (unsigned s = 3; s <= 60; s++) {
        struct mono now = mono_add_ms(t0, s * 1000);
        arrival_reported(&a, 9, now);
        arrival_sent(&a, 10, now);
        assert_false(arrival_doubtful(&a, 0, now));
    }
    arrival_sent(&a, 11, mono_add_ms(t0, 60000)); /* the next one is awaited again */
    arrival_reported(&a, 9, mono_add_ms(t0, 60900));
    assert_false(arrival_doubtful(&a, 0, mono_add_ms(t0, 60900)));
    assert_true(arrival_doubtful(&a, 0, mono_add_ms(t0, 61000)));
    arrival_reported(&a, 11, mono_add_ms(t0, 61100));
    assert_false(arrival_doubtful(&a, 0, mono_add_ms(t0, 90000)));
}

/* One stream that the collector does not serve: as long as others' frames arrive the path is good.
 */
static void what_grows_is_alive(void **state)
{
    (void)state;
    struct arrival a;
    arrival_begin(&a, t0);
    for (unsigned s = 1; s <= 100; s++) {
        struct mono now = mono_add_ms(t0, s * 1000);
        arrival_sent(&a, 2 * s * 100, now);
        arrival_reported(&a, s * 100, now);
        assert_false(arrival_doubtful(&a, 0, now));
        assert_false(arrival_doubtful(&a, 0, mono_add_ms(now, 900)));
    }
    assert_in_range(a.n, ARRIVAL_SAMPLES - 2, ARRIVAL_SAMPLES); /* however much is awaited */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_path_is_not_doubted),
        cmocka_unit_test(a_dead_way_is_noticed),
        cmocka_unit_test(a_lost_frame_is_doubted_once),
        cmocka_unit_test(what_grows_is_alive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

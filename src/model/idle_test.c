/* SPDX-License-Identifier: Apache-2.0
 *
 * The watchdog of one capture, in warped time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "model/idle.h"

enum {
    LOOK_MS = 500,
};

/* A watchdog, with what it sees and what it wanted. */
struct dog {
    struct idle idle;
    struct idle_conf conf;
    struct idle_seen seen;
    struct mono now;
    unsigned reopened, dead;
    int64_t last_ms; /* from the start to the last action */
};

static const struct mono t0 = {1000 * NSEC_PER_SEC};

static struct dog dog(uint32_t max_ms, uint32_t restarts)
{
    return (struct dog){.conf = {max_ms, restarts}, .seen = {7, true, true}, .now = t0};
}

static void look(struct dog *d)
{
    switch (idle_step(&d->idle, &d->conf, &d->seen, d->now)) {
    case IDLE_REOPEN:
        idle_reopened(&d->idle);
        d->reopened++;
        d->last_ms = mono_diff(d->now, t0) / NSEC_PER_MSEC;
        break;
    case IDLE_DEAD:
        d->dead++;
        d->last_ms = mono_diff(d->now, t0) / NSEC_PER_MSEC;
        break;
    case IDLE_NOTHING:
        break;
    }
}

static void pass(struct dog *d, int64_t ms)
{
    for (int64_t end = d->now.ns + ms * NSEC_PER_MSEC; d->now.ns < end;) {
        d->now = mono_add_ms(d->now, LOOK_MS);
        look(d);
    }
}

static void is_opened_anew_and_dies(void **state)
{
    (void)state;
    struct dog d = dog(410000, 3);
    look(&d);
    pass(&d, 409500);
    assert_int_equal(d.reopened, 0);
    pass(&d, LOOK_MS);
    assert_int_equal(d.reopened, 1);
    assert_int_equal(d.idle.restarts, 1);
    assert_int_equal(d.last_ms, 410000);
    pass(&d, 2 * 410000);
    assert_int_equal(d.reopened, 3);
    assert_int_equal(d.last_ms, 3 * 410000);
    assert_false(d.idle.dead);
    pass(&d, 409500);
    assert_int_equal(d.dead, 0);
    pass(&d, LOOK_MS);
    assert_true(d.idle.dead);
    pass(&d, 10 * 410000);
    assert_int_equal(d.dead, 1); /* it is told once */
    assert_int_equal(d.reopened, 3);
}

static void dies_at_once_without_restarts(void **state)
{
    (void)state;
    struct dog d = dog(1000, 0);
    look(&d);
    pass(&d, 1000);
    assert_int_equal(d.reopened, 0);
    assert_int_equal(d.dead, 1);
    assert_int_equal(d.last_ms, 1000);
}

/* Time and restarts begin anew, and so does one that was dead. */
static void a_frame_sets_back(void **state)
{
    (void)state;
    struct dog d = dog(1000, 2);
    look(&d);
    pass(&d, 2500);
    assert_int_equal(d.idle.restarts, 2);
    d.seen.frames++;
    pass(&d, LOOK_MS);
    assert_int_equal(d.idle.restarts, 0);
    assert_int_equal(d.idle.ns, 0);
    pass(&d, 500);
    d.seen.frames += 1000;
    pass(&d, 500);
    pass(&d, 500);
    assert_int_equal(d.reopened, 2);
    pass(&d, 2500);
    assert_true(d.idle.dead);
    d.seen.frames++;
    pass(&d, LOOK_MS);
    assert_false(d.idle.dead);
    assert_int_equal(d.idle.restarts, 0);
    pass(&d, 1000);
    assert_int_equal(d.reopened, 5);
}

/* Hours in which nothing is expected, an interface that is down or gone. */
static void nothing_is_idle_that_cannot_give_frames(void **state)
{
    (void)state;
    for (int closed = 0; closed < 2; closed++) {
        struct dog d = dog(1000, 2);
        bool *way = closed ? &d.seen.expected : &d.seen.up;
        look(&d);
        pass(&d, 1500);
        assert_int_equal(d.reopened, 1);
        *way = false;
        pass(&d, LOOK_MS);
        assert_int_equal(d.idle.restarts, 0);
        assert_int_equal(d.idle.ns, 0);
        pass(&d, 3600000);
        assert_int_equal(d.reopened, 1);
        *way = true;
        look(&d); /* the time begins where it can give frames again */
        pass(&d, 500);
        assert_int_equal(d.reopened, 1);
        pass(&d, 500);
        assert_int_equal(d.reopened, 2);
        pass(&d, 2000);
        assert_true(d.idle.dead);
        *way = false;
        pass(&d, LOOK_MS);
        assert_false(d.idle.dead);
    }
}

static void without_a_time_nothing_is_watched(void **state)
{
    (void)state;
    struct dog d = dog(0, 3);
    look(&d);
    pass(&d, 100000);
    assert_int_equal(d.reopened + d.dead, 0);
    d.conf.max_ms = 1000; /* from now on */
    pass(&d, 500);
    assert_int_equal(d.reopened, 0);
    pass(&d, 500);
    assert_int_equal(d.reopened, 0);
    pass(&d, 500);
    assert_int_equal(d.reopened, 1);
}

/* The program, or the whole machine, stood still: it could see no frame. */
static void a_gap_counts_as_one_look(void **state)
{
    (void)state;
    struct dog d = dog(10000, 3);
    look(&d);
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(d.reopened, 0);
        d.now = mono_add_ms(d.now, 3600000);
        look(&d);
    }
    assert_int_equal(d.reopened, 1);
    assert_int_equal(IDLE_LOOK_MS, 2000);
}

/* It is wanted until it was tried. */
static void is_asked_for_until_it_is_done(void **state)
{
    (void)state;
    struct dog d = dog(1000, 1);
    look(&d);
    for (unsigned i = 0; i < 10; i++) {
        d.now = mono_add_ms(d.now, 500);
        assert_int_equal(idle_step(&d.idle, &d.conf, &d.seen, d.now),
                         i == 0 ? IDLE_NOTHING : IDLE_REOPEN);
    }
    idle_reopened(&d.idle);
    pass(&d, 500);
    assert_int_equal(d.dead, 0);
    pass(&d, 500);
    assert_int_equal(d.dead, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_opened_anew_and_dies),
        cmocka_unit_test(dies_at_once_without_restarts),
        cmocka_unit_test(a_frame_sets_back),
        cmocka_unit_test(nothing_is_idle_that_cannot_give_frames),
        cmocka_unit_test(without_a_time_nothing_is_watched),
        cmocka_unit_test(a_gap_counts_as_one_look),
        cmocka_unit_test(is_asked_for_until_it_is_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * The queue between two threads: order, bounds, and no wake-up that is missed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>

#include "data/meter/outbox.h"

enum {
    MANY = 50000,
    DEADLINE_MS = 20000,
};

static bool push(struct outbox *o, uint32_t records)
{
    struct outmsg *m = outbox_room(o);
    if (m) {
        *m = (struct outmsg){.len = 1, .records = records};
        outbox_push(o);
    }
    return m != NULL;
}

static void it_is_bounded(void **state)
{
    (void)state;
    struct outbox *o;
    assert_int_equal(outbox_new(10 * sizeof(struct outmsg) + 1, 0, &o), 0);
    assert_true(outbox_empty(o) && !outbox_first(o));
    for (uint32_t i = 0; i < 10; i++) {
        assert_int_equal(outbox_behind(o), i > 5);
        assert_true(push(o, i));
    }
    assert_false(push(o, 10));
    for (uint32_t i = 0; i < 10; i++) {
        assert_int_equal(outbox_first(o)->records, i);
        outbox_drop(o);
    }
    assert_true(outbox_empty(o) && push(o, 1));
    outbox_free(o);
    outbox_free(NULL);
}

/* By records too; but one message always goes. */
static void records_fill_it(void **state)
{
    (void)state;
    struct outbox *o;
    assert_int_equal(outbox_new(1 << 20, 20, &o), 0);
    assert_true(push(o, 10));
    assert_false(outbox_behind(o));
    assert_true(push(o, 9));
    assert_true(outbox_behind(o));
    assert_true(push(o, 30));
    assert_false(push(o, 1));
    outbox_drop(o);
    outbox_drop(o);
    assert_false(push(o, 1));
    outbox_drop(o);
    assert_true(push(o, 1000));
    outbox_free(o);
}

static void waiting_ends(void **state)
{
    (void)state;
    struct outbox *o;
    assert_int_equal(outbox_new(1, 0, &o), 0);
    assert_true(push(o, 1));
    const struct mono begin = mono_now();
    outbox_wait(o, false, mono_add_ms(begin, 30));
    assert_true(mono_diff(mono_now(), begin) >= 30 * NSEC_PER_MSEC);
    outbox_call_off(o, true);
    assert_true(outbox_called_off(o));
    outbox_wait(o, true, mono_add_ms(mono_now(), DEADLINE_MS));
    outbox_call_off(o, false);
    assert_false(outbox_called_off(o));
    assert_true(mono_diff(mono_now(), begin) < DEADLINE_MS / 2 * NSEC_PER_MSEC);
    outbox_free(o);
}

/* Wishes of the thread that sends, which wake it. */
static void wishes(void **state)
{
    (void)state;
    struct outbox *o;
    assert_int_equal(outbox_new(4 * sizeof(struct outmsg), 0, &o), 0);
    struct pollfd p = {.fd = outbox_fd(o), .events = POLLIN};
    assert_true(outbox_sleep(o, OUTBOX_MESSAGE_THERE));
    assert_int_equal(poll(&p, 1, 0), 0);
    assert_true(push(o, 1));
    assert_int_equal(poll(&p, 1, 0), 1);
    outbox_awake(o);
    assert_int_equal(poll(&p, 1, 0), 0);
    assert_false(outbox_sleep(o, OUTBOX_MESSAGE_THERE));
    assert_true(outbox_sleep(o, OUTBOX_NOTHING));
    assert_true(push(o, 1));
    assert_int_equal(poll(&p, 1, 0), 0);
    assert_true(outbox_sleep(o, OUTBOX_BEHIND));
    assert_true(push(o, 1));
    assert_int_equal(poll(&p, 1, 0), 1);
    outbox_awake(o);
    assert_false(outbox_sleep(o, OUTBOX_BEHIND));
    outbox_wake(o);
    assert_int_equal(poll(&p, 1, 0), 1);
    outbox_free(o);
}

static void *take_all(void *arg)
{
    struct outbox *o = arg;
    const struct mono end = mono_add_ms(mono_now(), DEADLINE_MS);
    for (uint32_t i = 0; i < MANY && mono_now().ns < end.ns;) {
        const struct outmsg *m = outbox_first(o);
        if (m && m->records == i) {
            outbox_drop(o);
            i++;
        } else if (m) {
            return (void *)"an order that is none";
        } else if (outbox_sleep(o, OUTBOX_MESSAGE_THERE)) {
            struct pollfd p = {.fd = outbox_fd(o), .events = POLLIN};
            if (poll(&p, 1, DEADLINE_MS) == 0) {
                return (void *)"a wake-up that did not come";
            }
        }
        outbox_awake(o);
    }
    return NULL;
}

static void two_threads(void **state)
{
    (void)state;
    struct outbox *o;
    pthread_t taker;
    void *said = NULL;
    const struct mono end = mono_add_ms(mono_now(), DEADLINE_MS);
    assert_int_equal(outbox_new(3 * sizeof(struct outmsg), 0, &o), 0);
    assert_int_equal(pthread_create(&taker, NULL, take_all, o), 0);
    for (uint32_t i = 0; i < MANY && mono_now().ns < end.ns;) {
        if (push(o, i)) {
            i++;
        } else {
            outbox_wait(o, i % 2, end);
        }
    }
    pthread_join(taker, &said);
    if (said) {
        fail_msg("%s", (const char *)said);
    }
    assert_true(outbox_empty(o));
    assert_true(mono_now().ns < end.ns);
    outbox_free(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_bounded), cmocka_unit_test(records_fill_it),
        cmocka_unit_test(waiting_ends),  cmocka_unit_test(wishes),
        cmocka_unit_test(two_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

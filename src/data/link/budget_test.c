/* SPDX-License-Identifier: Apache-2.0
 *
 * The rate of a tap with its lock (budget.h): threads that want more than there is share it, none
 * is passed over, and all that leaves is counted. How much may leave is model/rate_test.c's matter,
 * and who may, model/share_test.c's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <pthread.h>

#include "base/cleanup.h"
#include "data/link/budget.h"

enum {
    DATAGRAM = 1500,
    SENDERS = 4,
    WANTED = 100, /* datagrams of each */
};

struct sender {
    struct budget *b;
    struct budget_seat seat;
    pthread_t id;
    unsigned sent;
};

static struct budget *make(uint64_t bits, uint32_t queue_ms)
{
    struct budget *b = NULL;
    const struct budget_conf conf = {{bits, 10}, queue_ms};
    assert_int_equal(budget_new(&conf, &b), 0);
    return b;
}

static void *send_all(void *user)
{
    struct sender *s = user;
    while (s->sent < WANTED) {
        int ms = 0;
        unsigned n = budget_take(s->b, &s->seat, DATAGRAM, WANTED - s->sent, &ms);
        if (n > 0) {
            budget_left(s->b, &s->seat, (uint64_t)n * DATAGRAM, (uint64_t)n * DATAGRAM);
            s->sent += n;
        } else {
            (void)poll(NULL, 0, ms);
        }
        (void)budget_tell(s->b, &s->seat, (WANTED - s->sent) * DATAGRAM, 1, 0);
    }
    return NULL;
}

static void threads_share_it(void **state)
{
    (void)state;
    struct budget *b = make(20000000, 200);
    struct sender s[SENDERS];
    struct budget_figures f;
    struct mono began = mono_now();
    for (unsigned i = 0; i < SENDERS; i++) {
        s[i] = (struct sender){.b = b};
        budget_join(b, &s[i].seat);
        assert_int_equal(pthread_create(&s[i].id, NULL, send_all, &s[i]), 0);
    }
    for (unsigned i = 0; i < 20; i++) {
        budget_charge(b, 100);
        budget_figures(b, &f);
        assert_true(f.wished >= f.sent);
    }
    for (unsigned i = 0; i < SENDERS; i++) {
        assert_int_equal(pthread_join(s[i].id, NULL), 0);
    }
    int64_t ns = mono_diff(mono_now(), began);
    budget_figures(b, &f);
    assert_int_equal(f.sent, SENDERS * WANTED * DATAGRAM + 2000);
    assert_true(ns > INT64_C(200) * NSEC_PER_MSEC); /* 240 ms less a burst */
    for (unsigned i = 0; i < SENDERS; i++) {
        budget_leave(b, &s[i].seat);
    }
    budget_free(b);
}

/* One that was served lets another go first, and each is told how long it has to wait. */
static void turns_are_kept(void **state)
{
    (void)state;
    struct budget *b = make(1000000, 200);
    struct budget_seat s[2];
    int ms[2] = {0};
    unsigned n = 0;
    budget_join(b, &s[0]);
    budget_join(b, &s[1]);
    assert_int_equal(budget_take(b, &s[0], DATAGRAM, 9, &ms[0]), 2); /* a burst */
    budget_left(b, &s[0], UINT64_C(2) * DATAGRAM, UINT64_C(2) * DATAGRAM);
    assert_int_equal(budget_take(b, &s[1], DATAGRAM, 9, &ms[1]), 0);
    assert_in_range(ms[1], 1, 13); /* a datagram takes 12 ms */
    struct mono end = mono_add_ms(mono_now(), 10000), asked = mono_now();
    while (n == 0) {
        assert_false(mono_due(mono_now(), end));
        (void)poll(NULL, 0, 1);
        unsigned first = budget_room(b, &s[0], DATAGRAM, 9, &ms[0]);
        bool late = mono_due(mono_now(), mono_add_ms(asked, SHARE_LATE_MS)); /* a busy machine */
        assert_true(late || (first == 0 && ms[0] >= 1));
        n = budget_take(b, &s[1], DATAGRAM, 1, &ms[1]);
        asked = mono_now();
    }
    budget_leave(b, &s[0]);
    budget_leave(b, &s[1]);
    budget_free(b);
}

static void what_is_told_adds_up(void **state)
{
    (void)state;
    struct budget *b = make(8000000, 200);
    struct budget_seat s[2];
    struct budget_figures f;
    budget_join(b, &s[0]);
    budget_join(b, &s[1]);
    assert_int_equal(budget_queue(b), 200000);
    assert_int_equal(budget_tell(b, &s[0], 1000, 77, 300), 200000);
    assert_int_equal(budget_tell(b, &s[1], 500, 66, 40), 100000); /* the room is for all who wait */
    assert_int_equal(budget_tell(b, &s[0], 1000, 77, 300), 100000);
    budget_charge(b, 5000);
    budget_figures(b, &f);
    assert_int_equal(f.rate_bps, 8000000);
    assert_int_equal(f.waiting, 1500);
    assert_int_equal(f.oldest_ns, 66);
    assert_int_equal(f.sent, 5000);
    assert_int_equal(f.wished, 5000 + 1500 + 340);
    assert_int_equal(budget_tell(b, &s[1], 0, 0, 40), 100000);
    assert_int_equal(budget_tell(b, &s[0], 1000, 77, 300), 200000);
    budget_leave(b, &s[1]); /* what it had dropped stays counted */
    budget_figures(b, &f);
    assert_int_equal(f.wished, 5000 + 1000 + 340);
    assert_int_equal(f.oldest_ns, 77);
    budget_set(b, &(struct budget_conf){{64000, 10}, 200});
    assert_int_equal(budget_queue(b), BUDGET_QUEUE_MIN);
    assert_int_equal(budget_burst(b, DATAGRAM), 1);
    budget_set(b, &(struct budget_conf){{100000000, 10}, 200});
    assert_int_equal(budget_burst(b, DATAGRAM), 83);
    budget_leave(b, &s[0]);
    budget_free(b);
}

/* Over the last second: from one tick to another. */
static void figures_of_the_last_second(void **state)
{
    (void)state;
    struct budget *b = make(8000000, 200);
    struct budget_seat s;
    struct budget_figures f;
    budget_join(b, &s);
    budget_figures(b, &f);
    assert_true(f.sent_bps == 0 && f.wish_bps == 0);
    budget_tick(b);
    budget_figures(b, &f);
    assert_true(f.sent_bps == 0 && f.wish_bps == 0);
    budget_charge(b, 1000000);
    (void)budget_tell(b, &s, 0, 0, 3000000);
    struct mono began = mono_now();
    (void)poll(NULL, 0, 20);
    budget_tick(b);
    struct mono end = mono_now();
    budget_figures(b, &f);
    uint64_t least =
        UINT64_C(8000000) * 1000 / (uint64_t)(mono_diff(end, began) / NSEC_PER_MSEC + 2);
    assert_in_range(f.sent_bps, least, 8000000 / 20 * 1000);
    assert_in_range(f.wish_bps, f.sent_bps * 4 - 4, f.sent_bps * 4 + 4);
    budget_leave(b, &s);
    budget_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_share_it),
        cmocka_unit_test(turns_are_kept),
        cmocka_unit_test(what_is_told_adds_up),
        cmocka_unit_test(figures_of_the_last_second),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

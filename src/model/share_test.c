/* SPDX-License-Identifier: Apache-2.0
 *
 * Members of a budget (share.h) in warped time: none starves, and none saves up.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "model/share.h"

enum {
    TURN = 3000,
    DATAGRAM = 1500,
    MEMBERS = 3,
};

static const struct mono t0 = {1000 * NSEC_PER_SEC};

struct user {
    struct share_member m;
    uint64_t wish, got; /* bytes; the wish is for each millisecond */
    uint64_t waits;
    bool away;
};

/* A millisecond in which `room` bytes may leave; `first` comes first. */
static void step(struct share *s, struct user *u, unsigned first, uint64_t room, struct mono now)
{
    for (unsigned k = 0; k < 2 * MEMBERS; k++) {
        struct user *x = &u[(first + k) % MEMBERS];
        x->waits += k < MEMBERS && !x->away ? x->wish : 0;
        uint64_t most = MIN(MIN(room, x->waits), share_most(s, &x->m, TURN, now));
        most = x->away ? 0 : most / DATAGRAM * DATAGRAM;
        if (most > 0) {
            share_served(s, &x->m, most, now);
            x->waits -= most;
            x->got += most;
            room -= most;
        }
        if (x->waits >= DATAGRAM && !x->away) {
            share_wait(s, &x->m, mono_add_ms(now, 1), now);
        } else {
            share_done(&x->m);
        }
    }
}

static void begin(struct share *s, struct user *u)
{
    *s = (struct share){0};
    for (unsigned i = 0; i < MEMBERS; i++) {
        u[i] = (struct user){0};
        share_join(s, &u[i].m);
    }
}

/* The one that always comes first gets no more than the others. */
static void equal_shares_where_all_want_more(void **state)
{
    (void)state;
    struct share s;
    struct user u[MEMBERS];
    begin(&s, u);
    for (unsigned i = 0; i < MEMBERS; i++) {
        u[i].wish = 9000 * (i + 1);
    }
    for (unsigned i = 0; i < 3000; i++) {
        step(&s, u, 0, 9000, mono_add_ms(t0, i));
    }
    for (unsigned i = 0; i < MEMBERS; i++) {
        assert_in_range(u[i].got, 8900000, 9100000);
    }
}

static void small_wishes_are_met(void **state)
{
    (void)state;
    struct share s;
    struct user u[MEMBERS];
    begin(&s, u);
    u[0].wish = 90000;
    u[1].wish = 1500;
    u[2].wish = 90000;
    for (unsigned i = 0; i < 3000; i++) {
        step(&s, u, i % MEMBERS, 9000, mono_add_ms(t0, i));
    }
    assert_in_range(u[1].got, 4400000, 4500000);
    assert_in_range(u[0].got, 11000000, 11500000);
    assert_in_range(u[2].got, 11000000, 11500000);
}

/* A member that was alone for long does not pay for that, nor is one that was away owed anything.
 */
static void nobody_saves_up(void **state)
{
    (void)state;
    struct share s;
    struct user u[MEMBERS];
    begin(&s, u);
    u[0].wish = 90000;
    for (unsigned i = 0; i < 3000; i++) {
        step(&s, u, 0, 9000, mono_add_ms(t0, i));
    }
    u[0].got = 0;
    u[1].wish = 90000;
    for (unsigned i = 3000; i < 3100; i++) {
        step(&s, u, 1, 9000, mono_add_ms(t0, i));
    }
    assert_in_range(u[0].got, 435000, 465000);
    assert_in_range(u[1].got, 435000, 465000);
}

/* One that waits and does not come again holds nobody up for longer than a moment. */
static void who_does_not_come_is_not_waited_for(void **state)
{
    (void)state;
    struct share s;
    struct user u[MEMBERS];
    begin(&s, u);
    share_wait(&s, &u[2].m, mono_add_ms(t0, 1), t0);
    u[2].away = true;
    assert_int_equal(share_most(&s, &u[0].m, TURN, t0), TURN);
    share_served(&s, &u[0].m, 1000, t0);
    assert_int_equal(share_most(&s, &u[0].m, TURN, t0), TURN - 1000);
    share_served(&s, &u[0].m, TURN - 1000, t0);
    assert_int_equal(share_most(&s, &u[0].m, TURN, t0), 0);
    assert_int_equal(share_ahead(&s, &u[0].m, t0), TURN);
    const struct mono later = mono_add_ms(t0, 1 + SHARE_LATE_MS);
    assert_true(share_most(&s, &u[0].m, TURN, later) == UINT64_MAX);
    assert_int_equal(share_ahead(&s, &u[0].m, later), 0);
    share_returned(&u[0].m, TURN); /* but not to before its turn began */
    assert_int_equal(share_most(&s, &u[0].m, TURN, t0), TURN - 1000);
    share_leave(&s, &u[2].m);
    assert_true(share_most(&s, &u[0].m, TURN, t0) == UINT64_MAX);
    share_leave(&s, &u[0].m);
    share_leave(&s, &u[1].m);
    assert_null(s.first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_shares_where_all_want_more),
        cmocka_unit_test(small_wishes_are_met),
        cmocka_unit_test(nobody_saves_up),
        cmocka_unit_test(who_does_not_come_is_not_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

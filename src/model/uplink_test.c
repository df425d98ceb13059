/* SPDX-License-Identifier: Apache-2.0
 *
 * The session's state machine (uplink.h) and the collector's guard against guesses (guard.h), step
 * by step, with the time made up.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "model/admission.h"
#include "model/guard.h"
#include "model/uplink.h"

static const struct mono t0 = {1000 * NSEC_PER_SEC};

static void bring_up(struct uplink *u, struct mono now)
{
    assert_int_equal(uplink_step(u, UPLINK_START, now), UPLINK_DO_RESOLVE);
    assert_int_equal(uplink_step(u, UPLINK_RESOLVED, now), UPLINK_DO_HELLO);
    assert_int_equal(uplink_step(u, UPLINK_ANSWER, now), UPLINK_DO_CONFIRM);
    assert_int_equal(uplink_step(u, UPLINK_ACCEPTED, now), UPLINK_DO_INFO);
    assert_int_equal(uplink_step(u, UPLINK_ACK_NEW, now), UPLINK_DO_UP);
    assert_true(u->up);
    assert_int_equal(u->state, UPLINK_IDLE);
}

static void goes_up(void **state)
{
    (void)state;
    struct uplink u;
    uplink_init(&u, 7);
    bring_up(&u, t0);
    assert_string_equal(uplink_words(&u), "up");
    assert_int_equal(uplink_step(&u, UPLINK_ANSWER, t0), 0); /* late doubles change nothing */
    assert_int_equal(uplink_step(&u, UPLINK_ACCEPTED, t0), 0);
    assert_int_equal(uplink_step(&u, UPLINK_ACK_NEW, t0), 0);
    assert_int_equal(uplink_step(&u, UPLINK_REFUSED, t0), 0);
    assert_true(u.up);
}

/* Runs ticks at the times the machine asks for; counts HELLOs and name look-ups until `end`. */
static void run_alone(struct uplink *u, struct mono now, struct mono end, unsigned *hellos,
                      unsigned *lookups)
{
    for (;;) {
        struct mono next = uplink_next(u);
        assert_true(next.ns != 0 && next.ns > now.ns);
        now = next;
        if (now.ns > end.ns) {
            return;
        }
        unsigned a = uplink_step(u, UPLINK_TICK, now);
        if (a & UPLINK_DO_RESOLVE) {
            ++*lookups;
            a |= uplink_step(u, UPLINK_RESOLVED, now);
        }
        *hellos += a & UPLINK_DO_HELLO ? 1 : 0;
    }
}

/* The look-up of the collector's new address took four seconds. */
static void another_address_gets_its_time(void **state)
{
    (void)state;
    struct uplink u;
    uplink_init(&u, 7);
    bring_up(&u, t0);
    struct mono found = mono_add_ms(t0, 7500);
    assert_int_equal(uplink_step(&u, UPLINK_MOVED, found), 0);
    assert_int_equal(uplink_step(&u, UPLINK_TICK, mono_add_ms(found, UPLINK_MOVED_MS - 1)),
                     UPLINK_DO_HOLD); /* in doubt, and not given up */
    assert_true(u.up);
    assert_true(uplink_step(&u, UPLINK_TICK, mono_add_ms(found, UPLINK_MOVED_MS)) & UPLINK_DO_DOWN);
    uplink_init(&u, 7); /* and it takes none away */
    bring_up(&u, t0);
    uplink_step(&u, UPLINK_MOVED, t0);
    assert_int_equal(uplink_step(&u, UPLINK_TICK, mono_add_ms(t0, UPLINK_DEAD_MS - 1)),
                     UPLINK_DO_HOLD);
    assert_true(u.up);
}

static void retries_for_ever_and_slower(void **state)
{
    (void)state;
    struct uplink u;
    uplink_init(&u, 7);
    unsigned hellos = 1, lookups = 1;
    uplink_step(&u, UPLINK_START, t0);
    uplink_step(&u, UPLINK_RESOLVED, t0);
    run_alone(&u, t0, mono_add_ms(t0, 10000), &hellos, &lookups);
    assert_in_range(hellos, 4, 8);
    hellos = lookups = 0;
    run_alone(&u, mono_add_ms(t0, 10000), mono_add_ms(t0, 610000), &hellos, &lookups);
    assert_in_range(lookups, 12, 30);      /* the name is looked up anew each time */
    assert_int_equal(hellos / 4, lookups); /* the last one may still be going on */
    assert_false(u.up);
}

static void jitter_differs(void **state)
{
    (void)state;
    struct uplink a, b;
    uplink_init(&a, 12345);
    uplink_init(&b, 54321);
    for (struct uplink *u = &a;; u = &b) {
        uplink_step(u, UPLINK_START, t0);
        uplink_step(u, UPLINK_RESOLVE_FAILED, t0);
        int64_t ms = mono_diff(uplink_next(u), t0) / NSEC_PER_MSEC;
        assert_in_range(ms, 750, 1250);
        if (u == &b) {
            break;
        }
    }
    assert_true(uplink_next(&a).ns != uplink_next(&b).ns);
}

static void silence_ends_the_session(void **state)
{
    (void)state;
    struct uplink u;
    uplink_init(&u, 7);
    bring_up(&u, t0);
    struct mono t = mono_add_ms(t0, 4000);
    uplink_step(&u, UPLINK_HEARD, t);
    assert_int_equal(uplink_step(&u, UPLINK_TICK, mono_add_ms(t0, 8999)), UPLINK_DO_HOLD);
    assert_int_equal(uplink_step(&u, UPLINK_TICK, mono_add_ms(t0, 9000)),
                     UPLINK_DO_DOWN | UPLINK_DO_FORGET | UPLINK_DO_RESOLVE);
    assert_false(u.up);
}

static void rekeys_without_going_down(void **state)
{
    (void)state;
    struct uplink u;
    uplink_init(&u, 7);
    bring_up(&u, t0);
    struct mono t = t0;
    while (mono_diff(t, t0) < (UPLINK_REKEY_MS - UPLINK_REKEY_JITTER_MS - 1000) * NSEC_PER_MSEC) {
        t = mono_add_ms(t, 1000);
        uplink_step(&u, UPLINK_HEARD, t);
        assert_int_equal(uplink_step(&u, UPLINK_TICK, t), 0);
    }
    t = mono_add_ms(t0, UPLINK_REKEY_MS);
    uplink_step(&u, UPLINK_HEARD, t);
    assert_int_equal(uplink_step(&u, UPLINK_TICK, t), UPLINK_DO_HELLO);
    assert_true(u.up);
    assert_int_equal(uplink_step(&u, UPLINK_ACCEPTED, t), UPLINK_DO_INFO);
    assert_int_equal(uplink_step(&u, UPLINK_ACK_RESUMED, t), UPLINK_DO_REKEY);
    assert_true(u.up);
    /* A handshake that fails leaves the session alone. */
    t = mono_add_ms(t, UPLINK_REKEY_MS);
    uplink_step(&u, UPLINK_HEARD, t);
    assert_int_equal(uplink_step(&u, UPLINK_TICK, t), UPLINK_DO_HELLO);
    assert_int_equal(uplink_step(&u, UPLINK_FAILED, t), UPLINK_DO_FORGET);
    assert_true(u.up);
}

/* A thousand taps that came up at once do not re-key at once. */
static void keys_are_changed_at_random_times(void **state)
{
    (void)state;
    enum { TAPS = 1000 };
    unsigned in_second[UPLINK_REKEY_JITTER_MS / 1000 + 1] = {0};
    for (uint32_t i = 0; i < TAPS; i++) {
        struct uplink u;
        uplink_init(&u, i * 2654435761u);
        bring_up(&u, t0);
        assert_in_range(u.rekey_ms, UPLINK_REKEY_MS - UPLINK_REKEY_JITTER_MS, UPLINK_REKEY_MS);
        in_second[(UPLINK_REKEY_MS - u.rekey_ms) / 1000]++;
        u.heard = mono_add_ms(t0, u.rekey_ms);
        assert_int_equal(uplink_step(&u, UPLINK_TICK, mono_add_ms(t0, u.rekey_ms - 1)), 0);
        assert_int_equal(uplink_next(&u).ns, mono_add_ms(t0, u.rekey_ms).ns);
        assert_int_equal(uplink_step(&u, UPLINK_TICK, mono_add_ms(t0, u.rekey_ms)),
                         UPLINK_DO_HELLO);
    }
    for (unsigned i = 0; i < UPLINK_REKEY_JITTER_MS / 1000; i++) {
        assert_in_range(in_second[i], TAPS / 20, TAPS / 5);
    }
}

static void a_refusal_is_a_hint(void **state)
{
    (void)state;
    struct uplink u;
    uplink_init(&u, 7);
    uplink_step(&u, UPLINK_START, t0);
    uplink_step(&u, UPLINK_RESOLVED, t0);
    assert_int_equal(uplink_step(&u, UPLINK_REFUSED, t0), 0);
    assert_int_equal(uplink_step(&u, UPLINK_ANSWER, t0), UPLINK_DO_CONFIRM); /* it was forged */
    struct mono t = mono_add_ms(t0, UPLINK_TRY_MS);
    assert_int_equal(uplink_step(&u, UPLINK_TICK, t), UPLINK_DO_CONFIRM);
    assert_int_equal(uplink_step(&u, UPLINK_REFUSED, t), 0);
    t = mono_add_ms(t, 2 * UPLINK_TRY_MS);
    assert_int_equal(uplink_step(&u, UPLINK_TICK, t), UPLINK_DO_SAY | UPLINK_DO_CONFIRM);
    t = mono_add_ms(t, 4 * UPLINK_TRY_MS);
    assert_int_equal(uplink_step(&u, UPLINK_TICK, t), UPLINK_DO_CONFIRM); /* told once for each */
    assert_int_equal(uplink_step(&u, UPLINK_ACCEPTED, t), UPLINK_DO_INFO);
    assert_int_equal(uplink_step(&u, UPLINK_ACK_NEW, t), UPLINK_DO_UP);
}

static void a_late_acknowledgment_revives_nothing(void **state)
{
    (void)state;
    struct uplink u;
    uplink_init(&u, 7);
    bring_up(&u, t0);
    assert_int_equal(uplink_step(&u, UPLINK_HINT, mono_add_ms(t0, 4000)),
                     UPLINK_DO_HELLO | UPLINK_DO_HOLD);
    assert_int_equal(uplink_step(&u, UPLINK_ACCEPTED, mono_add_ms(t0, 4100)), UPLINK_DO_INFO);
    struct mono t = mono_add_ms(t0, UPLINK_DEAD_MS);
    assert_int_equal(uplink_step(&u, UPLINK_TICK, t),
                     UPLINK_DO_DOWN | UPLINK_DO_FORGET | UPLINK_DO_RESOLVE);
    assert_int_equal(uplink_step(&u, UPLINK_ACK_RESUMED, t), 0);
    assert_false(u.up);
}

static void the_collector_may_end_it(void **state)
{
    (void)state;
    struct uplink u;
    uplink_init(&u, 7);
    assert_int_equal(uplink_step(&u, UPLINK_CLOSED, t0), 0);
    bring_up(&u, t0);
    assert_int_equal(uplink_step(&u, UPLINK_CLOSED, t0), UPLINK_DO_DOWN | UPLINK_DO_FORGET);
    assert_false(u.up);
    assert_int_equal(uplink_step(&u, UPLINK_TICK, mono_add_ms(t0, 1250)), UPLINK_DO_RESOLVE);
}

static void an_old_key_is_not_used(void **state)
{
    (void)state;
    struct uplink u;
    uplink_init(&u, 7);
    bring_up(&u, t0);
    for (int64_t ms = 1000; ms < UPLINK_KEY_MAX_MS; ms += 1000) { /* nobody answers a handshake */
        uplink_step(&u, UPLINK_HEARD, mono_add_ms(t0, ms));
        uplink_step(&u, UPLINK_TICK, mono_add_ms(t0, ms));
        assert_true(u.up);
    }
    uplink_step(&u, UPLINK_HEARD, mono_add_ms(t0, UPLINK_KEY_MAX_MS));
    assert_true(uplink_step(&u, UPLINK_TICK, mono_add_ms(t0, UPLINK_KEY_MAX_MS)) & UPLINK_DO_DOWN);
    assert_false(u.up);
}

static void a_restarted_collector_is_found(void **state)
{
    (void)state;
    struct uplink u;
    uplink_init(&u, 7);
    bring_up(&u, t0);
    struct mono t = mono_add_ms(t0, 100);
    assert_int_equal(uplink_step(&u, UPLINK_HINT, t), UPLINK_DO_HELLO | UPLINK_DO_HOLD);
    assert_true(u.up); /* a hint proves nothing */
    assert_int_equal(uplink_step(&u, UPLINK_HINT, t), 0);
    uplink_step(&u, UPLINK_ANSWER, t);
    uplink_step(&u, UPLINK_ACCEPTED, t);
    assert_int_equal(uplink_step(&u, UPLINK_ACK_NEW, t), UPLINK_DO_DOWN | UPLINK_DO_UP);
    assert_int_equal(uplink_step(&u, UPLINK_HINT, t), 0); /* not twice in a second */
    assert_int_equal(uplink_step(&u, UPLINK_HINT, mono_add_ms(t, 1000)), UPLINK_DO_HELLO);
}

static void silence_is_doubted_first(void **state)
{
    (void)state;
    struct uplink u;
    uplink_init(&u, 7);
    bring_up(&u, t0);
    assert_int_equal(uplink_next(&u).ns, mono_add_ms(t0, UPLINK_HOLD_MS).ns);
    assert_int_equal(uplink_step(&u, UPLINK_TICK, mono_add_ms(t0, UPLINK_HOLD_MS - 1)), 0);
    struct mono t = mono_add_ms(t0, UPLINK_HOLD_MS);
    assert_int_equal(uplink_step(&u, UPLINK_TICK, t), UPLINK_DO_HOLD);
    assert_true(u.up && u.held);
    assert_string_not_equal(uplink_words(&u), "up");
    assert_int_equal(uplink_step(&u, UPLINK_TICK, t), 0); /* said once */
    assert_int_equal(uplink_next(&u).ns, mono_add_ms(t0, UPLINK_DEAD_MS).ns);
    t = mono_add_ms(t, 500);
    assert_int_equal(uplink_step(&u, UPLINK_HEARD, t), 0); /* the way there may be dead still */
    assert_true(u.held);
    assert_int_equal(uplink_step(&u, UPLINK_PROVEN, t), UPLINK_DO_GO); /* the same session */
    assert_int_equal(uplink_step(&u, UPLINK_PROVEN, t), 0);
    assert_string_equal(uplink_words(&u), "up");
    /* The end of the session is the end of the doubt, and the next one begins without. */
    t = mono_add_ms(t, UPLINK_HOLD_MS);
    assert_int_equal(uplink_step(&u, UPLINK_TICK, t), UPLINK_DO_HOLD);
    t = mono_add_ms(t, UPLINK_DEAD_MS - UPLINK_HOLD_MS);
    assert_true(uplink_step(&u, UPLINK_TICK, t) & UPLINK_DO_DOWN);
    assert_false(u.held);
    assert_int_equal(uplink_step(&u, UPLINK_RESOLVED, t), UPLINK_DO_HELLO);
    assert_int_equal(uplink_step(&u, UPLINK_ACCEPTED, t), UPLINK_DO_INFO);
    assert_int_equal(uplink_step(&u, UPLINK_ACK_NEW, t), UPLINK_DO_UP);
    assert_false(u.held);
}

/* Reports go on coming, and the caller sees that nothing arrives, or that its clock has jumped. */
static void a_reason_of_the_callers(void **state)
{
    (void)state;
    struct uplink u;
    uplink_init(&u, 7);
    assert_int_equal(uplink_step(&u, UPLINK_DOUBT, t0), 0);
    bring_up(&u, t0);
    assert_int_equal(uplink_step(&u, UPLINK_DOUBT, t0), UPLINK_DO_HOLD);
    assert_int_equal(uplink_step(&u, UPLINK_DOUBT, t0), 0);
    for (int64_t ms = 1000; ms <= 60000; ms += 1000) {
        struct mono t = mono_add_ms(t0, ms);
        assert_int_equal(uplink_step(&u, UPLINK_HEARD, t), 0);
        assert_int_equal(uplink_step(&u, UPLINK_TICK, t), 0);
        assert_true(u.up && u.held);
    }
    assert_int_equal(uplink_step(&u, UPLINK_PROVEN, t0), UPLINK_DO_GO);
    assert_int_equal(uplink_step(&u, UPLINK_DOUBT, t0), UPLINK_DO_HOLD); /* as often as it likes */
    assert_true(uplink_step(&u, UPLINK_TICK, mono_add_ms(t0, 60000 + UPLINK_DEAD_MS)) &
                UPLINK_DO_DOWN); /* and silence is silence */
    assert_false(u.held);
}

static void a_new_key_ends_doubt(void **state)
{
    (void)state;
    struct uplink u;
    uplink_init(&u, 7);
    bring_up(&u, t0);
    struct mono t = mono_add_ms(t0, 3000);
    assert_int_equal(uplink_step(&u, UPLINK_HINT, t), UPLINK_DO_HELLO | UPLINK_DO_HOLD);
    assert_int_equal(uplink_step(&u, UPLINK_ACCEPTED, t), UPLINK_DO_INFO);
    assert_int_equal(uplink_step(&u, UPLINK_ACK_RESUMED, t), UPLINK_DO_REKEY | UPLINK_DO_GO);
    assert_true(u.up && !u.held);
}

/* A forger of messages that no key protects makes frames late now and then, and no more. */
static void a_forger_cannot_hold_for_ever(void **state)
{
    (void)state;
    struct uplink u;
    uplink_init(&u, 7);
    assert_int_equal(uplink_step(&u, UPLINK_SUSPECT, t0), 0);
    bring_up(&u, t0);
    unsigned held_ms = 0;
    for (int64_t ms = 10; ms <= 60000; ms += 10) {
        struct mono t = mono_add_ms(t0, ms);
        (void)uplink_step(&u, UPLINK_SUSPECT, t);
        (void)uplink_step(&u, UPLINK_TICK, t);
        if (ms % 1000 == 0) {
            (void)uplink_step(&u, UPLINK_HEARD, t);
            (void)uplink_step(&u, UPLINK_PROVEN, t);
        }
        assert_true(u.up);
        held_ms += u.held ? 10 : 0;
    }
    assert_in_range(held_ms, 1000, 6100);
}

static void guesses_are_slowed_down(void **state)
{
    (void)state;
    static struct guard g;
    uint8_t a[16] = {[10] = 0xff, [11] = 0xff, 192, 0, 2, 1}, b[16] = {0x20, 1, 0xd, 0xb8};
    guard_init(&g, 99, t0);
    assert_true(guard_allows(&g, a, t0));
    struct mono t = t0;
    const int64_t waits[] = {1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000};
    for (unsigned i = 0; i < 8; i++) {
        assert_int_equal(guard_failed(&g, a, t), i + 1);
        assert_false(guard_allows(&g, a, mono_add_ms(t, waits[i] - 1)));
        assert_true(guard_allows(&g, b, t));
        t = mono_add_ms(t, waits[i]);
        assert_true(guard_allows(&g, a, t));
    }
    guard_passed(&g, a, t);
    assert_int_equal(guard_failed(&g, a, t), 1);
    uint8_t c[16];
    memcpy(c, b, 16);
    guard_failed(&g, b, t);
    c[15] = 77; /* another address of the same host */
    assert_false(guard_allows(&g, c, t));
    assert_true(guard_allows(&g, b, mono_add_ms(t, GUARD_FORGET_MS + 60001)));
}

/* Handshakes that were begun before the first of them failed are guesses, too: each costs the wait
 * that it would have cost alone, up to the time after which all is forgiven. */
static void guesses_side_by_side_are_waited_for(void **state)
{
    (void)state;
    static struct guard g;
    uint8_t a[16] = {[10] = 0xff, [11] = 0xff, 192, 0, 2, 1};
    guard_init(&g, 99, t0);
    for (unsigned i = 0; i < 8; i++) {
        guard_failed(&g, a, t0);
    }
    int64_t one_by_one = 1000 + 2000 + 4000 + 8000 + 16000 + 32000 + 60000 + 60000;
    assert_false(guard_allows(&g, a, mono_add_ms(t0, one_by_one - 1)));
    assert_true(guard_allows(&g, a, mono_add_ms(t0, one_by_one)));
    guard_init(&g, 99, t0);
    for (unsigned i = 0; i < 500; i++) {
        guard_failed(&g, a, t0);
    }
    assert_false(guard_allows(&g, a, mono_add_ms(t0, GUARD_FORGET_MS - 1)));
    assert_true(guard_allows(&g, a, mono_add_ms(t0, GUARD_FORGET_MS)));
}

/* The same for many addresses together: what they have overdrawn comes back at its rate. */
static void addresses_side_by_side_are_waited_for(void **state)
{
    (void)state;
    static struct guard g;
    uint8_t stranger[16] = {0x20, 1, 0xd, 0xb8};
    guard_init(&g, 99, t0);
    for (unsigned i = 0; i < GUARD_BURST + 100; i++) {
        uint8_t a[16] = {[10] = 0xff, [11] = 0xff, 10, 0, 0, (uint8_t)i};
        guard_failed(&g, a, t0);
    }
    assert_false(guard_allows(&g, stranger, mono_add_ms(t0, 100 * GUARD_REFILL_MS)));
    assert_true(guard_allows(&g, stranger, mono_add_ms(t0, 101 * GUARD_REFILL_MS)));
    for (unsigned i = 0; i < 100000; i++) {
        uint8_t a[16] = {[10] = 0xff,        [11] = 0xff,       10,
                         (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i};
        guard_failed(&g, a, mono_add_ms(t0, 101 * GUARD_REFILL_MS));
    }
    int64_t end = 101 + GUARD_DEBT;
    assert_false(guard_allows(&g, stranger, mono_add_ms(t0, end * GUARD_REFILL_MS)));
    assert_true(guard_allows(&g, stranger, mono_add_ms(t0, (end + 1) * GUARD_REFILL_MS)));
}

static void many_addresses_guess_no_faster(void **state)
{
    (void)state;
    static struct guard g;
    guard_init(&g, 99, t0);
    unsigned tried = 0;
    for (unsigned i = 0; i < 100000; i++) { /* within 10 s, each from another address */
        struct mono t = {t0.ns + (int64_t)i * 100000};
        uint8_t a[16] = {[10] = 0xff,        [11] = 0xff,       10,
                         (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i};
        if (guard_allows(&g, a, t)) {
            tried++;
            guard_failed(&g, a, t);
        }
    }
    assert_in_range(tried, GUARD_BURST, GUARD_BURST + 10);
}

/* The first refill is counted from the beginning, not from the first look. */
static void refills_from_the_beginning(void **state)
{
    (void)state;
    static struct guard g;
    const uint8_t a[16] = {[10] = 0xff, [11] = 0xff, 192, 0, 2, 1}, b[16] = {0x20, 1};
    guard_init(&g, 99, t0);
    for (unsigned i = 0; i < GUARD_BURST; i++) {
        guard_failed(&g, a, mono_add_ms(t0, GUARD_REFILL_MS - 1));
    }
    assert_false(guard_allows(&g, b, mono_add_ms(t0, GUARD_REFILL_MS - 1)));
    assert_true(guard_allows(&g, b, mono_add_ms(t0, GUARD_REFILL_MS)));
}

/* An address that was right before comes in while others guess from everywhere; a stranger has to
 * wait. */
static void the_known_do_not_wait(void **state)
{
    (void)state;
    static struct guard g;
    uint8_t known[16] = {[10] = 0xff, [11] = 0xff, 192, 0, 2, 1};
    uint8_t stranger[16] = {[10] = 0xff, [11] = 0xff, 192, 0, 2, 2};
    guard_init(&g, 99, t0);
    guard_passed(&g, known, t0);
    for (unsigned i = 0; i < 100000; i++) {
        uint8_t a[16] = {[10] = 0xff,        [11] = 0xff,       10,
                         (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i};
        guard_failed(&g, a, t0);
    }
    assert_true(guard_allows(&g, known, t0));
    assert_false(guard_allows(&g, stranger, t0));
    guard_failed(&g, known, t0); /* its own failures count as anybody's */
    assert_false(guard_allows(&g, known, t0));
    assert_true(guard_allows(&g, known, mono_add_ms(t0, 1000)));
    for (unsigned i = 0; i < 40; i++) {
        guard_failed(&g, stranger, mono_add_ms(t0, GUARD_KNOWN_MS));
    }
    assert_true(guard_allows(&g, known, mono_add_ms(t0, GUARD_KNOWN_MS)));
    assert_false(guard_allows(&g, known, mono_add_ms(t0, GUARD_KNOWN_MS + 1)));
}

/* The last time that an address was right counts, and it has one place: the others of its set keep
 * theirs, until one more comes; then the one that was right longest ago is not known any more. */
static void the_known_are_renewed(void **state)
{
    (void)state;
    const uint64_t sets = GUARD_KNOWN / GUARD_WAYS;
    static struct guard g;
    uint8_t a[GUARD_WAYS + 1][16] = {{[10] = 0xff, [11] = 0xff, 192, 0, 2, 1}};
    uint64_t set = admission_hash(99, a[0]) % sets;
    unsigned n = 1;
    for (uint32_t i = 1; n < GUARD_WAYS + 1; i++) { /* addresses that share its places */
        uint8_t b[16] = {[10] = 0xff,        [11] = 0xff,       10,
                         (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i};
        memcpy(a[n], b, 16);
        n += admission_hash(99, b) % sets == set;
    }
    guard_init(&g, 99, t0);
    for (unsigned i = 0; i < GUARD_WAYS; i++) {
        guard_passed(&g, a[i], mono_add_ms(t0, i));
    }
    struct mono later = mono_add_ms(t0, GUARD_KNOWN_MS - 1000);
    guard_passed(&g, a[0], later);
    guard_passed(&g, a[GUARD_WAYS], later);
    for (unsigned i = 0; i < 2 * GUARD_BURST; i++) { /* strangers have to wait */
        guard_failed(&g, (const uint8_t[16]){0x20, 2}, later);
    }
    for (unsigned i = 0; i < GUARD_WAYS + 1; i++) {
        assert_int_equal(guard_allows(&g, a[i], later), i != 1);
    }
    struct mono next_day = mono_add_ms(t0, GUARD_KNOWN_MS + 1000);
    for (unsigned i = 0; i < 2 * GUARD_BURST; i++) {
        guard_failed(&g, (const uint8_t[16]){0x20, 2}, next_day);
    }
    for (unsigned i = 0; i < GUARD_WAYS + 1; i++) {
        assert_int_equal(guard_allows(&g, a[i], next_day), i == 0 || i == GUARD_WAYS);
    }
}

/* A collector that wants to see the address first: once a try the HELLO is sent again at once. */
static void a_cookie_hastens_a_hello(void **state)
{
    (void)state;
    struct uplink u;
    uplink_init(&u, 7);
    assert_int_equal(uplink_step(&u, UPLINK_COOKIE, t0), 0);
    uplink_step(&u, UPLINK_START, t0);
    uplink_step(&u, UPLINK_RESOLVED, t0);
    unsigned hellos = 0;
    for (int64_t ms = 0; u.state == UPLINK_HELLO; ms += 10) { /* they come all the time */
        struct mono t = mono_add_ms(t0, ms);
        hellos += (uplink_step(&u, UPLINK_COOKIE, t) & UPLINK_DO_HELLO) != 0;
        hellos += (uplink_step(&u, UPLINK_TICK, t) & UPLINK_DO_HELLO) != 0;
        assert_true(ms < 10000);
    }
    assert_int_equal(hellos, 2 * UPLINK_TRIES - 1); /* with the first one, two a try */
    uplink_step(&u, UPLINK_TICK, mono_add_ms(t0, 100000));
    uplink_step(&u, UPLINK_RESOLVED, mono_add_ms(t0, 100000));
    uplink_step(&u, UPLINK_ANSWER, mono_add_ms(t0, 100000));
    assert_int_equal(uplink_step(&u, UPLINK_COOKIE, mono_add_ms(t0, 100000)), 0);
}

/* Somebody may have answered before the collector: each answer is confirmed, and none of them puts
 * off the end of the try. */
static void every_answer_is_confirmed(void **state)
{
    (void)state;
    struct uplink u;
    uplink_init(&u, 7);
    uplink_step(&u, UPLINK_START, t0);
    uplink_step(&u, UPLINK_RESOLVED, t0);
    assert_int_equal(uplink_step(&u, UPLINK_ANSWER, t0), UPLINK_DO_CONFIRM);
    struct mono deadline = u.deadline;
    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(uplink_step(&u, UPLINK_ANSWER, mono_add_ms(t0, 100)), UPLINK_DO_CONFIRM);
    }
    assert_int_equal(u.state, UPLINK_CONFIRM);
    assert_int_equal(u.deadline.ns, deadline.ns);
    assert_int_equal(uplink_step(&u, UPLINK_ACCEPTED, mono_add_ms(t0, 200)), UPLINK_DO_INFO);
    assert_int_equal(uplink_step(&u, UPLINK_ANSWER, mono_add_ms(t0, 300)), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(goes_up),
        cmocka_unit_test(another_address_gets_its_time),
        cmocka_unit_test(retries_for_ever_and_slower),
        cmocka_unit_test(jitter_differs),
        cmocka_unit_test(silence_ends_the_session),
        cmocka_unit_test(rekeys_without_going_down),
        cmocka_unit_test(keys_are_changed_at_random_times),
        cmocka_unit_test(a_restarted_collector_is_found),
        cmocka_unit_test(an_old_key_is_not_used),
        cmocka_unit_test(a_refusal_is_a_hint),
        cmocka_unit_test(a_late_acknowledgment_revives_nothing),
        cmocka_unit_test(the_collector_may_end_it),
        cmocka_unit_test(silence_is_doubted_first),
        cmocka_unit_test(a_reason_of_the_callers),
        cmocka_unit_test(a_new_key_ends_doubt),
        cmocka_unit_test(a_forger_cannot_hold_for_ever),
        cmocka_unit_test(guesses_are_slowed_down),
        cmocka_unit_test(guesses_side_by_side_are_waited_for),
        cmocka_unit_test(addresses_side_by_side_are_waited_for),
        cmocka_unit_test(many_addresses_guess_no_faster),
        cmocka_unit_test(refills_from_the_beginning),
        cmocka_unit_test(the_known_do_not_wait),
        cmocka_unit_test(the_known_are_renewed),
        cmocka_unit_test(a_cookie_hastens_a_hello),
        cmocka_unit_test(every_answer_is_confirmed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

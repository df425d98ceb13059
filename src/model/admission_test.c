/* SPDX-License-Identifier: Apache-2.0
 *
 * Floods of handshakes against the budgets, with the time made up: each kind gets its share, and
 * no more.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "model/admission.h"

static const struct mono t0 = {1000 * NSEC_PER_SEC};
static struct admission l;
static struct admission_sources ls;

static void v4(uint32_t a, uint8_t ret[16])
{
    memset(ret, 0, 16);
    ret[10] = ret[11] = 0xff;
    for (unsigned i = 0; i < 4; i++) {
        ret[12 + i] = (uint8_t)(a >> (24 - 8 * i));
    }
}

/* Forged addresses: some work, then only cookies; who brings one is served at once. */
static void forged_addresses(void **state)
{
    (void)state;
    uint8_t a[16];
    unsigned worked = 0, honest = 0;
    admission_init(&l, 7, t0);
    for (uint32_t i = 0; i < 100000; i++) { /* in 10 s */
        struct mono t = {t0.ns + (int64_t)i * 100000};
        v4(i * 2654435761u, a);
        enum admission_verdict v = admission_hello(&l, a, ADMISSION_ANYBODY, t);
        assert_true(v == ADMISSION_WORK || v == ADMISSION_COOKIE);
        worked += v == ADMISSION_WORK;
        if (i % 1000 == 0) {
            v4(0xc0000201, a);
            honest += admission_hello(&l, a, ADMISSION_REAL, t) == ADMISSION_WORK;
        }
    }
    assert_in_range(worked, ADMISSION_FREE_BURST,
                    ADMISSION_FREE_BURST + 10 * ADMISSION_FREE_RATE + 1);
    assert_int_equal(honest, 100);
}

/* One real address that sends all it can: it gets much, and others get their share. */
static void a_greedy_address(void **state)
{
    (void)state;
    uint8_t a[16];
    unsigned greedy = 0, honest = 0;
    admission_init(&l, 7, t0);
    for (uint32_t i = 0; i < 100000; i++) {
        struct mono t = {t0.ns + (int64_t)i * 100000};
        v4(0xc0000201, a);
        greedy += admission_hello(&l, a, ADMISSION_REAL, t) == ADMISSION_WORK;
        if (i % 20000 == 19999) {
            v4(0xc0000202, a);
            honest += admission_hello(&l, a, ADMISSION_REAL, t) == ADMISSION_WORK;
        }
    }
    assert_in_range(greedy, 9 * ADMISSION_RATE, 10 * ADMISSION_RATE + ADMISSION_BURST);
    assert_int_equal(honest, 5);
}

/* Many real addresses, all greedy. Two hundred cannot use up what is kept for others' shares. */
static void many_greedy_addresses(void **state)
{
    (void)state;
    uint8_t a[16];
    unsigned honest = 0;
    admission_init(&l, 7, t0);
    for (uint32_t i = 0; i < 400000; i++) { /* 40 s, 50 a second from each */
        struct mono t = {t0.ns + (int64_t)i * 100000};
        v4(0x0a000000 + i % 200, a);
        admission_hello(&l, a, ADMISSION_REAL, t);
        if (i % 10000 == 9999) {
            v4(0xc0000202, a);
            honest += admission_hello(&l, a, ADMISSION_REAL, t) == ADMISSION_WORK;
        }
    }
    assert_int_equal(honest, 40);
}

/* A host's IPv6 network is one address. */
static void a_network_is_one(void **state)
{
    (void)state;
    uint8_t a[16] = {0x20, 1, 0xd, 0xb8}, b[16], c[16];
    admission_address(a, b);
    a[15] = 99;
    a[8] = 3;
    admission_address(a, c);
    assert_memory_equal(b, c, 16);
    a[7] = 1;
    admission_address(a, c);
    assert_memory_not_equal(b, c, 16);
    v4(0x01020304, a);
    admission_address(a, c);
    assert_memory_equal(a, c, 16);
    admission_init(&l, 7, t0);
    l.all.milli = ADMISSION_COMMON * 1000;
    unsigned worked = 0;
    for (uint8_t i = 0; i < 100; i++) {
        uint8_t host[16] = {0x20, 1, 0xd, 0xb8, [15] = i};
        worked += admission_hello(&l, host, ADMISSION_REAL, t0) == ADMISSION_WORK;
    }
    assert_in_range(worked, ADMISSION_OWN_BURST, ADMISSION_OWN_BURST + 1);
}

/* Answers where they get stuck: a few to each address, whatever the others get. */
static void stuck_answers(void **state)
{
    (void)state;
    uint8_t a[16];
    unsigned given = 0;
    admission_init(&l, 7, t0);
    for (unsigned i = 0; i < 10000; i++) { /* in 10 s, to a hundred */
        v4(0x0a000000 + i % 100, a);
        given += admission_answer(&l, a, mono_add_ms(t0, i));
    }
    assert_in_range(given, 100 * ADMISSION_ANSWER_BURST, 100 * (ADMISSION_ANSWER_BURST + 10));
    v4(0xc0000201, a);
    assert_true(admission_answer(&l, a, mono_add_ms(t0, 10000)));
}

/* Sessions' next keys have a budget that strangers do not touch, nor they that of strangers. */
static void sessions(void **state)
{
    (void)state;
    uint8_t a[16];
    unsigned rekeyed = 0, worked = 0;
    admission_init(&l, 7, t0);
    v4(0xc0000201, a);
    for (uint32_t i = 0; i < 100000; i++) { /* in 10 s: everybody, from the session's address */
        struct mono t = {t0.ns + (int64_t)i * 100000};
        admission_hello(&l, a, ADMISSION_ANYBODY, t);
        admission_hello(&l, a, ADMISSION_REAL, t);
        rekeyed += i % 100 == 0 && admission_hello(&l, a, ADMISSION_LIVE, t) == ADMISSION_WORK;
    }
    assert_int_equal(rekeyed, 1000);
    admission_init(&l, 7, t0);
    rekeyed = 0;
    for (uint32_t i = 0; i < 10000; i++) {
        rekeyed += admission_hello(&l, a, ADMISSION_LIVE, t0) == ADMISSION_WORK;
    }
    for (uint32_t i = 0; i < ADMISSION_FREE_BURST; i++) {
        worked += admission_hello(&l, a, ADMISSION_ANYBODY, t0) == ADMISSION_WORK;
        worked += admission_hello(&l, a, ADMISSION_REAL, t0) == ADMISSION_WORK;
    }
    assert_int_equal(rekeyed, ADMISSION_LIVE_BURST);
    assert_int_equal(worked, 2 * ADMISSION_FREE_BURST);
}

/* Right after the machine's boot, too, when the clock has nothing to refill the budgets with. */
static void full_from_the_first(void **state)
{
    (void)state;
    const struct mono boot = {0};
    uint8_t a[16];
    unsigned live = 0, anybody = 0, real = 0;
    v4(0xc0000201, a);
    admission_init(&l, 7, boot);
    for (unsigned i = 0; i < 2 * ADMISSION_LIVE_BURST; i++) {
        live += admission_hello(&l, a, ADMISSION_LIVE, boot) == ADMISSION_WORK;
        anybody += admission_hello(&l, a, ADMISSION_ANYBODY, boot) == ADMISSION_WORK;
    }
    assert_int_equal(live, ADMISSION_LIVE_BURST);
    assert_int_equal(anybody, ADMISSION_FREE_BURST);
    for (uint32_t i = 0; i < 2 * ADMISSION_BURST; i++) {
        v4(0x0a000000 + i, a); /* each takes of its own share */
        real += admission_hello(&l, a, ADMISSION_REAL, boot) == ADMISSION_WORK;
    }
    assert_int_equal(real, ADMISSION_BURST);
    admission_sources_init(&ls, 7, boot);
    for (unsigned i = real = anybody = 0; i < 2 * ADMISSION_SOURCE_BURST; i++) {
        anybody += admission_source(&ls, a, 1234, false, boot);
        real += admission_source(&ls, a, 1234, true, boot);
    }
    assert_int_equal(anybody, ADMISSION_PORT_BURST + ADMISSION_SOURCE_BURST);
    assert_int_equal(real, ADMISSION_REAL_BURST);
}

/* The set of an address is full of others: the one that was seen longest ago gives its place, and
 * one that is still there has the same share as before. */
static void the_longest_unseen_gives_way(void **state)
{
    (void)state;
    enum { N = 1000 };
    static uint8_t a[N][16];
    unsigned same = 1;
    admission_init(&l, 7, t0);
    uint64_t set = admission_hash(7, a[0]) % (ADMISSION_ENTRIES / ADMISSION_WAYS);
    for (uint32_t i = 1; same < ADMISSION_WAYS + 1;
         i++) { /* addresses that share the places of one */
        v4(i, a[same]);
        same += admission_hash(7, a[same]) % (ADMISSION_ENTRIES / ADMISSION_WAYS) == set;
    }
    for (unsigned i = 0; i < ADMISSION_WAYS; i++) { /* each takes one answer of two, … */
        assert_true(admission_answer(&l, a[i], mono_add_ms(t0, i)));
    }
    assert_true(
        admission_answer(&l, a[0], mono_add_ms(t0, 100))); /* … the first one its second, … */
    assert_true(
        admission_answer(&l, a[ADMISSION_WAYS], mono_add_ms(t0, 101))); /* … and one more comes */
    assert_false(admission_answer(&l, a[0], mono_add_ms(t0, 102)));     /* it is still known, … */
    for (unsigned i = 2; i < ADMISSION_WAYS; i++) {                     /* … as these are */
        assert_true(admission_answer(&l, a[i], mono_add_ms(t0, 110)));
        assert_false(admission_answer(&l, a[i], mono_add_ms(t0, 110)));
    }
    assert_true(admission_answer(&l, a[1], mono_add_ms(t0, 120))); /* this one had to begin anew */
    assert_true(admission_answer(&l, a[1], mono_add_ms(t0, 120)));
    assert_false(admission_answer(&l, a[1], mono_add_ms(t0, 120)));
}

/* One address after another: who sends too much is not passed on, others are. */
static void sources(void **state)
{
    (void)state;
    uint8_t a[16];
    unsigned passed = 0, honest = 0;
    admission_sources_init(&ls, 7, t0);
    for (unsigned i = 0; i < 100000; i++) { /* in 10 s */
        struct mono t = {t0.ns + (int64_t)i * 100000};
        v4(0x0a000001, a);
        passed += admission_source(&ls, a, 1234, false, t);
        if (i % 100 == 0) {
            v4(0x0b000000 + i, a);
            honest += admission_source(&ls, a, 1234, false, t);
        }
    }
    unsigned most = ADMISSION_SOURCE_BURST + ADMISSION_PORT_BURST +
                    10 * (ADMISSION_SOURCE_RATE + ADMISSION_PORT_RATE);
    assert_in_range(passed, most - ADMISSION_SOURCE_RATE, most);
    assert_in_range(honest, 995, 1000); /* one of them might share the place */
}

/* Twenty thousand HELLOs a second from all ports of one address, one that does not know the tap's:
 * what comes from the tap's own port is passed on nevertheless. Who has a cookie shares with nobody
 * who has none, and a neighbour who has one uses up his own share alone. */
static void a_tap_at_a_flooded_address(void **state)
{
    (void)state;
    uint8_t v6[16] = {0x20, 1, 0xd, 0xb8}, a[16];
    unsigned first = 0, known = 0, neighbour = 0;
    admission_sources_init(&ls, 7, t0);
    v4(0xc0000201, a);
    for (unsigned i = 0; i < 400000; i++) { /* in 20 s */
        struct mono t = {t0.ns + (int64_t)i * 50000};
        uint16_t port = (uint16_t)(i * 2654435761u >> 16);
        v6[15] = (uint8_t)i;
        admission_source(&ls, a, port == 1234 ? 1 : port, false, t);
        admission_source(&ls, v6, port, false, t);
        neighbour += admission_source(&ls, a, 4321, true, t);
        if (i % 20000 == 0) {
            first += admission_source(&ls, a, 1234, false, t);
            known += admission_source(&ls, a, 1234, true, t);
        }
    }
    assert_in_range(first, 19, 20);
    assert_int_equal(known, 20);
    assert_in_range(neighbour, ADMISSION_REAL_BURST + 19 * ADMISSION_REAL_RATE,
                    ADMISSION_REAL_BURST + 20 * ADMISSION_REAL_RATE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forged_addresses),
        cmocka_unit_test(a_greedy_address),
        cmocka_unit_test(many_greedy_addresses),
        cmocka_unit_test(a_network_is_one),
        cmocka_unit_test(stuck_answers),
        cmocka_unit_test(sessions),
        cmocka_unit_test(full_from_the_first),
        cmocka_unit_test(the_longest_unseen_gives_way),
        cmocka_unit_test(sources),
        cmocka_unit_test(a_tap_at_a_flooded_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * Nobody keeps a tap out: not who forges its address, nor a neighbour behind the same one, nor who
 * sees the handshake and sends messages between. All of them share an address with the tap; what
 * they cannot have is a cookie for its port, the index of its session, and the right tag.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "data/link/world/world.h"

enum {
    SOCKETS = 200,
    BURST = ADMISSION_SOURCE_BURST + 1000, /* more than an address may have at once */
    A_LOOK = 10,                           /* each time that the loop looks whether it is done */
};

/* Somebody at the tap's address, and at its very port, who sends HELLOs all the time. */
struct flood {
    struct world *w;
    struct loop_timer *timer;
    int fd[SOCKETS];
    unsigned at, sent;
    struct handshake_tap h;
    uint8_t hello[LINK_HELLO_LEN];
    uint8_t cookie[SOCKETS][LINK_COOKIE_LEN]; /* that it got */
};

static void flood_some(struct flood *f, unsigned n)
{
    uint8_t d[2048];
    struct link_hs m;
    for (unsigned i = 0; i < n; i++, f->at++) {
        unsigned k = f->at % SOCKETS;
        uint32_t index = ++f->sent | 0x80000000;
        memcpy(f->hello + 8, &index, sizeof(index));
        link_hello_set_cookie(f->hello, f->cookie[k]);
        (void)send(f->fd[k], f->hello, sizeof(f->hello), 0);
        for (ssize_t got; (got = recv(f->fd[k], d, sizeof(d), MSG_DONTWAIT)) > 0;) {
            if (link_hs_decode(d, (size_t)got, &m) == 0 && m.type == LINK_COOKIE) {
                memcpy(f->cookie[k], m.data, LINK_COOKIE_LEN);
            }
        }
        link_hello_set_cookie(f->hello, (const uint8_t[LINK_COOKIE_LEN]){0});
        if (f->w->tap[0].dialer) { /* the same with the source that the tap has */
            world_inject(&f->w->tap[0].relay, true, f->hello, sizeof(f->hello));
        }
    }
}

static void flood_timer(struct loop *l, struct mono now, void *user)
{
    (void)l;
    (void)now;
    flood_some(user, A_LOOK);
}

/* Begins, and has used up what the address has at once. */
static void flood_start(struct flood *f, struct world *w)
{
    *f = (struct flood){.w = w};
    assert_int_equal(handshake_tap_hello(&f->h, &w->tap_secret, 1, f->hello), LINK_HELLO_LEN);
    for (unsigned i = 0; i < SOCKETS; i++) {
        f->fd[i] = world_socket(NULL);
        assert_int_equal(connect(f->fd[i], &w->listener_addr.sa, w->listener_addr.len), 0);
    }
    for (unsigned i = 0; i < BURST / 50; i++) {
        flood_some(f, 50);
        world_run(w, never, 2);
    }
    assert_int_equal(loop_add_timer(w->loop, mono_now(), NSEC_PER_MSEC, flood_timer, f, &f->timer),
                     0);
}

static void flood_stop(struct flood *f)
{
    loop_del_timer(f->w->loop, f->timer);
    for (unsigned i = 0; i < SOCKETS; i++) {
        close(f->fd[i]);
    }
    handshake_tap_done(&f->h);
}

static struct world *world_with(enum link_method method, struct allow_list *list)
{
    struct world *w = world_new(method);
    if (method == LINK_NOISE) {
        world_use_keys(w, list);
    }
    return w;
}

static bool rekeyed(struct world *w)
{
    return w->tap[0].dialer->status.rekeys > 0;
}

static void rekey_now(struct world *w)
{
    w->tap[0].dialer->status.rekeys = 0;
    w->tap[0].dialer->uplink.keyed.ns -= UPLINK_REKEY_MS * NSEC_PER_MSEC;
}

/* While they send all they can, a tap comes, gets its next key at the first try, and loses nothing.
 * Neither needs the budgets that they use up. */
static void floods_of_hellos(void **state)
{
    (void)state;
    static struct flood f;
    for (unsigned method = LINK_CPACE; method <= LINK_NOISE; method++) {
        for (unsigned threads = 1; threads <= 3; threads += 2) {
            struct allow_list list = {0};
            struct world *w = world_with((enum link_method)method, &list);
            w->n_threads = threads;
            world_start_collector(w);
            flood_start(&f, w);
            world_start_tap(w, 0, "branch");
            world_must(w, up0, 4000);
            world_frames(&w->tap[0], 500);
            struct listener_counters c;
            listener_counters(w->listener, &c);
            assert_true(c.receiver.datagrams > BURST);
            for (unsigned i = 0; i < 3; i++) {
                rekey_now(w);
                world_must(w, rekeyed, UPLINK_TRY_MS);
                world_frames(&w->tap[0], 500);
            }
            world_must(w, all_written, 3000);
            assert_int_equal(w->tap[0].dialer->status.sessions, 1);
            flood_stop(&f);
            world_free(w);
            allow_done(&list);
        }
    }
}

/* The same where every budget but that of sessions is empty: their keys come nevertheless. */
static void a_session_shares_with_nobody(void **state)
{
    (void)state;
    static struct flood f;
    struct allow_list list = {0};
    struct world *w = world_with(LINK_CPACE, &list);
    world_start(w);
    const struct bucket empty = {0, mono_add_ms(mono_now(), 3600000)};
    w->listener->admission.free = w->listener->admission.all = empty;
    flood_start(&f, w);
    for (unsigned i = 0; i < 3; i++) {
        rekey_now(w);
        w->tap[0].dialer->cookie_until = (struct mono){0};
        world_must(w, rekeyed, UPLINK_TRY_MS);
        assert_int_equal(w->tap[0].dialer->cookie_until.ns, 0); /* it was not asked for one */
    }
    flood_stop(&f);
    world_free(w);
}

/* An index alone, or the address alone, is nothing: HELLOs with the one or the other share with all
 * the rest. */
static void half_a_proof_is_none(void **state)
{
    (void)state;
    struct world *w = world_up(LINK_CPACE, NULL);
    struct handshake_tap h = {0};
    uint8_t d[HANDSHAKE_MESSAGE_MAX];
    w->listener->admission.free = (struct bucket){0, mono_add_ms(mono_now(), 3600000)};
    uint32_t index = w->tap[0].dialer->current.keys.remote;
    int elsewhere = world_socket(NULL);
    uint64_t before = w->listener->counters.cookies;
    int n = handshake_tap_again(&h, &w->tap_secret, 77, index, d);
    (void)sendto(elsewhere, d, (size_t)n, 0, &w->listener_addr.sa, w->listener_addr.len);
    n = handshake_tap_again(&h, &w->tap_secret, 78, index ^ RECEIVER_SLOTS, d);
    world_inject(&w->tap[0].relay, true, d, (size_t)n);
    n = handshake_tap_again(&h, &w->tap_secret, 79, 0, d);
    world_inject(&w->tap[0].relay, true, d, (size_t)n);
    world_run(w, never, 100);
    assert_int_equal(w->listener->counters.cookies, before + 3);
    assert_int_equal(w->listener->half[ADMISSION_LIVE].n, 0);
    n = handshake_tap_again(&h, &w->tap_secret, 80, index, d);
    for (unsigned i = 0; i < 100; i++) { /* both, which only who sees the path has: so many */
        world_inject(&w->tap[0].relay, true, d, (size_t)n);
    }
    world_run(w, never, 100);
    assert_in_range(w->listener->half[ADMISSION_LIVE].n, ADMISSION_KEY_BURST - 1,
                    ADMISSION_KEY_BURST + 1);
    handshake_tap_done(&h);
    close(elsewhere);
    world_free(w);
}

/* Each CONFIRM of the tap's comes behind a hundred that are forged, each of its HELLOs is repeated,
 * and before each answer come some that are forged. */
static unsigned forge_between(struct world *w, struct relay *r, bool to_collector, const uint8_t *d,
                              size_t len)
{
    /* the generator of ristretto255 (RFC 9496) */
    static const uint8_t point[32] = {0xe2, 0xf2, 0xae, 0x0a, 0x6a, 0xbc, 0x4e, 0x71,
                                      0xa8, 0x84, 0xa9, 0x61, 0xc5, 0x00, 0x51, 0x5f,
                                      0x58, 0xe3, 0x0b, 0x6a, 0xa5, 0x82, 0xdd, 0x8d,
                                      0xb6, 0xa6, 0x59, 0x45, 0xe0, 0x8d, 0x2d, 0x76};
    uint8_t forged[2048];
    struct link_hs m;
    if (link_hs_decode(d, len, &m) < 0 || len > sizeof(forged)) {
        return 1;
    }
    memcpy(forged, d, len);
    if (to_collector && m.type == LINK_CONFIRM) {
        for (unsigned i = 0; i < 100; i++) {
            forged[16 + i % 32] ^= (uint8_t)(i + 1);
            world_inject(r, true, forged, len);
        }
        w->n++;
    } else if (m.type == LINK_HELLO) {
        return 3;
    } else if (m.type == LINK_ACCEPT) {
        for (unsigned i = 0; i < 32; i++) {
            forged[16 + i] ^= 1;
            world_inject(r, false, forged, len);
        }
    } else if (m.type == LINK_ANSWER) {
        memset(forged + 20, 0xff, len - 20); /* no point, and no message of Noise's */
        world_inject(r, false, forged, len);
        memset(forged + 20, 0, len - 20); /* the identity */
        world_inject(r, false, forged, len);
        memset(forged + 12, 0, 4); /* for nobody */
        world_inject(r, false, forged, len);
        memcpy(forged, d, len);
        memcpy(forged + 20, point, sizeof(point)); /* one that may be the collector's */
        for (unsigned i = 0; i < HANDSHAKE_ANSWERS - 1; i++) {
            forged[11] ^= (uint8_t)(i + 1);
            world_inject(r, false, forged, len);
        }
    }
    return 1;
}

static void forged_between(void **state)
{
    (void)state;
    for (unsigned method = LINK_CPACE; method <= LINK_NOISE; method++) {
        struct allow_list list = {0};
        struct world *w = world_with((enum link_method)method, &list);
        w->fate = forge_between;
        world_start_collector(w);
        w->listener->admission.free = (struct bucket){0, mono_add_ms(mono_now(), 3600000)};
        world_start_tap(w, 0, "branch"); /* with a cookie: where its HELLOs supersede each other */
        world_must(w, up0, UPLINK_TRY_MS);
        for (unsigned i = 0; i < 3; i++) {
            rekey_now(w);
            world_must(w, rekeyed, UPLINK_TRY_MS);
        }
        world_frames(&w->tap[0], 200);
        world_must(w, all_written, 2000);
        assert_int_equal(w->tap[0].dialer->status.sessions, 1);
        if (method == LINK_CPACE) { /* one guess a handshake: at most three times four */
            assert_true(w->n >= 4);
            assert_in_range(w->listener->counters.wrong_secret, 4, 12);
        }
        world_free(w);
        allow_done(&list);
    }
}

/* While the tap's handshake is under way, a neighbour's guesses are found wrong. */
static unsigned guess_between(struct world *w, struct relay *r, bool to_collector, const uint8_t *d,
                              size_t len)
{
    (void)r;
    uint8_t loopback[16] = {[10] = 0xff, [11] = 0xff, 127, 0, 0, 1};
    for (unsigned i = 0; to_collector && link_peek(d, len) == LINK_CONFIRM && i < 100; i++) {
        guard_failed(&w->listener->guard, loopback, mono_now());
        w->n++;
    }
    return 1;
}

static void a_neighbour_guesses_meanwhile(void **state)
{
    (void)state;
    struct world *w = world_new(LINK_CPACE);
    w->fate = guess_between;
    world_start_collector(w);
    world_start_tap(w, 0, "web1");
    world_must(w, up0, UPLINK_TRY_MS);
    assert_int_equal(w->n, 100);
    assert_int_equal(w->listener->counters.slowed, 0);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(floods_of_hellos),
        cmocka_unit_test(a_session_shares_with_nobody),
        cmocka_unit_test(half_a_proof_is_none),
        cmocka_unit_test(forged_between),
        cmocka_unit_test(a_neighbour_guesses_meanwhile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

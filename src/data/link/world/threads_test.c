/* SPDX-License-Identifier: Apache-2.0
 *
 * A collector with several receiving threads: each session stays with one of them, over new keys
 * and new addresses, and every frame is accounted for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "data/link/world/world.h"

enum {
    THREADS = 3,
    FRAMES = 500, /* of each tap, in each round */
};

static const char *const names[WORLD_TAPS] = {"web0", "web1", "web2", "web3",
                                              "web4", "web5", "web6", "web7"};

static bool all_up(struct world *w)
{
    for (unsigned i = 0; i < WORLD_TAPS; i++) {
        if (!tap_flows(&w->tap[i])) {
            return false;
        }
    }
    return true;
}

static bool all_rekeyed(struct world *w)
{
    for (unsigned i = 0; i < WORLD_TAPS; i++) {
        if (w->tap[i].dialer->status.rekeys < w->n) {
            return false;
        }
    }
    return true;
}

static bool all_received(struct world *w)
{
    uint64_t made = 0;
    for (unsigned i = 0; i < WORLD_TAPS; i++) {
        made += w->tap[i].sender.made;
    }
    return world_written(w) == made;
}

static struct world *many(enum link_method method)
{
    struct world *w = world_new(method);
    w->n_threads = THREADS;
    world_start_collector(w);
    for (unsigned i = 0; i < WORLD_TAPS; i++) {
        world_start_tap(w, i, names[i]);
    }
    world_must(w, all_up, 5000);
    return w;
}

static struct session *session_of(const struct world *w, unsigned i)
{
    return listener_peer_named(w->listener, names[i])->session;
}

/* Sessions are spread over the threads, and each key's index is of its session's thread. */
static void assert_spread(struct world *w)
{
    unsigned of[THREADS] = {0};
    for (unsigned i = 0; i < WORLD_TAPS; i++) {
        const struct session *ss = session_of(w, i);
        for (const struct key *k = ss->keys; k; k = k->next) {
            assert_int_equal(k->index % THREADS, ss->thread);
        }
        of[ss->thread]++;
    }
    for (unsigned t = 0; t < THREADS; t++) {
        assert_in_range(of[t], WORLD_TAPS / THREADS, WORLD_TAPS / THREADS + 1);
    }
}

static void send_frames(struct world *w)
{
    for (unsigned i = 0; i < WORLD_TAPS; i++) {
        world_frames(&w->tap[i], FRAMES);
    }
}

static void age_all(struct world *w)
{
    for (unsigned i = 0; i < WORLD_TAPS; i++) {
        w->tap[i].dialer->uplink.keyed.ns -= UPLINK_REKEY_MS * NSEC_PER_MSEC;
    }
}

/* Each round: frames, another address for each tap, frames, and another key, which is asked for
 * from an address that the collector has not heard of. */
static void sessions_stay_with_their_thread(void **state)
{
    (void)state;
    for (unsigned method = LINK_PLAIN; method <= LINK_CPACE; method++) {
        struct world *w = many((enum link_method)method);
        unsigned thread[WORLD_TAPS];
        assert_spread(w);
        for (unsigned i = 0; i < WORLD_TAPS; i++) {
            thread[i] = session_of(w, i)->thread;
        }
        for (w->n = 1; w->n <= 3; w->n++) {
            send_frames(w);
            world_must(w, all_received, 5000);
            for (unsigned i = 0; i < WORLD_TAPS; i++) {
                world_new_source(&w->tap[i].relay);
            }
            send_frames(w);
            age_all(w);
            world_must(w, all_rekeyed, 5000);
            send_frames(w);
            world_must(w, all_received, 5000);
            assert_spread(w);
        }
        for (unsigned i = 0; i < WORLD_TAPS; i++) {
            assert_int_equal(session_of(w, i)->thread, thread[i]);
            assert_int_equal(w->tap[i].dialer->status.sessions, 1);
            assert_int_equal(w->listener->peer[i]->sessions, 1);
        }
        struct listener_counters c;
        listener_counters(w->listener, &c);
        assert_int_equal(c.receiver.forged + c.receiver.malformed + c.receiver.unexpected, 0);
        world_free(w);
    }
}

/* Without the hint in HELLO (another implementation, a forged one): by its address, and where that
 * is new too, the session goes on under the old key. */
static unsigned no_hint(struct world *w, struct relay *r, bool to_collector, const uint8_t *d,
                        size_t len)
{
    struct link_hs m;
    if (to_collector && link_hs_decode(d, len, &m) == 0 && m.type == LINK_HELLO) {
        uint8_t copy[LINK_HELLO_LEN];
        memcpy(copy, d, sizeof(copy));
        st_u32(copy + 12, *(uint32_t *)w->fate_data);
        world_inject(r, true, copy, sizeof(copy));
        return 0;
    }
    return 1;
}

static void a_wrong_hint_harms_nobody(void **state)
{
    (void)state;
    struct world *w = many(LINK_PLAIN);
    uint32_t hint = 0;
    w->fate = no_hint;
    w->fate_data = &hint;
    w->n = 1;
    age_all(w); /* known by their addresses */
    world_must(w, all_rekeyed, 5000);
    for (unsigned i = 0; i < WORLD_TAPS; i++) {
        assert_int_equal(w->listener->peer[i]->sessions, 1);
    }
    assert_spread(w);
    hint = session_of(w, 0)->key->index; /* everybody says to be the first */
    age_all(w);
    world_run(w, never, 1000);
    send_frames(w);
    world_must(w, all_received, 5000);
    for (unsigned i = 0; i < WORLD_TAPS; i++) {
        assert_int_equal(w->tap[i].dialer->status.sessions, 1);
        assert_int_equal(w->listener->peer[i]->sessions, 1);
    }
    assert_spread(w);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sessions_stay_with_their_thread),
        cmocka_unit_test(a_wrong_hint_harms_nobody),
    };
    return cmocka_run_group_tests_name("data/link_threads", tests, NULL, NULL);
}

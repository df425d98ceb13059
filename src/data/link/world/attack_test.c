/* SPDX-License-Identifier: Apache-2.0
 *
 * An attacker without a key sends datagrams, also with foreign source addresses, or sees those of
 * others. Nothing that it does to a session lasts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

#include "data/link/world/world.h"

/* A datagram that is none of the link's is counted once, and nothing comes of it. */
static void junk_is_counted(void **state)
{
    (void)state;
    struct world *w = world_up(LINK_CPACE, NULL);
    struct listener_counters before, after;
    listener_counters(w->listener, &before);
    for (uint8_t i = 0; i < 9; i++) {
        world_inject(&w->tap[0].relay, true, (const uint8_t[]){0xf0, i, 2, 3, 4}, 1 + i % 5);
    }
    struct mono end = mono_add_ms(mono_now(), 5000);
    do {
        world_run(w, never, 10);
        listener_counters(w->listener, &after);
    } while (after.receiver.malformed < before.receiver.malformed + 9 &&
             !mono_due(mono_now(), end));
    assert_int_equal(after.receiver.malformed, before.receiver.malformed + 9);
    assert_true(up0(w));
    world_free(w);
}

/* Before each answer of the collector's comes a forged refusal. */
static unsigned refuse_first(struct world *w, struct relay *r, bool to_collector, const uint8_t *d,
                             size_t len)
{
    uint8_t out[HANDSHAKE_MESSAGE_MAX];
    struct link_hs m;
    if (!to_collector && link_hs_decode(d, len, &m) == 0) {
        int n = handshake_reject((uint8_t)(1 + w->n++ % 7), m.receiver, out);
        world_inject(r, false, out, (size_t)n);
    }
    return 1;
}

static void forged_refusals(void **state)
{
    (void)state;
    struct world *w = world_up(LINK_CPACE, refuse_first);
    assert_true(w->n >= 2);
    for (uint8_t why = 1; why <= 7; why++) { /* and in the session */
        uint8_t out[HANDSHAKE_MESSAGE_MAX];
        uint32_t at[] = {w->tap[0].dialer->current.keys.local,
                         w->tap[0].dialer->current.keys.remote};
        for (unsigned i = 0; i < 2; i++) {
            int n = handshake_reject(why, at[i], out);
            world_inject(&w->tap[0].relay, false, out, (size_t)n);
        }
    }
    world_run(w, never, 1500);
    assert_true(up0(w));
    assert_int_equal(w->tap[0].dialer->status.sessions, 1);
    world_frames(&w->tap[0], 100);
    world_must(w, all_written, 2000);
    world_free(w);
}

static int attacker(struct world *w)
{
    int fd = world_socket(NULL);
    assert_int_equal(connect(fd, &w->listener_addr.sa, w->listener_addr.len), 0);
    return fd;
}

static size_t receive_some(struct world *w, int fd, uint8_t *d, size_t cap)
{
    for (unsigned i = 0; i < 200; i++) {
        ssize_t n = recv(fd, d, cap, MSG_DONTWAIT);
        if (n > 0) {
            return (size_t)n;
        }
        world_run(w, never, 5);
    }
    return 0;
}

/* Many handshakes begun at once, before the first guess is wrong, are many guesses, and each of
 * them is waited for; a right one among them counts. */
static void guesses_side_by_side(void **state)
{
    (void)state;
    enum { N = 30 };
    static struct handshake_tap h[N];
    struct world *w = world_new(LINK_CPACE);
    world_start_collector(w);
    w->tap_secret.passphrase = "guess";
    int fd = attacker(w);
    uint8_t d[HANDSHAKE_MESSAGE_MAX];
    struct handshake_keys keys;
    for (uint32_t i = 0; i < N; i++) {
        int n = handshake_tap_hello(&h[i], &w->tap_secret, i + 1, d);
        assert_int_equal(send(fd, d, (size_t)n, 0), n);
    }
    for (unsigned i = 0; i < N; i++) {
        size_t n = receive_some(w, fd, d, sizeof(d));
        struct link_hs m;
        assert_int_equal(link_hs_decode(d, n, &m), 0);
        assert_in_range(m.receiver, 1, N);
        assert_int_equal(handshake_tap_answer(&h[m.receiver - 1], d, n, &keys), -EINPROGRESS);
    }
    for (unsigned i = 0; i < N; i++) {
        int n = handshake_tap_confirm(&h[i], 0, d);
        assert_int_equal(send(fd, d, (size_t)n, 0), n);
        assert_int_equal(send(fd, d, (size_t)n, 0), n);
    }
    world_run(w, never, 300);
    assert_int_equal(w->listener->counters.wrong_secret, N);
    uint8_t loopback[16] = {[10] = 0xff, [11] = 0xff, 127, 0, 0, 1};
    struct mono before_all = mono_add_ms(mono_now(), GUARD_FORGET_MS - 10000);
    assert_false(guard_allows(&w->listener->guard, loopback, before_all));
    close(fd);
    world_free(w);
}

/* HELLOs that no secret stands behind may come from forged addresses: they keep nobody out. */
static void foreign_methods_keep_nobody_out(void **state)
{
    (void)state;
    struct world *w = world_new(LINK_CPACE);
    world_start_collector(w);
    struct handshake_conf plain = {.method = LINK_PLAIN, .aeads = 1};
    struct handshake_tap h = {0};
    uint8_t d[HANDSHAKE_MESSAGE_MAX];
    int fd = attacker(w);
    for (uint32_t i = 0; i < 100; i++) {
        int n = handshake_tap_hello(&h, &plain, i + 1, d);
        assert_int_equal(send(fd, d, (size_t)n, 0), n);
    }
    world_run(w, never, 100);
    world_start_tap(w, 0, "web1");
    world_must(w, up0, 400);
    size_t lines = 0;
    for (const char *c = w->collector_said; *c; c++) {
        lines += *c == '\n';
    }
    assert_in_range(lines, 1, 40);
    close(fd);
    world_free(w);
}

static bool rekeyed(struct world *w)
{
    return w->tap[0].dialer->status.rekeys > 0;
}

/* Somebody behind the same address guesses: that one waits, a session that is up goes on and gets
 * its new key. */
static void a_neighbour_guesses(void **state)
{
    (void)state;
    struct world *w = world_up(LINK_CPACE, NULL);
    uint8_t loopback[16] = {[10] = 0xff, [11] = 0xff, 127, 0, 0, 1};
    for (unsigned i = 0; i < 40; i++) {
        guard_failed(&w->listener->guard, loopback, mono_now());
    }
    w->tap[0].dialer->uplink.keyed.ns -= UPLINK_REKEY_MS * NSEC_PER_MSEC;
    world_must(w, rekeyed, 400);
    assert_int_equal(w->tap[0].dialer->status.sessions, 1);
    world_free(w);
}

/* From the address of a live session the guard is lenient, but not for ever. */
/* A wrong guess at the passphrase from the address of the first tap; `number` names the handshake.
 */
static void guess(struct world *w, uint32_t number)
{
    struct handshake_conf wrong = w->tap_secret;
    struct handshake_tap h = {0};
    struct handshake_keys keys;
    uint8_t d[HANDSHAKE_MESSAGE_MAX];
    int back = w->tap[0].relay.back;
    wrong.passphrase = "guess";
    loop_del_fd(w->loop, TAKE_PTR(w->tap[0].relay.back_event)); /* we read it ourselves */
    int n = handshake_tap_hello(&h, &wrong, number, d);
    world_inject(&w->tap[0].relay, true, d, (size_t)n);
    struct link_hs m = {0};
    for (unsigned k = 0; k < 20 && m.receiver != number; k++) { /* its records come, too */
        size_t got = receive_some(w, back, d, sizeof(d));
        if (link_hs_decode(d, got, &m) == 0 && m.receiver == number &&
            handshake_tap_answer(&h, d, got, &keys) == -EINPROGRESS) {
            n = handshake_tap_confirm(&h, 0, d);
            world_inject(&w->tap[0].relay, true, d, (size_t)n);
        }
    }
    assert_int_equal(m.receiver, number);
    world_run(w, never, 10);
    assert_int_equal(loop_add_fd(w->loop, back, EPOLLIN, world_relay, &w->tap[0].relay,
                                 &w->tap[0].relay.back_event),
                     0);
}

static void guesses_from_a_sessions_address(void **state)
{
    (void)state;
    struct world *w = world_up(LINK_CPACE, NULL);
    for (uint32_t i = 0; i < 20; i++) {
        guess(w, 0x1000 + i);
    }
    assert_int_equal(w->listener->counters.wrong_secret, LISTENER_GUESSES);
    assert_int_equal(w->listener->counters.slowed, 20 - LISTENER_GUESSES);
    world_free(w);
}

/* Where an address's counts are kept is nobody's to foresee, and the budgets begin full. */
static void budgets_are_seeded_and_full(void **state)
{
    (void)state;
    struct world *w = world_new(LINK_CPACE);
    world_start_collector(w);
    const struct listener *s = w->listener;
    assert_true(s->guard.key != 0);
    assert_true(s->admission.key != 0);
    assert_int_equal(s->guard.tokens, GUARD_BURST);
    assert_int_equal(s->admission.free.milli, 1000 * ADMISSION_FREE_BURST);
    assert_int_equal(s->admission.all.milli, 1000 * ADMISSION_BURST);
    assert_int_equal(s->admission.live.milli, 1000 * ADMISSION_LIVE_BURST);
    world_free(w);
}

static bool no_session(struct world *w)
{
    return w->listener->n_sessions == 0;
}

/* Nothing is left of a session at its address: who guesses there afterwards is one like others. */
static void guesses_from_a_former_sessions_address(void **state)
{
    (void)state;
    struct world *w = world_up(LINK_CPACE, NULL);
    dialer_stop(w->tap[0].dialer);
    dialer_senders_changed(w->tap[0].dialer);
    world_must(w, stopped0, 3000);
    world_must(w, no_session, 3000);
    for (uint32_t i = 0; i < 3; i++) {
        guess(w, 0x1000 + i);
    }
    assert_true(w->listener->counters.wrong_secret >= 1);
    assert_int_equal(w->listener->counters.wrong_secret + w->listener->counters.slowed, 3);
    world_free(w);
}

static bool closed(struct world *w)
{
    for (unsigned i = 0; i < RECEIVER_SESSIONS; i++) {
        if (w->listener->session[i]) {
            return false;
        }
    }
    return true;
}

/* A flood of HELLOs holds up neither the timers nor what the data thread has to tell. */
static void flood_of_hellos(void **state)
{
    (void)state;
    struct world *w = world_up(LINK_CPACE, NULL);
    struct handshake_tap h = {0};
    uint8_t d[HANDSHAKE_MESSAGE_MAX];
    int fd = attacker(w);
    int n = handshake_tap_hello(&h, &w->tap_secret, 77, d);
    for (unsigned i = 0; i < 10000; i++) {
        (void)send(fd, d, (size_t)n, 0);
    }
    struct mono begin = mono_now();
    world_kill_tap(w, 0); /* it would come back at once */
    listener_session_end(w->listener, w->listener->session[0]);
    for (unsigned i = 0; i < 5000; i++) {
        (void)send(fd, d, (size_t)n, 0);
    }
    world_must(w, closed, 3000);
    assert_true(mono_diff(mono_now(), begin) < 3 * NSEC_PER_SEC);
    assert_in_range(w->listener->n_half, 0, LISTENER_HALF);
    close(fd);
    world_free(w);
}

static uint8_t recorded[512][2048];
static size_t recorded_len[512];

static unsigned record(struct world *w, struct relay *r, bool to_collector, const uint8_t *d,
                       size_t len)
{
    (void)r;
    if (to_collector && w->n < ARRAY_SIZE(recorded) && len <= sizeof(recorded[0])) {
        memcpy(recorded[w->n], d, len);
        recorded_len[w->n++] = len;
    }
    return 1;
}

static void replay(struct world *w)
{
    for (unsigned i = 0; i < w->n; i++) {
        world_inject(&w->tap[0].relay, true, recorded[i], recorded_len[i]);
    }
    world_run(w, never, 50);
}

static bool second_session(struct world *w)
{
    return w->tap[0].dialer->status.sessions == 2 && up0(w);
}

/* Everything is sent again: in the session, under its next key, and in the next session. */
static void replays(void **state)
{
    (void)state;
    struct world *w = world_up(LINK_CPACE, record);
    world_frames(&w->tap[0], 40);
    world_must(w, all_written, 2000);
    w->fate = NULL;
    replay(w);
    w->tap[0].dialer->uplink.keyed.ns -= UPLINK_REKEY_MS * NSEC_PER_MSEC;
    world_must(w, rekeyed, 2000);
    replay(w);
    world_frames(&w->tap[0], 40);
    world_must(w, all_written, 2000);
    w->tap[0].dialer->uplink.heard.ns -= UPLINK_DEAD_MS * NSEC_PER_MSEC;
    world_must(w, second_session, 6000);
    replay(w);
    world_frames(&w->tap[0], 40);
    world_must(w, all_written, 2000);
    world_run(w, never, 100);
    assert_int_equal(world_written(w), 120);
    assert_int_equal(w->listener->peer[0]->sessions, 2);
    world_free(w);
}

/* Counts that a test waits for. */
static struct {
    unsigned rekeys;
    uint64_t unknown;
} wanted;

static bool rekeyed_again(struct world *w)
{
    return w->tap[0].dialer->status.rekeys == wanted.rekeys;
}

static uint64_t unknown_records(const struct world *w)
{
    struct listener_counters c;
    listener_counters(w->listener, &c);
    return c.receiver.unknown_session;
}

static bool is_unknown(struct world *w)
{
    return unknown_records(w) == wanted.unknown;
}

static bool has_one_key(struct world *w)
{
    return !w->listener->session[0]->keys->next;
}

/* Another key, and frames under it. */
static void rekey(struct world *w)
{
    wanted.rekeys = w->tap[0].dialer->status.rekeys + 1;
    w->tap[0].dialer->uplink.keyed.ns -= UPLINK_REKEY_MS * NSEC_PER_MSEC;
    world_must(w, rekeyed_again, 2000);
    world_frames(&w->tap[0], 40);
    world_must(w, all_written, 2000);
}

/* The first record under the first key comes once more. */
static void send_old_record(struct world *w)
{
    for (unsigned i = 0; i < w->n; i++) {
        if (link_peek(recorded[i], recorded_len[i]) == LINK_RECORD) {
            world_inject(&w->tap[0].relay, true, recorded[i], recorded_len[i]);
            return;
        }
    }
    fail_msg("there is none");
}

/* The way may be long: for a while its key is known. */
static void old_record_is_known(struct world *w)
{
    const uint64_t before = unknown_records(w);
    send_old_record(w);
    world_run(w, never, 100);
    assert_int_equal(unknown_records(w), before);
}

/* A key that is old enough, or that has enough others after it, opens no record any more: who comes
 * to know it later can do nothing with it. */
static void old_keys_open_nothing(void **state)
{
    (void)state;
    for (int many = 0; many < 2; many++) {
        struct world *w = world_up(LINK_CPACE, record);
        w->fate = NULL;
        rekey(w);
        old_record_is_known(w);
        for (unsigned i = 2; many && i < LISTENER_KEYS; i++) {
            rekey(w);
        }
        old_record_is_known(w);
        if (many) {
            rekey(w);
        } else {
            w->listener->session[0]->keys->next->expires = mono_now();
            world_must(w, has_one_key, 2000);
            world_frames(&w->tap[0], 40); /* the data thread knows it by then */
            world_must(w, all_written, 2000);
        }
        wanted.unknown = unknown_records(w) + 1;
        send_old_record(w);
        world_must(w, is_unknown, 2000);
        assert_int_equal(w->tap[0].dialer->status.sessions, 1);
        world_free(w);
    }
}

/* Figures that no clock can have end in no arithmetic that is undefined. */
static void absurd_reports(void **state)
{
    (void)state;
    struct world *w = world_up(LINK_PLAIN, NULL);
    static const int64_t values[] = {INT64_MIN, INT64_MAX, -1, 1};
    uint64_t counter = 1000;
    for (unsigned i = 0; i < 64; i++) {
        uint8_t d[LINK_RECORD_HEADER + LINK_CONTROL_MAX];
        struct link_control c = {.type = LINK_REPORT};
        c.report = (struct link_report){
            .now = values[i % 4], .echo = values[i / 4 % 4], .echo_age = (uint64_t)values[i / 16]};
        const struct epoch *e = &w->tap[0].dialer->current;
        int n = link_control_encode(&c, d + LINK_RECORD_HEADER, LINK_CONTROL_MAX);
        link_record_encode(&(struct link_record){0, e->keys.remote, counter}, d);
        world_inject(&w->tap[0].relay, true, d, LINK_RECORD_HEADER + (size_t)n);
        link_record_encode(&(struct link_record){0, e->keys.local, counter++}, d);
        world_inject(&w->tap[0].relay, false, d, LINK_RECORD_HEADER + (size_t)n);
    }
    world_run(w, never, 100);
    assert_true(up0(w));
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(junk_is_counted),
        cmocka_unit_test(forged_refusals),
        cmocka_unit_test(guesses_side_by_side),
        cmocka_unit_test(foreign_methods_keep_nobody_out),
        cmocka_unit_test(a_neighbour_guesses),
        cmocka_unit_test(budgets_are_seeded_and_full),
        cmocka_unit_test(guesses_from_a_sessions_address),
        cmocka_unit_test(guesses_from_a_former_sessions_address),
        cmocka_unit_test(flood_of_hellos),
        cmocka_unit_test(replays),
        cmocka_unit_test(old_keys_open_nothing),
        cmocka_unit_test(absurd_reports),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

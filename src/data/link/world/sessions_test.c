/* SPDX-License-Identifier: Apache-2.0
 *
 * Sessions between a real dialer and a real listener: coming up, re-keying, ending, and everything
 * that a network and restarts do to them. What attackers do is in attack_test.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "data/link/world/world.h"
#include "data/sink/fake.h"

/* ---- fates ---- */

/* The type of a control record in the clear, or 0. */
static int control_type(const uint8_t *d, size_t len)
{
    struct link_record rec;
    if (link_peek(d, len) != LINK_RECORD || link_record_decode(d, len, &rec) < 0 ||
        rec.stream != 0 || len <= LINK_RECORD_HEADER) {
        return 0;
    }
    return d[LINK_RECORD_HEADER];
}

/* Drops the first w->n records of the type that w->fate_data points to. */
static unsigned lose_control(struct world *w, struct relay *r, bool to_collector, const uint8_t *d,
                             size_t len)
{
    (void)r;
    (void)to_collector;
    if (control_type(d, len) == *(const int *)w->fate_data && w->n > 0) {
        w->n--;
        return 0;
    }
    return 1;
}

static unsigned lose_all(struct world *w, struct relay *r, bool to_collector, const uint8_t *d,
                         size_t len)
{
    (void)w, (void)r, (void)to_collector, (void)d, (void)len;
    return 0;
}

static unsigned double_all(struct world *w, struct relay *r, bool to_collector, const uint8_t *d,
                           size_t len)
{
    (void)w, (void)r, (void)to_collector, (void)d, (void)len;
    return 2;
}

/* ---- helpers ---- */

/* Frames, and that they arrive, each once and in order; ends the world. */
static void end_with_frames(struct world *w, unsigned lost)
{
    world_frames(&w->tap[0], 300);
    uint32_t made = w->tap[0].sender.made;
    w->tap[0].sender.made -= lost;
    world_must(w, all_written, 3000);
    w->tap[0].sender.made = made;
    dialer_stop(w->tap[0].dialer);
    dialer_senders_changed(w->tap[0].dialer);
    world_must(w, stopped0, 3000);
    struct dialer_stream_status ss;
    dialer_stream_status(w->tap[0].dialer, 1, &ss);
    assert_int_equal(ledger_sum(&w->tap[0].sender.plain.ledger, NULL, LEDGER_LINK_TX).in_flight, 0);
    uint64_t out = ledger_get(&w->tap[0].sender.plain.ledger, LEDGER_TX_OUT);
    if (w->tap[0].dialer->status.sessions == 1) {
        assert_int_equal(ss.confirmed + ss.reported_lost, out);
    }
    assert_int_equal(listener_state(w->listener->peer[0], mono_now()), LISTENER_ENDED);
    world_stop_collector(w);
    size_t n = 0;
    const struct fake_frame *f = fake_sink_frames(w->out, &n);
    assert_int_equal(n, made - lost);
    for (size_t i = 1; i < n; i++) {
        uint32_t a, b;
        memcpy(&a, f[i - 1].data, 4);
        memcpy(&b, f[i].data, 4);
        assert_true(b > a);
    }
    for (unsigned i = 0; i < w->listener->n_peers; i++) {
        for (unsigned k = 0; k < w->listener->peer[i]->n_points; k++) {
            const struct ledger *l = &w->listener->peer[i]->point[k]->ledger;
            assert_int_equal(ledger_sum(l, NULL, LEDGER_LINK_RX).in_flight, 0);
        }
    }
    world_forget_collector(w);
    world_free(w);
}

static void age(struct dialer *c, int64_t ms)
{
    c->uplink.keyed.ns -= ms * NSEC_PER_MSEC;
}

static bool rekeyed(struct world *w)
{
    return w->tap[0].dialer->status.rekeys > 0 && w->tap[0].sender.rekeys > 0;
}

static bool down0(struct world *w)
{
    return !w->tap[0].dialer->uplink.up;
}

static bool second_session(struct world *w)
{
    return w->tap[0].dialer->status.sessions == 2 && up0(w);
}

/* ---- tests ---- */

static void comes_up(void **state)
{
    (void)state;
    static const enum link_method methods[] = {LINK_CPACE, LINK_PLAIN};
    for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
        end_with_frames(world_up(methods[i], NULL), 0);
    }
}

static void comes_up_by_keys(void **state)
{
    (void)state;
    struct world *w = world_new(LINK_NOISE);
    struct allow_list list = {0};
    world_use_keys(w, &list);
    world_start(w);
    assert_string_equal(w->listener->peer[0]->name, "branch");
    end_with_frames(w, 0);
    allow_done(&list);
}

static bool refusal_said(struct world *w)
{
    return strstr(w->said, "wrong passphrase") && strstr(w->collector_said, "wrong passphrase");
}

static void wrong_passphrase(void **state)
{
    (void)state;
    struct world *w = world_new(LINK_CPACE);
    w->tap_secret.passphrase = "hallo";
    world_start_collector(w);
    world_start_tap(w, 0, "web1");
    world_must(w, refusal_said, 3000);
    assert_false(world_run(w, up0, 1500));
    assert_int_equal(w->listener->n_peers, 0);
    world_free(w);
}

/* The collector answers a record that it cannot know: that hastens the new session. */
static void collector_restarts(void **state)
{
    (void)state;
    struct world *w = world_up(LINK_CPACE, NULL);
    world_frames(&w->tap[0], 100);
    world_must(w, all_written, 2000);
    w->fate = lose_all; /* it is killed: nothing more comes of it */
    world_stop_collector(w);
    world_forget_collector(w);
    world_frames(&w->tap[0], 50);
    world_run(w, never, 50);
    w->fate = NULL;
    world_start_collector(w);
    world_frames(&w->tap[0], 10); /* these ask */
    world_must(w, second_session, 2000);
    assert_int_equal(w->tap[0].sender.made, 160);
    struct dialer_stream_status ss;
    dialer_stream_status(w->tap[0].dialer, 1, &ss);
    assert_true(ss.confirmed <= 100);
    w->tap[0].sender.made = 0; /* what the new collector has to show */
    world_frames(&w->tap[0], 100);
    world_must(w, all_written, 2000);
    world_free(w);
}

/* A collector that is ended says so: the tap does not send into the void until it notices. */
static void collector_ends(void **state)
{
    (void)state;
    struct world *w = world_up(LINK_CPACE, NULL);
    world_frames(&w->tap[0], 100);
    world_must(w, all_written, 2000);
    world_stop_collector(w);
    world_forget_collector(w);
    world_must(w, down0, 500);
    world_frames(&w->tap[0], 50);
    assert_int_equal(ledger_get(&w->tap[0].sender.plain.ledger, LEDGER_TX_OUT), 100);
    assert_int_equal(ledger_get(&w->tap[0].sender.plain.ledger, LEDGER_TX_NOSESSION), 50);
    world_start_collector(w);
    world_must(w, second_session, 4000);
    w->tap[0].sender.made = 0;
    world_frames(&w->tap[0], 100);
    world_must(w, all_written, 2000);
    world_free(w);
}

static void rekeys(void **state)
{
    (void)state;
    struct world *w = world_up(LINK_CPACE, NULL);
    for (unsigned i = 1; i <= 3; i++) {
        age(w->tap[0].dialer, UPLINK_REKEY_MS);
        for (unsigned k = 0; w->tap[0].dialer->status.rekeys < i; k++) {
            assert_true(k < 300);
            world_frames(&w->tap[0], 7);
            world_run(w, never, 3);
        }
    }
    assert_int_equal(w->tap[0].dialer->status.sessions, 1);
    assert_int_equal(w->listener->peer[0]->sessions, 1);
    assert_int_equal(w->listener->peer[0]->rekeys, 3);
    end_with_frames(w, 0);
}

/* The data thread's queue was full: the new key gets there nevertheless, before the old one goes.
 */
/* A counter has 48 bits: a session ends in good time, and the next one begins at 0. */
static void ends_before_its_counters(void **state)
{
    (void)state;
    struct world *w = world_up(LINK_CPACE, NULL);
    w->tap[0].sender.sent_before = LINK_COUNTER_MAX / 2 - 1000;
    assert_false(world_run(w, down0, 1500));
    w->tap[0].sender.sent_before += 1001;
    world_must(w, down0, 1500);
    w->tap[0].sender.sent_before = 0;
    world_must(w, up0, 8000);
    assert_int_equal(w->tap[0].sender.sessions, 2);
    end_with_frames(w, 0);
}

static void refused_command_is_repeated(void **state)
{
    (void)state;
    struct world *w = world_up(LINK_CPACE, NULL);
    w->tap[0].sender.refuse = 3;
    age(w->tap[0].dialer, UPLINK_REKEY_MS);
    world_must(w, rekeyed, 3000);
    assert_int_equal(w->tap[0].sender.refuse, 0);
    end_with_frames(w, 0);
}

/* Each kind of control record is lost once or twice. */
static void control_is_lost(void **state)
{
    (void)state;
    static const int types[] = {LINK_INFO,       LINK_INFO_ACK, LINK_STREAM,
                                LINK_STREAM_ACK, LINK_CLOSE,    LINK_CLOSE_ACK};
    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        struct world *w = world_new(LINK_PLAIN);
        w->fate = lose_control;
        w->fate_data = (void *)&types[i];
        w->n = 2;
        world_start(w);
        age(w->tap[0].dialer, UPLINK_REKEY_MS);
        world_must(w, rekeyed, 3000);
        assert_int_equal(w->tap[0].dialer->status.sessions, 1); /* one session, whatever was lost */
        assert_int_equal(w->listener->peer[0]->sessions, 1);
        end_with_frames(w, 0);
    }
}

/* Every datagram comes twice: nothing is done twice, no nonce is used twice. */
static void all_is_doubled(void **state)
{
    (void)state;
    struct world *w = world_up(LINK_CPACE, double_all);
    age(w->tap[0].dialer, UPLINK_REKEY_MS);
    world_must(w, rekeyed, 3000);
    assert_int_equal(w->tap[0].dialer->status.sessions, 1);
    end_with_frames(w, 0);
}

/* A long way: ANSWER, ACCEPT and so on come twice because their questions were asked twice, and the
 * first INFO is lost. */
static unsigned ask_twice(struct world *w, struct relay *r, bool to_collector, const uint8_t *d,
                          size_t len)
{
    (void)r;
    if (to_collector && link_peek(d, len) == LINK_RECORD && w->n < 2) {
        return w->n++ > 0 ? 1 : 0; /* the first INFO */
    }
    return !to_collector && link_peek(d, len) == LINK_ACCEPT ? 2 : 1;
}

static void accept_comes_twice(void **state)
{
    (void)state;
    struct world *w = world_up(LINK_CPACE, ask_twice);
    end_with_frames(w, 0);
}

/* The acknowledgment of a key for a session that the tap has given up meanwhile: it must not count
 * on with a session whose numbers it begins anew. */
static unsigned lose_ack_for_long(struct world *w, struct relay *r, bool to_collector,
                                  const uint8_t *d, size_t len)
{
    (void)r;
    if (!to_collector && control_type(d, len) == LINK_INFO_ACK && w->n == 0) {
        w->n = 1;
        w->tap[0].dialer->uplink.heard.ns -= UPLINK_DEAD_MS * NSEC_PER_MSEC;
        return 0;
    }
    return 1;
}

static void session_dies_while_rekeying(void **state)
{
    (void)state;
    struct world *w = world_up(LINK_PLAIN, NULL);
    world_frames(&w->tap[0], 100);
    world_must(w, all_written, 2000);
    w->fate = lose_ack_for_long;
    age(w->tap[0].dialer, UPLINK_REKEY_MS);
    world_must(w, second_session, 6000);
    end_with_frames(w, 0);
}

/* A data thread that is slow to learn of the end of a session must not send on a descriptor that
 * is another socket by now. */
static unsigned watch_old_key(struct world *w, struct relay *r, bool to_collector, const uint8_t *d,
                              size_t len)
{
    struct link_record rec;
    if (!to_collector) {
        return 0; /* the collector is silent */
    }
    if (link_peek(d, len) == LINK_RECORD && link_record_decode(d, len, &rec) == 0 &&
        rec.stream == 1 && !udp_addr_equal(&r->tap, w->fate_data)) {
        w->n++;
    }
    return 0;
}

static bool resolved_anew(struct world *w)
{
    struct dialer *c = w->tap[0].dialer;
    return !c->uplink.up && c->uplink.state == UPLINK_HELLO;
}

static void slow_thread_keeps_its_socket(void **state)
{
    (void)state;
    struct world *w = world_up(LINK_CPACE, NULL);
    struct udp_addr old = w->tap[0].relay.tap;
    w->fate_data = &old;
    w->fate = watch_old_key;
    w->tap[0].sender.hold = true;
    w->tap[0].dialer->uplink.heard.ns -= UPLINK_DEAD_MS * NSEC_PER_MSEC;
    world_must(w, resolved_anew, 2000);
    world_frames(&w->tap[0], 100); /* it has not heard that the session is over */
    world_run(w, never, 50);
    assert_int_equal(w->n, 0); /* nothing of the old session came from the new socket */
    world_sender_release(&w->tap[0].sender);
    w->fate = NULL;
    world_must(w, up0, 8000);
    end_with_frames(w, 100);
}

/* Killed and started again: it need not wait for the old session's end. */
static void tap_restarts(void **state)
{
    (void)state;
    struct world *w = world_up(LINK_CPACE, NULL);
    world_frames(&w->tap[0], 100);
    world_must(w, all_written, 2000);
    world_kill_tap(w, 0);
    world_start_tap(w, 0, "web1");
    struct mono begin = mono_now();
    world_must(w, up0, 4000);
    assert_true(mono_diff(mono_now(), begin) < 3500 * NSEC_PER_MSEC);
    assert_int_equal(w->listener->n_peers,
                     1); /* the same one, as far as the collector is concerned */
    w->tap[0].sender.made = 100;
    end_with_frames(w, 0);
}

static bool both_up(struct world *w)
{
    return tap_flows(&w->tap[0]) && tap_flows(&w->tap[1]);
}

/* Two taps of one host have one name unless the user says otherwise. */
static void two_taps_of_one_name(void **state)
{
    (void)state;
    struct world *w = world_up(LINK_CPACE, NULL);
    world_start_tap(w, 1, "web1");
    world_must(w, both_up, 5000);
    world_run(w, never, 2500); /* neither takes the other's place */
    assert_true(both_up(w));
    assert_int_equal(w->tap[0].dialer->status.sessions, 1);
    assert_int_equal(w->tap[1].dialer->status.sessions, 1);
    assert_int_equal(w->listener->n_peers, 2);
    world_kill_tap(w, 1);
    end_with_frames(w, 0);
}

static void source_changes(void **state)
{
    (void)state;
    struct world *w = world_up(LINK_CPACE, NULL);
    world_frames(&w->tap[0], 100);
    world_must(w, all_written, 2000);
    world_new_source(&w->tap[0].relay);
    world_frames(&w->tap[0], 100);
    world_must(w, all_written, 2000);
    w->tap[0].dialer->uplink.heard = mono_now();
    world_run(w, never, 2500); /* two reports later */
    assert_true(mono_diff(mono_now(), w->tap[0].dialer->uplink.heard) < 1600 * NSEC_PER_MSEC);
    end_with_frames(w, 0);
}

/* No device for the tap: said once, not ten times a second, and no session is faked. */
static void device_is_refused(void **state)
{
    (void)state;
    struct world *w = world_new(LINK_CPACE);
    w->devices_refused = 1;
    world_start_collector(w);
    world_start_tap(w, 0, "web1");
    assert_false(world_run(w, up0, 1500));
    assert_in_range(w->devices_refused, 2, 4);
    world_free(w);
}

static void stop_is_asked_twice(void **state)
{
    (void)state;
    struct world *w = world_up(LINK_CPACE, NULL);
    w->fate = lose_all;
    dialer_stop(w->tap[0].dialer);
    dialer_senders_changed(w->tap[0].dialer);
    dialer_stop(w->tap[0].dialer);
    world_must(w, stopped0, DIALER_CLOSE_MS + 500);
    world_free(w);
}

/* A socket that takes nothing holds a data thread up once, not at each datagram. */
static void full_socket(void **state)
{
    (void)state;
    struct tap_end t = {0};
    int fd[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd), 0);
    assert_int_equal(
        link_tx_new(1, &t.sender.plain.ledger, &(struct link_tx_shared){0}, &t.sender.plain.tx), 0);
    struct link_sender_key key = {.fd = fd[0], .datagram = 1400};
    assert_int_equal(aead_new(AEAD_NULL, (uint8_t[AEAD_KEY_LEN]){0}, &key.aead, NULL), 0);
    link_tx_session(t.sender.plain.tx, &key);
    struct mono begin = mono_now();
    for (unsigned i = 0; i < 500; i++) {
        world_frames(&t, 1);
    }
    assert_true(mono_diff(mono_now(), begin) < 1500 * NSEC_PER_MSEC);
    assert_true(ledger_get(&t.sender.plain.ledger, LEDGER_TX_UNSENT) > 100);
    uint8_t d[2048];
    while (recv(fd[1], d, sizeof(d), 0) > 0) {
    }
    uint64_t unsent = ledger_get(&t.sender.plain.ledger, LEDGER_TX_UNSENT);
    world_frames(&t, 1); /* it takes some again */
    assert_int_equal(ledger_get(&t.sender.plain.ledger, LEDGER_TX_UNSENT), unsent);
    assert_int_equal(ledger_sum(&t.sender.plain.ledger, NULL, LEDGER_LINK_TX).in_flight, 0);
    sink_free(t.sender.plain.tx);
    close(fd[1]);
}

/* A third of the tap's events and of their acknowledgments is lost, others come twice. */
static unsigned lose_events(struct world *w, struct relay *r, bool to_collector, const uint8_t *d,
                            size_t len)
{
    (void)r;
    (void)to_collector;
    return control_type(d, len) == LINK_EVENT ? w->n++ % 3 : 1;
}

static bool events_told(struct world *w)
{
    return w->listener && w->listener->n_peers > 0 &&
           w->listener->peer[0]->history.last == w->tap[0].history.last;
}

static void tells_its_history(void **state)
{
    (void)state;
    struct world *w = world_up(LINK_PLAIN, NULL);
    w->fate = lose_events;
    for (int i = 1; i <= 8; i++) {
        history_add(&w->tap[0].history, (struct wall){i}, HISTORY_IF_GONE, "veth", "gone %d", i);
    }
    world_must(w, events_told, 10000);
    const struct history *h = &w->listener->peer[0]->history;
    assert_int_equal(h->missed, 0);
    assert_int_equal(h->n, w->tap[0].history.n);
    for (unsigned i = 0; i < h->n; i++) {
        assert_string_equal(history_at(h, i)->words, history_at(&w->tap[0].history, i)->words);
    }
    history_add(&w->tap[0].history, (struct wall){9}, HISTORY_LIMIT_RUNG, "limit",
                "from \"full\" to \"headers, 1 flow in 4\": why");
    world_must(w, events_told, 10000);
    assert_string_equal(w->listener->peer[0]->rung, "headers, 1 flow in 4");
    history_add(&w->tap[0].history, (struct wall){9}, HISTORY_LIMIT_BREACH, "limit",
                "as much as --rate carries, or more, was wished in 2 of 6 intervals in a row, 17 "
                "in all");
    world_must(w, events_told, 10000);
    assert_int_equal(w->listener->peer[0]->breaches, 17);
    assert_string_equal(w->listener->peer[0]->rung, "headers, 1 flow in 4");
    w->fate = NULL;
    for (int i = 0; i < 2 * HISTORY_MAX;
         i++) { /* more than the tap keeps: a gap, and it is known */
        history_add(&w->tap[0].history, (struct wall){i}, HISTORY_IF_UP, "veth", "up %d", i);
    }
    world_must(w, events_told, 10000);
    assert_int_equal(h->missed, HISTORY_MAX);
    assert_int_equal(h->n, HISTORY_TAP);
    assert_string_equal(history_at(h, HISTORY_TAP - 1)->words, "up 511");
    assert_int_equal(history_at(listener_history(w->listener), 0)->kind, HISTORY_SESSION_UP);
    end_with_frames(w, 0);
}

static unsigned times(const char *text, const char *word)
{
    unsigned n = 0;
    for (const char *at = text; (at = strstr(at, word)) != NULL; at++) {
        n++;
    }
    return n;
}

/* An error that comes again and again is said once, also where two sentences take turns. */
static void says_it_once(void **state)
{
    (void)state;
    struct world *w = world_up(LINK_PLAIN, NULL);
    struct dialer *c = w->tap[0].dialer;
    for (int i = 0; i < 5; i++) {
        dialer_say(c, true, "no answer");
        dialer_say(c, true, "nobody listens");
    }
    assert_int_equal(times(w->said, "no answer"), 1);
    assert_int_equal(times(w->said, "nobody listens"), 1);
    dialer_say(c, false, "all is well");
    dialer_say(c, true, "no answer");
    assert_int_equal(times(w->said, "no answer"), 2);
    for (int i = 0; i < 2 * DIALER_SAID; i++) { /* others take its place */
        dialer_say(c, true, "number %d", i);
    }
    dialer_say(c, true, "no answer");
    assert_int_equal(times(w->said, "no answer"), 3);
    end_with_frames(w, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_its_history),
        cmocka_unit_test(says_it_once),
        cmocka_unit_test(full_socket),
        cmocka_unit_test(comes_up),
        cmocka_unit_test(comes_up_by_keys),
        cmocka_unit_test(wrong_passphrase),
        cmocka_unit_test(collector_restarts),
        cmocka_unit_test(collector_ends),
        cmocka_unit_test(rekeys),
        cmocka_unit_test(ends_before_its_counters),
        cmocka_unit_test(refused_command_is_repeated),
        cmocka_unit_test(control_is_lost),
        cmocka_unit_test(all_is_doubled),
        cmocka_unit_test(accept_comes_twice),
        cmocka_unit_test(session_dies_while_rekeying),
        cmocka_unit_test(slow_thread_keeps_its_socket),
        cmocka_unit_test(tap_restarts),
        cmocka_unit_test(two_taps_of_one_name),
        cmocka_unit_test(source_changes),
        cmocka_unit_test(device_is_refused),
        cmocka_unit_test(stop_is_asked_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

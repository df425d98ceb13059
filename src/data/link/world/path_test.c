/* SPDX-License-Identifier: Apache-2.0
 *
 * The way between a real dialer and a real listener: how wide it is, and that it may lead
 * elsewhere.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "data/link/world/world.h"

enum { HEADERS = 28 };

static const struct pmtu *path(const struct world *w)
{
    return &w->tap[0].dialer->pmtu;
}

static bool found(struct world *w)
{
    return path(w)->state == PMTU_COMPLETE;
}

static void loopback_carries_all(void **state)
{
    (void)state;
    struct world *w = world_up(LINK_CPACE, NULL);
    world_must(w, found, 3000);
    assert_int_equal(path(w)->min, PMTU_MIN_V4);
    assert_int_equal(path(w)->size, PMTU_MAX);
    assert_int_equal(w->tap[0].sender.datagram, LINK_PROBE_MAX);
    assert_int_equal(w->tap[0].dialer->status.datagram, LINK_PROBE_MAX);
    world_frames(&w->tap[0], 1000);
    world_must(w, all_written, 2000);
    world_free(w);
}

/* Datagrams of more than *w->fate_data bytes vanish. */
static unsigned narrow(struct world *w, struct relay *r, bool to_collector, const uint8_t *d,
                       size_t len)
{
    (void)r, (void)d;
    return to_collector && len > *(const size_t *)w->fate_data ? 0 : 1;
}

static bool passes(struct world *w)
{
    return found(w) && path(w)->size == *(const size_t *)w->fate_data + HEADERS;
}

static void a_black_hole_costs_what_was_in_it(void **state)
{
    (void)state;
    size_t width = 1472;
    struct world *w = world_up(LINK_CPACE, NULL);
    world_must(w, found, 3000);
    w->fate_data = &width;
    w->fate = narrow;
    /* it is to be noticed by what the collector reports, not when the size is asked for anyway */
    w->tap[0].dialer->pmtu.deadline = mono_add_ms(mono_now(), 3600000);
    uint64_t before = world_written(w);
    while (path(w)->size >
           width + HEADERS) { /* frames go on; the collector's reports show what is missing */
        world_frames(&w->tap[0], 200);
        world_run(w, never, 20);
        assert_true(w->tap[0].sender.made < 200000);
    }
    world_must(w, passes, 10000);
    assert_int_equal(w->tap[0].sender.datagram, width);
    uint64_t written = world_written(w);
    assert_true(written - before < w->tap[0].sender.made); /* something was lost */
    world_frames(&w->tap[0], 300);
    world_run(w, never, 200);
    assert_int_equal(world_written(w), written + 300); /* and now nothing is */
    uint32_t made = w->tap[0].sender.made;
    dialer_stop(w->tap[0].dialer);
    dialer_senders_changed(w->tap[0].dialer);
    world_must(w, stopped0, 3000);
    struct dialer_stream_status ss;
    dialer_stream_status(w->tap[0].dialer, 1, &ss);
    assert_int_equal(ss.confirmed, world_written(w));
    assert_int_equal(ss.confirmed + ss.reported_lost, made);
    world_free(w);
}

/* Every second long datagram vanishes, and all long questions: a path with too much to carry. */
static unsigned overloaded(struct world *w, struct relay *r, bool to_collector, const uint8_t *d,
                           size_t len)
{
    (void)r;
    struct link_record rec;
    if (!to_collector || len <= 1472 || link_peek(d, len) != LINK_RECORD ||
        link_record_decode(d, len, &rec) < 0) {
        return 1;
    }
    return rec.stream == 0 ? 0 : ++w->n % 2;
}

/* Such a path is not taken for a narrow one, whatever becomes of the questions. */
static void an_overloaded_path_stays_wide(void **state)
{
    (void)state;
    struct world *w = world_up(LINK_PLAIN, NULL);
    world_must(w, found, 3000);
    w->fate = overloaded;
    struct mono end = mono_add_ms(mono_now(), 4000);
    while (!mono_due(mono_now(), end)) { /* four reports */
        world_frames(&w->tap[0], 2000);
        world_run(w, never, 5);
    }
    assert_true(w->n > 100);
    assert_int_equal(path(w)->size, PMTU_MAX);
    assert_int_equal(w->tap[0].sender.datagram, LINK_PROBE_MAX);
    world_free(w);
}

static unsigned times(const char *text, const char *words)
{
    unsigned n = 0;
    while ((text = strstr(text, words))) {
        text += strlen(words);
        n++;
    }
    return n;
}

/* A path that was too narrow for everything carries something again: that is said once, and not
 * when the same width is found the next time. */
static void a_path_that_works_again_is_told_once(void **state)
{
    (void)state;
    struct world *w = world_up(LINK_PLAIN, NULL);
    struct dialer *c = w->tap[0].dialer;
    world_must(w, found, 3000);
    assert_int_equal(times(w->said, "now carries packets of"), 0);
    c->too_narrow = true;
    for (unsigned i = 0; i < 2; i++) {
        dialer_path_begin(c);
        assert_false(found(w));
        world_must(w, found, 3000);
        assert_false(c->too_narrow);
        assert_int_equal(times(w->said, "now carries packets of"), 1);
    }
    const struct history *h = &w->tap[0].history;
    assert_true(h->n > 0);
    assert_int_equal(history_at(h, h->n - 1)->kind, HISTORY_PATH_MTU);
    assert_non_null(strstr(history_at(h, h->n - 1)->words, " bytes pass"));
    world_free(w);
}

/* Reports of full datagrams: where few of the frames arrived, the path's width is in doubt, and
 * where a quarter did, it is not. */
static void a_quarter_must_arrive(void **state)
{
    (void)state;
    struct world *w = world_up(LINK_PLAIN, NULL);
    struct dialer *c = w->tap[0].dialer;
    world_must(w, found, 3000);
    for (unsigned arrived = 249; arrived <= 250; arrived++) {
        struct ledger *l = &w->tap[0].sender.plain.ledger;
        dialer_path_reported(c, false); /* as of now */
        c->pmtu.checked = (struct mono){0};
        c->pmtu.probe = 0;
        c->stream[0].told[0] += 1000;
        c->stream[0].accounted += arrived;
        ledger_add(l, LEDGER_TX_DATAGRAMS, 10);
        ledger_add(l, LEDGER_TX_WIRE_BYTES, 10 * (uint64_t)c->status.datagram);
        dialer_path_reported(c, true);
        assert_int_equal(c->pmtu.probe, arrived < 250 ? c->pmtu.size : 0);
    }
    world_free(w);
}

/* A collector of before: it does not say that it answers, and does not. */
static unsigned knows_no_probes(struct world *w, struct relay *r, bool to_collector,
                                const uint8_t *d, size_t len)
{
    struct link_record rec;
    if (link_peek(d, len) != LINK_RECORD || link_record_decode(d, len, &rec) < 0 ||
        rec.stream != 0) {
        return 1;
    }
    if (to_collector && d[LINK_RECORD_HEADER] == LINK_PROBE) {
        w->n++;
    }
    if (d[LINK_RECORD_HEADER] == LINK_INFO_ACK) {
        uint8_t changed[64];
        assert_true(len <= sizeof(changed));
        memcpy(changed, d, len);
        changed[LINK_RECORD_HEADER + 1] &= 1;
        world_inject(r, false, changed, len);
        return 0;
    }
    return 1;
}

static void without_probes_the_kernel_is_believed(void **state)
{
    (void)state;
    struct world *w = world_up(LINK_PLAIN, knows_no_probes);
    assert_int_equal(path(w)->state, PMTU_OFF);
    assert_int_equal(path(w)->size, PMTU_MAX);
    world_frames(&w->tap[0], 500);
    world_must(w, all_written, 2000);
    assert_int_equal(w->n, 0);
    world_free(w);
}

/* A record of the tap is held back, and one is kept to be sent again. */
static uint8_t held[2048], kept[2048];
static size_t held_len, kept_len;

static unsigned hold_one(struct world *w, struct relay *r, bool to_collector, const uint8_t *d,
                         size_t len)
{
    (void)w, (void)r;
    struct link_record rec;
    if (!to_collector || link_peek(d, len) != LINK_RECORD || link_record_decode(d, len, &rec) < 0 ||
        rec.stream != 0 || len > sizeof(held)) {
        return 1;
    }
    if (held_len == 0) {
        memcpy(held, d, len);
        held_len = len;
        return 0;
    }
    memcpy(kept, d, len);
    kept_len = len;
    return 1;
}

static bool kept_one(struct world *w)
{
    (void)w;
    return kept_len > 0;
}

static void an_old_record_moves_nothing(void **state)
{
    (void)state;
    struct world *w = world_up(LINK_CPACE, NULL);
    held_len = kept_len = 0;
    w->fate = hold_one;
    world_must(w, kept_one, 5000);
    w->fate = NULL;
    world_new_source(&w->tap[0].relay); /* an address translator has forgotten */
    world_run(w, never, 1500);
    const struct session *ss = w->listener->peer[0]->session;
    assert_int_equal(ss->peer->moves, 1);
    struct udp_addr now = ss->key->from, there;
    assert_int_equal(udp_local(w->tap[0].relay.back, &there), 0);
    assert_int_equal(now.v4.sin_port, there.v4.sin_port);
    int elsewhere = world_socket(NULL);
    (void)sendto(elsewhere, held, held_len, 0, &w->listener_addr.sa, w->listener_addr.len);
    (void)sendto(elsewhere, kept, kept_len, 0, &w->listener_addr.sa, w->listener_addr.len);
    world_run(w, never, 100);
    assert_true(udp_addr_equal(&ss->key->from, &now)); /* neither late nor again */
    assert_int_equal(ss->peer->moves, 1);
    struct listener_counters c;
    listener_counters(w->listener, &c);
    assert_int_equal(c.receiver.replayed, 1);
    close(elsewhere);
    world_frames(&w->tap[0], 100);
    world_must(w, all_written, 2000);
    world_free(w);
}

enum { PROBE_BYTES = HEADERS + LINK_RECORD_HEADER + LINK_PROBE_LEN + AEAD_TAG_MAX };

static uint8_t taken[2048];
static size_t taken_len;

/* Once taken[] is empty, the tap's next control record is taken off the path, and nothing more of
 * the tap arrives. */
static unsigned take_one(struct world *w, struct relay *r, bool to_collector, const uint8_t *d,
                         size_t len)
{
    (void)w, (void)r;
    struct link_record rec;
    if (to_collector && taken_len == 0 && link_record_decode(d, len, &rec) == 0 &&
        rec.stream == 0 && len <= sizeof(taken)) {
        memcpy(taken, d, len);
        taken_len = len;
    }
    return to_collector ? 0 : 1;
}

static bool taken_one(struct world *w)
{
    (void)w;
    return taken_len > 0;
}

/* A session of that a record of `probe` bytes, or one of the tap's own, has been taken; -1 or what
 * it is sent from next. */
static struct world *world_taken(bool probe)
{
    struct world *w = world_up(LINK_CPACE, NULL);
    world_must(w, found, 3000);
    world_run(w, never, 1200); /* each end has had a REPORT of the other's */
    taken_len = 0;
    w->fate = take_one;
    if (probe) {
        assert_int_equal(dialer_send_probe(w->tap[0].dialer, 0xffffffff, 0), 0);
    }
    world_must(w, taken_one, 3000);
    return w;
}

/* Bytes of IP packets that have come to this socket. */
static size_t came_to(int fd)
{
    uint8_t d[2048];
    size_t bytes = 0;
    for (ssize_t n; (n = recv(fd, d, sizeof(d), MSG_DONTWAIT)) > 0;) {
        bytes += HEADERS + (size_t)n;
    }
    return bytes;
}

/* A record comes from a stranger's address: no more bytes go there than came from there, to the
 * byte, until somebody shows that they arrive. */
static void a_stranger_gets_what_came(void **state)
{
    (void)state;
    for (unsigned probe = 0; probe < 2; probe++) {
        struct world *w = world_taken(probe);
        int stranger = world_socket(NULL);
        (void)sendto(stranger, taken, taken_len, 0, &w->listener_addr.sa, w->listener_addr.len);
        world_run(w, never, 3200); /* three REPORTs are due */
        const struct key *k = w->listener->peer[0]->session->key;
        struct udp_addr self;
        assert_int_equal(udp_local(stranger, &self), 0);
        assert_true(udp_addr_equal(&k->from, &self) && k->proof.wanted);
        size_t bytes = came_to(stranger);
        assert_int_equal(bytes + k->proof.may, HEADERS + taken_len);
        if (probe) { /* one answer of the same size */
            assert_int_equal(taken_len + HEADERS, PROBE_BYTES);
            assert_int_equal(bytes, PROBE_BYTES);
        } else {
            assert_in_range(bytes, 1, HEADERS + taken_len);
        }
        w->fate =
            NULL; /* the tap is heard again, where it has been all the time: all is as before */
        world_frames(&w->tap[0], 100);
        world_must(w, all_written, 3000);
        world_run(w, never, 1200);
        assert_false(k->proof.wanted);
        assert_int_equal(came_to(stranger), 0);
        close(stranger);
        world_free(w);
    }
}

/* A REPORT of the tap's that repeats this time, from that socket. */
static void report_from(struct world *w, int fd, int64_t echo)
{
    struct epoch *e = &w->tap[0].dialer->current;
    uint8_t d[LINK_RECORD_HEADER + LINK_CONTROL_MAX + AEAD_TAG_MAX], nonce[AEAD_NONCE_LEN];
    struct link_control c = {.type = LINK_REPORT, .report = {.now = 1, .echo = echo}};
    struct link_record rec = {0, e->keys.remote, e->counter++};
    int n = link_control_encode(&c, d + LINK_RECORD_HEADER, LINK_CONTROL_MAX);
    assert_true(n > 0);
    link_record_encode(&rec, d);
    link_record_nonce(&rec, nonce);
    uint8_t *plain = d + LINK_RECORD_HEADER;
    assert_int_equal(aead_seal(e->tx, nonce, d, LINK_RECORD_HEADER, plain, (size_t)n, plain + n),
                     0);
    (void)sendto(fd, d, LINK_RECORD_HEADER + (size_t)n + aead_tag_len(e->tx), 0,
                 &w->listener_addr.sa, w->listener_addr.len);
    world_run(w, never, 50);
}

/* Only what was sent to the new address, and to no other, shows that it is the tap's. */
static void what_proves_an_address(void **state)
{
    (void)state;
    struct world *w = world_taken(false);
    int there = world_socket(NULL), elsewhere = world_socket(NULL);
    const struct key *k = w->listener->peer[0]->session->key;
    int64_t before = w->tap[0].dialer->last_now;
    assert_true(before != 0);
    (void)sendto(there, taken, taken_len, 0, &w->listener_addr.sa, w->listener_addr.len);
    world_run(w, never, 1200); /* and a REPORT is sent there */
    int64_t now = k->proof.told[(k->proof.next - 1) % LINK_PROOF_TOLD];
    assert_true(k->proof.wanted && now != 0 && now != before);
    assert_true(came_to(there) > 0);
    report_from(w, there, before);
    assert_true(k->proof.wanted);
    report_from(w, there, 0);
    assert_true(k->proof.wanted);
    report_from(w, there, now + 1);
    assert_true(k->proof.wanted);
    report_from(w, elsewhere,
                now); /* that is another address: what was sent there first is no proof */
    assert_true(k->proof.wanted);
    assert_int_equal(k->proof.told[0], 0);
    report_from(w, there, now);
    assert_true(k->proof.wanted);
    world_run(w, never, 1200);
    report_from(w, there, k->proof.told[(k->proof.next - 1) % LINK_PROOF_TOLD]);
    assert_false(k->proof.wanted);
    struct udp_addr self;
    assert_int_equal(udp_local(there, &self), 0);
    assert_true(udp_addr_equal(&k->from, &self) && udp_addr_equal(&k->sure, &self));
    close(there);
    close(elsewhere);
    world_free(w);
}

static bool proven(struct world *w)
{
    return w->listener->peer[0]->moves > 0 && !w->listener->peer[0]->session->key->proof.wanted;
}

/* The session is known by its tap's address of now, not by the one before, nor once it closes. */
static void found_where_it_is(struct world *w, const struct udp_addr *before)
{
    struct session *ss = w->listener->peer[0]->session;
    assert_ptr_equal(listener_session_at(w->listener, &ss->key->from), ss);
    assert_null(listener_session_at(w->listener, before));
    ss->closing = true;
    assert_null(listener_session_at(w->listener, &ss->key->from));
    ss->closing = false;
}

/* A tap that has moved shows it with its second report, and is not asked twice. */
static void a_moved_tap_is_believed(void **state)
{
    (void)state;
    struct world *w = world_up(LINK_CPACE, NULL);
    world_must(w, found, 3000);
    const struct udp_addr before = w->listener->peer[0]->session->key->from;
    world_new_source(&w->tap[0].relay);
    world_must(w, proven, 4000);
    found_where_it_is(w, &before);
    world_frames(&w->tap[0], 100);
    world_must(w, all_written, 2000);
    world_run(w, never, 1200);
    assert_true(proven(w));
    assert_int_equal(w->listener->peer[0]->moves, 1);
    assert_int_equal(w->tap[0].dialer->status.sessions, 1);
    world_free(w);
}

/* The tap goes on over another socket, and again, while frames flow and a thread is slow. */
static void the_tap_moves(void **state)
{
    (void)state;
    struct world *w = world_up(LINK_CPACE, NULL);
    struct dialer *c = w->tap[0].dialer;
    for (unsigned i = 1; i <= 3; i++) {
        world_must(w, found, 3000);
        world_frames(&w->tap[0], 100);
        w->tap[0].sender.refuse = i == 2 ? 3 : 0;
        struct udp_addr before = c->local;
        c->unsendable = true; /* as when its address is gone */
        c->next_move = (struct mono){0};
        world_run(w, never, 400);
        assert_int_equal(c->status.moves, i);
        assert_false(udp_addr_equal(&before, &c->local));
        assert_int_equal(w->tap[0].sender.rekeys, i);
        world_frames(&w->tap[0], 100);
        world_must(w, all_written, 2000);
    }
    assert_int_equal(c->status.sessions, 1);
    assert_int_equal(w->listener->peer[0]->sessions, 1);
    world_free(w);
}

static void silence_alone_moves_nothing(void **state)
{
    (void)state;
    struct world *w = world_up(LINK_CPACE, NULL);
    struct dialer *c = w->tap[0].dialer;
    int fd = c->io.fd;
    c->uplink.heard.ns -= DIALER_LOOKUP_MS * NSEC_PER_MSEC; /* the same ends: no reason to move */
    world_run(w, never, 150);
    assert_int_equal(c->status.moves, 0);
    assert_int_equal(c->io.fd, fd);
    assert_true(c->uplink.up);
    world_frames(&w->tap[0], 100);
    world_must(w, all_written, 2000);
    world_free(w);
}

static unsigned rekeys_wanted;

static bool rekeyed(struct world *w)
{
    return w->tap[0].dialer->status.rekeys >= rekeys_wanted &&
           w->tap[0].sender.rekeys >= rekeys_wanted;
}

/* No frame for an hour, each minute of which is made to pass at once: the same session. */
static void an_hour_of_silence(void **state)
{
    (void)state;
    struct world *w = world_up(LINK_CPACE, NULL);
    struct dialer *c = w->tap[0].dialer;
    world_frames(&w->tap[0], 100);
    for (rekeys_wanted = 1; rekeys_wanted <= 3600000 / UPLINK_REKEY_MS; rekeys_wanted++) {
        c->uplink.keyed.ns -= UPLINK_REKEY_MS * NSEC_PER_MSEC;
        if (rekeys_wanted % 8 == 0) {
            world_new_source(&w->tap[0].relay); /* and translators forget */
        }
        world_must(w, rekeyed, 3000);
    }
    world_frames(&w->tap[0], 100);
    world_must(w, all_written, 2000);
    assert_int_equal(c->status.sessions, 1);
    assert_int_equal(w->listener->peer[0]->sessions, 1);
    assert_int_equal(path(w)->size, PMTU_MAX);
    world_free(w);
}

static unsigned count_reports(struct world *w, struct relay *r, bool to_collector, const uint8_t *d,
                              size_t len)
{
    (void)r, (void)d, (void)len;
    struct mono now = mono_now();
    struct mono *last = (struct mono *)w->fate_data + (to_collector ? 1 : 0);
    if (last->ns) {
        w->n = MAX(w->n, (unsigned)(mono_diff(now, *last) / NSEC_PER_MSEC));
    }
    *last = now;
    return 1;
}

/* Datagrams go both ways without frames. They keep the memory of address translators alive, which
 * may be as short as 30 s: RFC 4787, REQ-5. */
static void both_ways_are_used_without_frames(void **state)
{
    (void)state;
    struct mono last[2] = {0};
    struct world *w = world_up(LINK_CPACE, NULL);
    w->fate_data = last;
    w->fate = count_reports;
    world_run(w, never, 4500);
    assert_true(last[0].ns && last[1].ns);
    assert_true(w->n < 3000); /* milliseconds, in each direction; 1000 on a host that has time */
    world_free(w);
}

/* Too long a control record is counted, and a PROBE's padding goes nowhere. */
static void long_records_are_bounded(void **state)
{
    (void)state;
    struct world *w = world_up(LINK_PLAIN, NULL);
    uint8_t d[LINK_RECORD_HEADER + 9000] = {0};
    const struct epoch *e = &w->tap[0].dialer->current;
    struct listener_counters before, after;
    world_must(w, found, 3000);
    listener_counters(w->listener, &before);
    for (unsigned i = 0; i < 8; i++) {
        d[LINK_RECORD_HEADER] = i % 2 ? LINK_PROBE : LINK_REPORT;
        link_record_encode(&(struct link_record){0, e->keys.remote, 1000 + i}, d);
        world_inject(&w->tap[0].relay, true, d,
                     LINK_RECORD_HEADER + (i < 4 ? LINK_CONTROL_MAX + 1 : 9000));
    }
    world_run(w, never, 200);
    listener_counters(w->listener, &after);
    assert_int_equal(after.receiver.unexpected - before.receiver.unexpected, 4);
    assert_true(up0(w));
    assert_int_equal(path(w)->size, PMTU_MAX);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loopback_carries_all),
        cmocka_unit_test(a_black_hole_costs_what_was_in_it),
        cmocka_unit_test(an_overloaded_path_stays_wide),
        cmocka_unit_test(without_probes_the_kernel_is_believed),
        cmocka_unit_test(an_old_record_moves_nothing),
        cmocka_unit_test(a_stranger_gets_what_came),
        cmocka_unit_test(what_proves_an_address),
        cmocka_unit_test(a_moved_tap_is_believed),
        cmocka_unit_test(a_path_that_works_again_is_told_once),
        cmocka_unit_test(a_quarter_must_arrive),
        cmocka_unit_test(the_tap_moves),
        cmocka_unit_test(silence_alone_moves_nothing),
        cmocka_unit_test(an_hour_of_silence),
        cmocka_unit_test(both_ways_are_used_without_frames),
        cmocka_unit_test(long_records_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * The link's sending end over a socket that takes what the test lets it take, with the real
 * reassembler behind it: which frames wait, in which order they leave, and how they are counted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "data/link/receive/reasm.h"
#include "data/link/send/tx.h"
#include "proto/link.h"

enum {
    DATAGRAM = 1400,
    FRAME = 500, /* bytes; its number is in the first four */
    PATIENCE_MS = 20000,
};

struct world {
    struct backlog_pool *pool;
    struct sink *tx;
    struct ledger ledger, far; /* the tap's and the collector's */
    int fd[2];
    struct reasm *reasm;
    struct reasm_room room;
    struct batch batch; /* at the far end */
    struct batch_out out;
    uint64_t next_counter;
    uint64_t got_bytes; /* of datagrams, of all sessions */
    uint64_t got_datagrams;
    uint32_t made, got, expect; /* frames; the number that is to come next */
};

static void on_deliver(struct batch_out *o)
{
    struct world *w = CONTAINER_OF(o, struct world, out);
    for (uint32_t i = 0; i < w->batch.n; i++) {
        const struct frame *f = &w->batch.f[i];
        uint32_t n = 0;
        assert_int_equal(f->caplen, FRAME);
        memcpy(&n, f->data, sizeof(n));
        assert_int_equal(n, w->expect); /* in order, each once */
        assert_int_equal(f->ts_ns, 1000000 + (int64_t)n);
        w->expect++;
        w->got++;
    }
    w->batch.n = 0;
}

/* The far end reads its socket. */
static void receive(struct world *w)
{
    static uint8_t d[65536];
    w->out = (struct batch_out){&w->batch, on_deliver};
    ssize_t n = 0;
    while ((n = recv(w->fd[1], d, sizeof(d), MSG_DONTWAIT)) > 0) {
        for (ssize_t at = 0; at < n; at += DATAGRAM) {
            size_t len = (size_t)(n - at < DATAGRAM ? n - at : DATAGRAM);
            struct link_record rec;
            w->got_datagrams++;
            w->got_bytes += len;
            assert_int_equal(link_record_decode(d + at, len, &rec), 0);
            assert_int_equal(rec.counter, w->next_counter++); /* none lost, none repeated */
            reasm_segment(w->reasm, rec.counter, d + at + LINK_RECORD_HEADER,
                          len - LINK_RECORD_HEADER, mono_now(), &w->out);
        }
        on_deliver(&w->out);
        reasm_delivered(w->reasm);
    }
}

static void session(struct world *w)
{
    if (w->fd[0] >= 0) {
        close(w->fd[1]);
    }
    assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, w->fd), 0);
    struct link_sender_key key = {.fd = w->fd[0], .datagram = DATAGRAM};
    assert_int_equal(aead_new(AEAD_NULL, (uint8_t[AEAD_KEY_LEN]){0}, &key.aead, NULL), 0);
    link_tx_session(w->tx, &key);
    reasm_free(w->reasm);
    w->room = (struct reasm_room){.max = 64 << 20, .all = &w->room};
    w->reasm = reasm_new(1, &w->far, &w->room, (struct mono){0});
    w->next_counter = 0;
}

static void begin(struct world *w, uint64_t backlog)
{
    *w = (struct world){.fd = {-1, -1}};
    w->pool = backlog ? backlog_pool_new(backlog) : NULL;
    assert_int_equal(link_tx_new(1, &w->ledger, w->pool, &w->tx), 0);
}

static void end(struct world *w)
{
    sink_free(w->tx);
    assert_true(!w->pool || backlog_pool_used(w->pool) == 0);
    backlog_pool_free(w->pool);
    reasm_free(w->reasm);
    if (w->fd[1] >= 0) {
        close(w->fd[1]);
    }
}

static uint64_t of(const struct world *w, enum ledger_id id)
{
    return ledger_get(&w->ledger, id);
}

static int64_t in_flight(const struct world *w)
{
    return ledger_sum(&w->ledger, NULL, LEDGER_LINK_TX).in_flight;
}

/* `n` frames come from the interface. */
static void frames(struct world *w, unsigned n)
{
    static uint8_t bytes[BATCH_MAX][FRAME];
    static struct batch b;
    for (; n > 0; n -= b.n) {
        b.n = n < BATCH_MAX ? n : BATCH_MAX;
        for (unsigned i = 0; i < b.n; i++, w->made++) {
            memset(bytes[i], (int)w->made, FRAME);
            memcpy(bytes[i], &w->made, sizeof(w->made));
            b.f[i] = (struct frame){.data = bytes[i],
                                    .datalen = FRAME,
                                    .caplen = FRAME,
                                    .origlen = FRAME,
                                    .ts_ns = 1000000 + (int64_t)w->made};
        }
        ledger_add(&w->ledger, LEDGER_CUT_OUT, b.n);
        w->tx->ops->write(w->tx, &b);
    }
    w->tx->ops->flush(w->tx);
}

/* Runs as a data thread does, with a report of everything every so often, until nothing waits. */
static void drain(struct world *w)
{
    struct mono end = mono_add_ms(mono_now(), PATIENCE_MS);
    while (link_tx_waits(w->tx)) {
        int ms = link_tx_drain(w->tx);
        receive(w);
        link_tx_reported(w->tx, reasm_accounted(w->reasm), 0);
        assert_true(ms <= 10);
        assert_int_equal(ms >= 0, link_tx_waits(w->tx));
        assert_false(mono_due(mono_now(), end));
        poll(NULL, 0, ms > 0 ? ms : 0);
        assert_int_equal(of(w, LEDGER_TX_BACKLOG_BYTES), (uint64_t)in_flight(w) * FRAME);
    }
    receive(w);
}

static void frames_wait_for_a_session(void **state)
{
    (void)state;
    struct world w;
    begin(&w, 1 << 20);
    frames(&w, 1000);
    assert_int_equal(in_flight(&w), 1000);
    assert_int_equal(of(&w, LEDGER_TX_BACKLOG_BYTES), 1000 * FRAME);
    assert_true(link_tx_waits(w.tx) && !link_tx_may_send(w.tx));
    assert_int_equal(link_tx_drain(w.tx), -1);
    session(&w);
    assert_true(link_tx_may_send(w.tx));
    frames(&w, 100); /* behind those */
    drain(&w);
    assert_int_equal(w.got, 1100);
    assert_int_equal(of(&w, LEDGER_TX_BACKLOGGED), 1100);
    frames(&w, 50); /* at once again */
    receive(&w);
    assert_int_equal(w.got, 1150);
    assert_int_equal(of(&w, LEDGER_TX_BACKLOGGED), 1100);
    assert_int_equal(of(&w, LEDGER_TX_OUT), 1150);
    assert_int_equal(in_flight(&w), 0);
    assert_int_equal(backlog_pool_used(w.pool), 0);
    end(&w);
}

static void without_a_backlog(void **state)
{
    (void)state;
    struct world w;
    begin(&w, 0);
    frames(&w, 10);
    assert_int_equal(of(&w, LEDGER_TX_NOSESSION), 10);
    assert_false(link_tx_waits(w.tx));
    session(&w);
    w.expect = 10;
    link_tx_hold(w.tx, true); /* there is nowhere to keep them */
    frames(&w, 10);
    receive(&w);
    assert_int_equal(w.got, 10);
    assert_int_equal(in_flight(&w), 0);
    end(&w);
}

static void oldest_are_dropped(void **state)
{
    (void)state;
    struct world w;
    begin(&w, 1 << 20);
    frames(&w, 5000);
    uint64_t gone = of(&w, LEDGER_TX_BACKLOG_FULL);
    assert_in_range(gone, 5000 - (1 << 20) / FRAME, 5000 - (1 << 20) / FRAME * 8 / 10);
    assert_int_equal(in_flight(&w), 5000 - (int64_t)gone);
    session(&w);
    w.expect = (uint32_t)gone;
    drain(&w);
    assert_int_equal(w.got, 5000 - gone);
    assert_int_equal(in_flight(&w), 0);
    end(&w);
}

static void doubt_holds_frames(void **state)
{
    (void)state;
    struct world w;
    begin(&w, 1 << 20);
    session(&w);
    frames(&w, 10);
    link_tx_hold(w.tx, true);
    frames(&w, 300);
    assert_int_equal(link_tx_drain(w.tx), -1);
    receive(&w);
    assert_int_equal(w.got, 10);
    assert_int_equal(in_flight(&w), 300);
    link_tx_hold(w.tx, false);
    drain(&w);
    assert_int_equal(w.got, 310);
    link_tx_hold(w.tx, true);
    frames(&w, 5);
    link_tx_down(w.tx); /* the next session begins without doubt */
    frames(&w, 5);
    session(&w);
    drain(&w);
    assert_int_equal(w.got, 320);
    assert_int_equal(in_flight(&w), 0);
    end(&w);
}

/* The socket takes nothing: what is sealed is kept as it is, the rest waits, nothing is lost. */
static void a_full_socket_loses_nothing(void **state)
{
    (void)state;
    struct world w;
    begin(&w, 4 << 20);
    session(&w);
    frames(&w, 4000); /* nobody reads */
    assert_true(in_flight(&w) > 0);
    assert_true(of(&w, LEDGER_TX_OUT) > 0); /* and some were sent: each frame went one way */
    assert_int_equal(of(&w, LEDGER_TX_OUT) + of(&w, LEDGER_TX_BACKLOGGED), 4000);
    assert_int_equal(link_tx_drain(w.tx), 10);
    assert_int_equal(of(&w, LEDGER_TX_UNSENT), 0);
    drain(&w);
    frames(&w, 100);
    receive(&w);
    assert_int_equal(w.got, 4100);
    assert_int_equal(of(&w, LEDGER_TX_UNSENT), 0);
    assert_int_equal(in_flight(&w), 0);
    end(&w);
}

/* Datagrams that were sealed for a session go with it, and are counted. Frames that wait stay. */
static void a_session_ends_with_a_full_socket(void **state)
{
    (void)state;
    struct world w;
    begin(&w, 4 << 20);
    session(&w);
    frames(&w, 4000);
    uint64_t out = of(&w, LEDGER_TX_OUT);
    assert_int_equal(out + (uint64_t)in_flight(&w), 4000);
    link_tx_down(w.tx);
    receive(&w);
    uint32_t before = w.got;
    assert_int_equal(of(&w, LEDGER_TX_UNSENT), of(&w, LEDGER_TX_DATAGRAMS) - w.got_datagrams);
    assert_true(of(&w, LEDGER_TX_UNSENT) > 0);
    assert_int_equal(of(&w, LEDGER_TX_OUT), out);
    w.expect = (uint32_t)out;
    session(&w);
    drain(&w);
    assert_int_equal(w.got - before, 4000 - out);
    end(&w);
}

static void a_key_changes_while_frames_wait(void **state)
{
    (void)state;
    struct world w;
    begin(&w, 1 << 20);
    frames(&w, 500);
    session(&w);
    (void)link_tx_drain(w.tx);
    struct link_sender_key key = {.fd = dup(w.fd[0]), .datagram = DATAGRAM};
    assert_int_equal(aead_new(AEAD_NULL, (uint8_t[AEAD_KEY_LEN]){0}, &key.aead, NULL), 0);
    link_tx_rekey(w.tx, &key);
    drain(&w);
    assert_int_equal(w.got, 500);
    end(&w);
}

/* Frames that came before the session leave at a modest rate at first, not in one burst. */
static void begins_modestly(void **state)
{
    (void)state;
    struct world w;
    begin(&w, 16 << 20);
    frames(&w, 20000);
    session(&w);
    poll(NULL, 0, 2);
    (void)link_tx_drain(w.tx);
    assert_in_range(of(&w, LEDGER_TX_OUT), 1, 200);
    receive(&w);
    end(&w);
}

/* Datagrams that a full socket did not take leave at the end, when it takes them. */
static void what_was_sealed_leaves_at_the_end(void **state)
{
    (void)state;
    struct world w;
    begin(&w, 4 << 20);
    session(&w);
    frames(&w, 4000); /* nobody reads */
    uint64_t out = of(&w, LEDGER_TX_OUT);
    receive(&w);
    assert_true(w.got < out);
    link_tx_give_up(w.tx);
    receive(&w);
    assert_int_equal(w.got, out);
    assert_int_equal(of(&w, LEDGER_TX_LEFT), 4000 - out);
    assert_int_equal(of(&w, LEDGER_TX_UNSENT), 0);
    assert_int_equal(in_flight(&w), 0);
    end(&w);
}

static void what_is_left_is_counted(void **state)
{
    (void)state;
    struct world w;
    begin(&w, 16 << 20);
    frames(&w, 2000);
    link_tx_give_up(w.tx);
    assert_int_equal(of(&w, LEDGER_TX_NOSESSION), 2000);
    assert_int_equal(in_flight(&w), 0);
    frames(&w, 2000);
    session(&w);
    link_tx_give_up(w.tx);
    assert_int_equal(of(&w, LEDGER_TX_LEFT), 2000);
    assert_int_equal(of(&w, LEDGER_TX_BACKLOG_BYTES), 0);
    assert_int_equal(in_flight(&w), 0);
    assert_false(link_tx_waits(w.tx));
    end(&w);
}

/* The bytes that are counted as sent come out at the other end, each of them: at once, from the
 * backlog, under another key and in another session. */
static void bytes_and_datagrams_are_exact(void **state)
{
    (void)state;
    struct world w;
    begin(&w, 1 << 20);
    frames(&w, 100); /* these wait */
    assert_int_equal(of(&w, LEDGER_TX_BYTES), 0);
    session(&w);
    drain(&w);
    for (unsigned i = 1; i <= 100; i++) {
        frames(&w, i);
        receive(&w);
        assert_int_equal(of(&w, LEDGER_TX_BYTES), (uint64_t)w.made * FRAME);
        assert_int_equal(of(&w, LEDGER_TX_DATAGRAMS), w.got_datagrams);
        assert_int_equal(of(&w, LEDGER_TX_WIRE_BYTES), w.got_bytes);
        assert_int_equal(of(&w, LEDGER_TX_BACKLOGGED), 100);
        assert_int_equal(of(&w, LEDGER_TX_UNSENT), 0);
        if (i % 30 == 0) {
            session(&w);
        }
    }
    assert_int_equal(w.got, w.made);
    end(&w);
}

/* Another data thread gets its share of the memory: what goes for it is counted where it was. */
static void what_is_given_to_others_is_counted(void **state)
{
    (void)state;
    struct world w;
    struct ledger other = {0};
    struct sink *tx = NULL;
    begin(&w, 1 << 20);
    assert_int_equal(link_tx_new(2, &other, w.pool, &tx), 0);
    frames(&w, 5000);
    uint64_t gone = of(&w, LEDGER_TX_BACKLOG_FULL);
    static uint8_t bytes[FRAME];
    static struct batch b = {.n = 1};
    b.f[0] = (struct frame){.data = bytes, .datalen = FRAME, .caplen = FRAME, .origlen = FRAME};
    for (unsigned i = 0; i < 2; i++) { /* the first one asks and is lost */
        ledger_add(&other, LEDGER_CUT_OUT, 1);
        tx->ops->write(tx, &b);
        assert_int_equal(link_tx_drain(w.tx), -1);
    }
    assert_true(of(&w, LEDGER_TX_BACKLOG_FULL) > gone);
    assert_int_equal(of(&w, LEDGER_TX_BACKLOG_BYTES), (uint64_t)in_flight(&w) * FRAME);
    assert_int_equal(ledger_get(&other, LEDGER_TX_BACKLOG_FULL), 1);
    assert_int_equal(ledger_sum(&other, NULL, LEDGER_LINK_TX).in_flight, 1);
    link_tx_give_up(tx);
    sink_free(tx);
    session(&w);
    w.expect = (uint32_t)of(&w, LEDGER_TX_BACKLOG_FULL);
    drain(&w);
    assert_int_equal(w.expect, w.made);
    end(&w);
}

/* Nobody listens: said once for each time that the net says so. */
static void a_refusal_is_taken_once(void **state)
{
    (void)state;
    struct world w;
    struct link_sender_key key = {.datagram = DATAGRAM};
    struct udp_addr to = {.v4 = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}},
                          .len = sizeof(to.v4)};
    struct udp_addr taken;
    int fd = -1;
    begin(&w, 1 << 20);
    assert_int_equal(udp_bind(&to, 0, &fd, NULL), 0);
    assert_int_equal(udp_local(fd, &taken), 0);
    assert_int_equal(udp_connect(&taken, &key.fd, NULL), 0);
    close(fd); /* a port that nobody has now */
    assert_int_equal(aead_new(AEAD_NULL, (uint8_t[AEAD_KEY_LEN]){0}, &key.aead, NULL), 0);
    link_tx_session(w.tx, &key);
    for (unsigned i = 0; i < 2; i++) {
        frames(&w, 1);
        assert_false(link_tx_take_refused(w.tx));
        assert_int_equal(poll(&(struct pollfd){key.fd, 0, 0}, 1, 5000), 1);
        frames(&w, 1); /* meets what the first one left, and goes */
        assert_true(link_tx_take_refused(w.tx));
        assert_false(link_tx_take_refused(w.tx));
        struct udp_io io = {.fd = key.fd};
        assert_int_equal(poll(&(struct pollfd){key.fd, 0, 0}, 1, 5000), 1);
        struct udp_packet p = {.data = (uint8_t[64]){0}, .size = 64};
        (void)udp_recv(&io, &p, 1);
        assert_int_equal(udp_answered(io.fd), UDP_ANSWER_PORT);
    }
    assert_int_equal(of(&w, LEDGER_TX_OUT), 4);
    assert_int_equal(of(&w, LEDGER_TX_UNSENT), 0);
    end(&w);
}

/* Each session's frames are accounted for or not, and what is settled stays so. */
static void what_nobody_confirmed_is_counted(void **state)
{
    (void)state;
    struct world w;
    begin(&w, 1 << 20);
    session(&w);
    link_tx_settle(w.tx, 0); /* nothing was sent before */
    frames(&w, 100);
    assert_int_equal(of(&w, LEDGER_TX_UNCONFIRMED), 0); /* its session is not over */
    link_tx_down(w.tx);
    link_tx_settle(w.tx, 70);
    assert_int_equal(of(&w, LEDGER_TX_UNCONFIRMED), 30);
    session(&w);
    link_tx_settle(w.tx, 70);
    frames(&w, 50);
    assert_int_equal(of(&w, LEDGER_TX_UNCONFIRMED), 30);
    link_tx_down(w.tx);
    link_tx_settle(w.tx, 70 + 50);
    assert_int_equal(of(&w, LEDGER_TX_UNCONFIRMED), 30);
    link_tx_settle(w.tx, 1000); /* a collector that says more than it can know */
    assert_int_equal(of(&w, LEDGER_TX_UNCONFIRMED), 0);
    assert_int_equal(in_flight(&w), 0);
    w.expect = 100; /* the first session's were never read */
    receive(&w);
    end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_wait_for_a_session),
        cmocka_unit_test(without_a_backlog),
        cmocka_unit_test(oldest_are_dropped),
        cmocka_unit_test(doubt_holds_frames),
        cmocka_unit_test(a_full_socket_loses_nothing),
        cmocka_unit_test(a_session_ends_with_a_full_socket),
        cmocka_unit_test(a_key_changes_while_frames_wait),
        cmocka_unit_test(begins_modestly),
        cmocka_unit_test(what_was_sealed_leaves_at_the_end),
        cmocka_unit_test(what_is_left_is_counted),
        cmocka_unit_test(what_nobody_confirmed_is_counted),
        cmocka_unit_test(bytes_and_datagrams_are_exact),
        cmocka_unit_test(what_is_given_to_others_is_counted),
        cmocka_unit_test(a_refusal_is_taken_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

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

#include "data/link/world/tx_testing.h"
#include "proto/link.h"

static void frames_wait_for_a_session(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w, 1 << 20);
    tx_frames(&w, 1000);
    assert_int_equal(world_in_flight(&w), 1000);
    assert_int_equal(world_of(&w, LEDGER_TX_BACKLOG_BYTES), 1000 * FRAME);
    assert_true(link_tx_waits(w.tx) && !link_tx_may_send(w.tx));
    assert_int_equal(link_tx_drain(w.tx), -1);
    world_session(&w);
    assert_true(link_tx_may_send(w.tx));
    tx_frames(&w, 100); /* behind those */
    world_drain(&w);
    assert_int_equal(w.got, 1100);
    assert_int_equal(world_of(&w, LEDGER_TX_BACKLOGGED), 1100);
    tx_frames(&w, 50); /* at once again */
    world_receive(&w);
    assert_int_equal(w.got, 1150);
    assert_int_equal(world_of(&w, LEDGER_TX_BACKLOGGED), 1100);
    assert_int_equal(world_of(&w, LEDGER_TX_OUT), 1150);
    assert_int_equal(world_in_flight(&w), 0);
    assert_int_equal(backlog_pool_used(w.pool), 0);
    world_end(&w);
}

static void without_a_backlog(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w, 0);
    tx_frames(&w, 10);
    assert_int_equal(world_of(&w, LEDGER_TX_NOSESSION), 10);
    assert_false(link_tx_waits(w.tx));
    world_session(&w);
    w.expect = 10;
    link_tx_hold(w.tx, true); /* there is nowhere to keep them */
    tx_frames(&w, 10);
    world_receive(&w);
    assert_int_equal(w.got, 10);
    assert_int_equal(world_in_flight(&w), 0);
    world_end(&w);
}

static void oldest_are_dropped(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w, 1 << 20);
    tx_frames(&w, 5000);
    uint64_t gone = world_of(&w, LEDGER_TX_BACKLOG_FULL);
    assert_in_range(gone, 5000 - (1 << 20) / FRAME, 5000 - (1 << 20) / FRAME * 8 / 10);
    assert_int_equal(world_in_flight(&w), 5000 - (int64_t)gone);
    world_session(&w);
    w.expect = (uint32_t)gone;
    world_drain(&w);
    assert_int_equal(w.got, 5000 - gone);
    assert_int_equal(world_in_flight(&w), 0);
    world_end(&w);
}

static void doubt_holds_frames(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w, 1 << 20);
    world_session(&w);
    tx_frames(&w, 10);
    link_tx_hold(w.tx, true);
    tx_frames(&w, 300);
    assert_int_equal(link_tx_drain(w.tx), -1);
    world_receive(&w);
    assert_int_equal(w.got, 10);
    assert_int_equal(world_in_flight(&w), 300);
    link_tx_hold(w.tx, false);
    world_drain(&w);
    assert_int_equal(w.got, 310);
    link_tx_hold(w.tx, true);
    tx_frames(&w, 5);
    link_tx_down(w.tx); /* the next session begins without doubt */
    tx_frames(&w, 5);
    world_session(&w);
    world_drain(&w);
    assert_int_equal(w.got, 320);
    assert_int_equal(world_in_flight(&w), 0);
    world_end(&w);
}

/* The socket takes nothing: what is sealed is kept as it is, the rest waits, nothing is lost. */
static void a_full_socket_loses_nothing(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w, 4 << 20);
    world_session(&w);
    tx_frames(&w, 4000); /* nobody reads */
    assert_true(world_in_flight(&w) > 0);
    assert_true(world_of(&w, LEDGER_TX_OUT) > 0); /* and some were sent: each frame went one way */
    assert_int_equal(world_of(&w, LEDGER_TX_OUT) + world_of(&w, LEDGER_TX_BACKLOGGED), 4000);
    assert_int_equal(link_tx_drain(w.tx), 10);
    assert_int_equal(world_of(&w, LEDGER_TX_UNSENT), 0);
    world_drain(&w);
    tx_frames(&w, 100);
    world_receive(&w);
    assert_int_equal(w.got, 4100);
    assert_int_equal(world_of(&w, LEDGER_TX_UNSENT), 0);
    assert_int_equal(world_in_flight(&w), 0);
    world_end(&w);
}

/* Datagrams that were sealed for a session go with it, and are counted. Frames that wait stay. */
static void a_session_ends_with_a_full_socket(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w, 4 << 20);
    world_session(&w);
    tx_frames(&w, 4000);
    uint64_t out = world_of(&w, LEDGER_TX_OUT);
    assert_int_equal(out + (uint64_t)world_in_flight(&w), 4000);
    link_tx_down(w.tx);
    world_receive(&w);
    uint32_t before = w.got;
    assert_int_equal(world_of(&w, LEDGER_TX_UNSENT),
                     world_of(&w, LEDGER_TX_DATAGRAMS) - w.got_datagrams);
    assert_true(world_of(&w, LEDGER_TX_UNSENT) > 0);
    assert_int_equal(world_of(&w, LEDGER_TX_OUT), out);
    w.expect = (uint32_t)out;
    world_session(&w);
    world_drain(&w);
    assert_int_equal(w.got - before, 4000 - out);
    world_end(&w);
}

static void a_key_changes_while_frames_wait(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w, 1 << 20);
    tx_frames(&w, 500);
    world_session(&w);
    (void)link_tx_drain(w.tx);
    struct link_sender_key key = {.fd = dup(w.fd[0]), .datagram = DATAGRAM};
    assert_int_equal(aead_new(AEAD_NULL, (uint8_t[AEAD_KEY_LEN]){0}, &key.aead, NULL), 0);
    link_tx_rekey(w.tx, &key);
    world_drain(&w);
    assert_int_equal(w.got, 500);
    world_end(&w);
}

/* Frames that came before the session leave at a modest rate at first, not in one burst. */
static void begins_modestly(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w, 16 << 20);
    tx_frames(&w, 20000);
    world_session(&w);
    poll(NULL, 0, 2);
    (void)link_tx_drain(w.tx);
    assert_in_range(world_of(&w, LEDGER_TX_OUT), 1, 200);
    world_receive(&w);
    world_end(&w);
}

/* Datagrams that a full socket did not take leave at the end, when it takes them. */
static void what_was_sealed_leaves_at_the_end(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w, 4 << 20);
    world_session(&w);
    tx_frames(&w, 4000); /* nobody reads */
    uint64_t out = world_of(&w, LEDGER_TX_OUT);
    world_receive(&w);
    assert_true(w.got < out);
    link_tx_give_up(w.tx);
    world_receive(&w);
    assert_int_equal(w.got, out);
    assert_int_equal(world_of(&w, LEDGER_TX_LEFT), 4000 - out);
    assert_int_equal(world_of(&w, LEDGER_TX_UNSENT), 0);
    assert_int_equal(world_in_flight(&w), 0);
    world_end(&w);
}

static void what_is_left_is_counted(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w, 16 << 20);
    tx_frames(&w, 2000);
    link_tx_give_up(w.tx);
    assert_int_equal(world_of(&w, LEDGER_TX_NOSESSION), 2000);
    assert_int_equal(world_in_flight(&w), 0);
    tx_frames(&w, 2000);
    world_session(&w);
    link_tx_give_up(w.tx);
    assert_int_equal(world_of(&w, LEDGER_TX_LEFT), 2000);
    assert_int_equal(world_of(&w, LEDGER_TX_BACKLOG_BYTES), 0);
    assert_int_equal(world_in_flight(&w), 0);
    assert_false(link_tx_waits(w.tx));
    world_end(&w);
}

/* The bytes that are counted as sent come out at the other end, each of them: at once, from the
 * backlog, under another key and in another session. */
static void bytes_and_datagrams_are_exact(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w, 1 << 20);
    tx_frames(&w, 100); /* these wait */
    assert_int_equal(world_of(&w, LEDGER_TX_BYTES), 0);
    world_session(&w);
    world_drain(&w);
    for (unsigned i = 1; i <= 100; i++) {
        tx_frames(&w, i);
        world_receive(&w);
        assert_int_equal(world_of(&w, LEDGER_TX_BYTES), (uint64_t)w.made * FRAME);
        assert_int_equal(world_of(&w, LEDGER_TX_DATAGRAMS), w.got_datagrams);
        assert_int_equal(world_of(&w, LEDGER_TX_WIRE_BYTES), w.got_bytes);
        assert_int_equal(world_of(&w, LEDGER_TX_BACKLOGGED), 100);
        assert_int_equal(world_of(&w, LEDGER_TX_UNSENT), 0);
        if (i % 30 == 0) {
            world_session(&w);
        }
    }
    assert_int_equal(w.got, w.made);
    world_end(&w);
}

/* Another data thread gets its share of the memory: what goes for it is counted where it was. */
static void what_is_given_to_others_is_counted(void **state)
{
    (void)state;
    struct world w;
    struct ledger other = {0};
    struct sink *tx = NULL;
    world_begin(&w, 1 << 20);
    assert_int_equal(link_tx_new(2, &other, &(struct link_tx_shared){.backlog = w.pool}, &tx), 0);
    tx_frames(&w, 5000);
    uint64_t gone = world_of(&w, LEDGER_TX_BACKLOG_FULL);
    static uint8_t bytes[FRAME];
    static struct batch b = {.n = 1};
    b.f[0] = (struct frame){.data = bytes, .datalen = FRAME, .caplen = FRAME, .origlen = FRAME};
    for (unsigned i = 0; i < 2; i++) { /* the first one asks and is lost */
        ledger_add(&other, LEDGER_CUT_OUT, 1);
        tx->ops->write(tx, &b);
        assert_int_equal(link_tx_drain(w.tx), -1);
    }
    assert_true(world_of(&w, LEDGER_TX_BACKLOG_FULL) > gone);
    assert_int_equal(world_of(&w, LEDGER_TX_BACKLOG_BYTES), (uint64_t)world_in_flight(&w) * FRAME);
    assert_int_equal(ledger_get(&other, LEDGER_TX_BACKLOG_FULL), 1);
    assert_int_equal(ledger_sum(&other, NULL, LEDGER_LINK_TX).in_flight, 1);
    link_tx_give_up(tx);
    sink_free(tx);
    world_session(&w);
    w.expect = (uint32_t)world_of(&w, LEDGER_TX_BACKLOG_FULL);
    world_drain(&w);
    assert_int_equal(w.expect, w.made);
    world_end(&w);
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
    world_begin(&w, 1 << 20);
    assert_int_equal(udp_bind(&to, 0, &fd, NULL), 0);
    assert_int_equal(udp_local(fd, &taken), 0);
    assert_int_equal(udp_connect(&taken, &key.fd, NULL), 0);
    close(fd); /* a port that nobody has now */
    assert_int_equal(aead_new(AEAD_NULL, (uint8_t[AEAD_KEY_LEN]){0}, &key.aead, NULL), 0);
    link_tx_session(w.tx, &key);
    for (unsigned i = 0; i < 2; i++) {
        tx_frames(&w, 1);
        assert_false(link_tx_take_refused(w.tx));
        assert_int_equal(poll(&(struct pollfd){key.fd, 0, 0}, 1, 5000), 1);
        tx_frames(&w, 1); /* meets what the first one left, and goes */
        assert_true(link_tx_take_refused(w.tx));
        assert_false(link_tx_take_refused(w.tx));
        struct udp_io io = {.fd = key.fd};
        assert_int_equal(poll(&(struct pollfd){key.fd, 0, 0}, 1, 5000), 1);
        struct udp_packet p = {.data = (uint8_t[64]){0}, .size = 64};
        (void)udp_recv(&io, &p, 1);
        assert_int_equal(udp_answered(io.fd), UDP_ANSWER_PORT);
    }
    assert_int_equal(world_of(&w, LEDGER_TX_OUT), 4);
    assert_int_equal(world_of(&w, LEDGER_TX_UNSENT), 0);
    world_end(&w);
}

/* Each session's frames are accounted for or not, and what is settled stays so. */
static void one_of_flows(struct world *w)
{
    static const uint8_t bytes[FRAME];
    static struct batch b = {.n = 1};
    b.f[0] = (struct frame){
        .data = bytes, .datalen = FRAME, .caplen = FRAME, .origlen = FRAME, .flows = true};
    ledger_add(&w->ledger, LEDGER_CUT_OUT, 1);
    w->tx->ops->write(w->tx, &b);
}

/* Flow records for a collector that has said nothing of them, from the backlog and at once: they
 * are no frames that it lacks. */
static void flow_records_that_nobody_understands_are_counted(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w, 1 << 20);
    tx_frames(&w, 10);
    one_of_flows(&w);
    tx_frames(&w, 10);
    world_session(&w);
    world_drain(&w);
    one_of_flows(&w);
    tx_frames(&w, 10);
    world_receive(&w);
    assert_int_equal(w.got, 30);
    assert_int_equal(world_of(&w, LEDGER_TX_UNKNOWN), 2);
    assert_int_equal(world_of(&w, LEDGER_TX_OUT), 30);
    assert_int_equal(world_of(&w, LEDGER_TX_BYTES), 30 * FRAME);
    assert_int_equal(world_in_flight(&w), 0);
    world_end(&w);
}

static void what_nobody_confirmed_is_counted(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w, 1 << 20);
    world_session(&w);
    link_tx_settle(w.tx, 0); /* nothing was sent before */
    tx_frames(&w, 100);
    assert_int_equal(world_of(&w, LEDGER_TX_UNCONFIRMED), 0); /* its session is not over */
    link_tx_down(w.tx);
    link_tx_settle(w.tx, 70);
    assert_int_equal(world_of(&w, LEDGER_TX_UNCONFIRMED), 30);
    world_session(&w);
    link_tx_settle(w.tx, 70);
    tx_frames(&w, 50);
    assert_int_equal(world_of(&w, LEDGER_TX_UNCONFIRMED), 30);
    link_tx_down(w.tx);
    link_tx_settle(w.tx, 70 + 50);
    assert_int_equal(world_of(&w, LEDGER_TX_UNCONFIRMED), 30);
    link_tx_settle(w.tx, 1000); /* a collector that says more than it can know */
    assert_int_equal(world_of(&w, LEDGER_TX_UNCONFIRMED), 0);
    assert_int_equal(world_in_flight(&w), 0);
    w.expect = 100; /* the first session's were never read */
    world_receive(&w);
    world_end(&w);
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
        cmocka_unit_test(flow_records_that_nobody_understands_are_counted),
        cmocka_unit_test(what_nobody_confirmed_is_counted),
        cmocka_unit_test(bytes_and_datagrams_are_exact),
        cmocka_unit_test(what_is_given_to_others_is_counted),
        cmocka_unit_test(a_refusal_is_taken_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

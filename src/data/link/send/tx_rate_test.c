/* SPDX-License-Identifier: Apache-2.0
 *
 * The link's sending end with a rate: frames wait for it in order, only full datagrams leave
 * meanwhile, and nothing is dropped for it here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <unistd.h>

#include "data/link/world/tx_testing.h"

enum {
    PATIENCE_MS = 20000,
};

/* As a data thread does, without a report. */
static void drain_at_rate(struct world *w)
{
    struct mono end = mono_add_ms(mono_now(), PATIENCE_MS);
    while (link_tx_waits(w->tx)) {
        int ms = link_tx_drain(w->tx);
        world_receive(w);
        assert_int_equal(ms >= 0, link_tx_waits(w->tx));
        assert_false(mono_due(mono_now(), end));
        poll(NULL, 0, ms > 0 ? ms : 0);
    }
    world_receive(w);
}

/* 150 kB at 2 Mbit/s: what may leave at once does, the rest waits and is not in the backlog. */
static void frames_wait_for_the_rate(void **state)
{
    (void)state;
    struct world w;
    world_begin_rate(&w, 4 << 20, 2000000);
    world_session(&w);
    const struct limit_view *view = link_tx_limit(w.tx);
    assert_int_equal(view->room, 50000);
    struct mono began = mono_now();
    tx_frames(&w, 300);
    assert_true(link_tx_waits(w.tx) && link_tx_may_send(w.tx));
    assert_in_range(view->waiting, 120000, 165000);
    assert_false(view->out);
    world_receive(&w);
    assert_in_range(w.got, 1, 60);
    tx_frames(&w, 5);
    drain_at_rate(&w);
    int64_t ms = mono_diff(mono_now(), began) / NSEC_PER_MSEC;
    assert_true(ms >= (int64_t)(w.got_bytes * 8 / 2000) - 15 - 10);
    assert_int_equal(w.got, 305);
    assert_int_equal(w.got_short, 1); /* the last */
    assert_int_equal(view->waiting, 0);
    assert_int_equal(view->left, w.got_bytes + w.got_datagrams * 28);
    assert_int_equal(world_of(&w, LEDGER_TX_BACKLOGGED), 0);
    assert_int_equal(world_of(&w, LEDGER_TX_UNSENT), 0);
    assert_int_equal(world_in_flight(&w), 0);
    struct budget_figures f;
    budget_figures(w.budget, &f);
    assert_int_equal(f.sent, view->left);
    assert_int_equal(f.waiting, 0);
    world_end(&w);
}

/* Nothing waits, and nothing is held back. */
static void a_rate_that_does_not_bind(void **state)
{
    (void)state;
    struct world w;
    world_begin_rate(&w, 4 << 20, RATE_MAX);
    world_session(&w);
    for (unsigned i = 0; i < 50; i++) {
        tx_frames(&w, 50);
        world_receive(&w);
        assert_false(link_tx_waits(w.tx));
        assert_int_equal(w.got, w.made);
    }
    world_end(&w);
}

/* The end of an outage: its frames leave within the rate too. */
static void a_backlog_leaves_at_the_rate(void **state)
{
    (void)state;
    struct world w;
    world_begin_rate(&w, 4 << 20, 4000000);
    const struct limit_view *view = link_tx_limit(w.tx);
    tx_frames(&w, 400);
    assert_true(view->out);
    assert_int_equal(world_of(&w, LEDGER_TX_BACKLOGGED), 400);
    assert_int_equal(world_of(&w, LEDGER_TX_BACKLOG_BYTES), 400 * FRAME);
    world_session(&w);
    struct mono began = mono_now();
    while (link_tx_waits(w.tx)) {
        int ms = link_tx_drain(w.tx);
        world_receive(&w);
        link_tx_reported(w.tx, reasm_accounted(w.reasm), 0);
        poll(NULL, 0, ms > 0 ? ms : 0);
    }
    assert_true(mono_diff(mono_now(), began) >= INT64_C(300) * NSEC_PER_MSEC);
    assert_int_equal(w.got, 400);
    assert_false(view->out);
    link_tx_hold(w.tx, true);
    tx_frames(&w, 100);
    assert_true(view->out);
    world_receive(&w);
    assert_int_equal(w.got, 400);
    link_tx_hold(w.tx, false);
    drain_at_rate(&w);
    assert_int_equal(w.got, 500);
    world_end(&w);
}

/* Where there is no backlog, frames wait for the rate, and for nothing else. */
static void a_queue_without_a_backlog(void **state)
{
    (void)state;
    struct world w;
    world_begin_rate(&w, 0, 2000000);
    tx_frames(&w, 10);
    assert_int_equal(world_of(&w, LEDGER_TX_NOSESSION), 10);
    world_session(&w);
    w.expect = 10;
    link_tx_hold(w.tx, true);
    tx_frames(&w, 100);
    assert_false(link_tx_limit(w.tx)->out);
    drain_at_rate(&w);
    assert_int_equal(w.got, 100);
    tx_frames(&w, 100);
    assert_true(world_in_flight(&w) > 0);
    link_tx_down(w.tx); /* there is nobody to send them to */
    assert_int_equal(world_in_flight(&w), 0);
    assert_in_range(world_of(&w, LEDGER_TX_NOSESSION), 20, 109);
    world_receive(&w);
    world_end(&w);
}

/* Keys change while datagrams wait that were sealed before. */
static void a_key_changes_at_a_rate(void **state)
{
    (void)state;
    struct world w;
    world_begin_rate(&w, 4 << 20, 2000000);
    world_session(&w);
    tx_frames(&w, 100);
    for (unsigned i = 0; i < 3; i++) {
        struct link_sender_key key = {.fd = dup(w.fd[0]), .datagram = DATAGRAM};
        assert_int_equal(aead_new(AEAD_NULL, (uint8_t[AEAD_KEY_LEN]){0}, &key.aead, NULL), 0);
        w.fd[0] = key.fd; /* the other one is closed with its key */
        link_tx_rekey(w.tx, &key);
        (void)link_tx_drain(w.tx);
        world_receive(&w);
    }
    drain_at_rate(&w);
    assert_int_equal(w.got, 100);
    assert_int_equal(world_of(&w, LEDGER_TX_UNSENT), 0);
    world_end(&w);
}

/* At the end what waits is given up, and what is sealed still leaves. */
static void the_end_at_a_rate(void **state)
{
    (void)state;
    struct world w;
    world_begin_rate(&w, 4 << 20, 500000);
    world_session(&w);
    tx_frames(&w, 200);
    (void)link_tx_drain(w.tx);
    link_tx_give_up(w.tx);
    assert_false(link_tx_waits(w.tx));
    world_receive(&w);
    assert_true(world_of(&w, LEDGER_TX_LEFT) > 100);
    assert_int_equal(w.got + world_of(&w, LEDGER_TX_LEFT), 200);
    assert_int_equal(w.got, world_of(&w, LEDGER_TX_OUT));
    assert_int_equal(world_of(&w, LEDGER_TX_UNSENT), 0);
    assert_int_equal(world_in_flight(&w), 0);
    world_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_wait_for_the_rate),     cmocka_unit_test(a_rate_that_does_not_bind),
        cmocka_unit_test(a_backlog_leaves_at_the_rate), cmocka_unit_test(a_queue_without_a_backlog),
        cmocka_unit_test(a_key_changes_at_a_rate),      cmocka_unit_test(the_end_at_a_rate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "data/link/world/tx_testing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/link.h"

enum {
    PATIENCE_MS = 20000,
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

void world_receive(struct world *w)
{
    static uint8_t d[65536];
    w->out = (struct batch_out){&w->batch, on_deliver};
    ssize_t n = 0;
    while ((n = recv(w->fd[1], d, sizeof(d), MSG_DONTWAIT)) > 0) {
        for (ssize_t at = 0; at < n; at += DATAGRAM) {
            size_t len = (size_t)(n - at < DATAGRAM ? n - at : DATAGRAM);
            struct link_record rec;
            w->got_datagrams++;
            w->got_short += len < DATAGRAM ? 1 : 0;
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

void world_session(struct world *w)
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

static void make_tx(struct world *w)
{
    const struct link_tx_shared shared = {w->pool, w->budget, w->queue};
    assert_int_equal(link_tx_new(1, &w->ledger, &shared, &w->tx), 0);
}

void world_begin(struct world *w, uint64_t backlog)
{
    *w = (struct world){.fd = {-1, -1}};
    w->pool = backlog ? backlog_pool_new(backlog) : NULL;
    make_tx(w);
}

void world_begin_rate(struct world *w, uint64_t backlog, uint64_t bits)
{
    const struct budget_conf conf = {{bits, 10}, 200};
    *w = (struct world){.fd = {-1, -1}};
    w->pool = backlog ? backlog_pool_new(backlog) : NULL;
    w->queue = backlog ? NULL : backlog_pool_new(1 << 20);
    assert_int_equal(budget_new(&conf, &w->budget), 0);
    make_tx(w);
}

void world_end(struct world *w)
{
    sink_free(w->tx);
    assert_true(!w->pool || backlog_pool_used(w->pool) == 0);
    assert_true(!w->queue || backlog_pool_used(w->queue) == 0);
    backlog_pool_free(w->pool);
    backlog_pool_free(w->queue);
    budget_free(w->budget);
    reasm_free(w->reasm);
    if (w->fd[1] >= 0) {
        close(w->fd[1]);
    }
}

uint64_t world_of(const struct world *w, enum ledger_id id)
{
    return ledger_get(&w->ledger, id);
}

int64_t world_in_flight(const struct world *w)
{
    return ledger_sum(&w->ledger, NULL, LEDGER_LINK_TX).in_flight;
}

void tx_frames(struct world *w, unsigned n)
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

void world_drain(struct world *w)
{
    struct mono end = mono_add_ms(mono_now(), PATIENCE_MS);
    while (link_tx_waits(w->tx)) {
        int ms = link_tx_drain(w->tx);
        world_receive(w);
        link_tx_reported(w->tx, reasm_accounted(w->reasm), 0);
        assert_true(ms <= 10);
        assert_int_equal(ms >= 0, link_tx_waits(w->tx));
        assert_false(mono_due(mono_now(), end));
        poll(NULL, 0, ms > 0 ? ms : 0);
        assert_int_equal(world_of(w, LEDGER_TX_BACKLOG_BYTES),
                         (uint64_t)world_in_flight(w) * FRAME);
    }
    world_receive(w);
}

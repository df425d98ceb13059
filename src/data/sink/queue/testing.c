/* SPDX-License-Identifier: Apache-2.0 */
#include "data/sink/queue/testing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

static struct gate *of(struct sink *s)
{
    return (struct gate *)s;
}

static int gate_add(struct sink *s, const struct point_offer *point, struct error *err)
{
    atomic_store(&of(s)->device, point->device);
    int r = of(s)->fake->ops->point_add(of(s)->fake, point, err);
    atomic_fetch_add(&of(s)->adds, 1);
    return r;
}

static void gate_stats(struct sink *s, uint32_t index, const struct ledger *figures)
{
    of(s)->fake->ops->point_stats(of(s)->fake, index, figures);
}

static void gate_remove(struct sink *s, uint32_t index)
{
    of(s)->fake->ops->point_remove(of(s)->fake, index);
    atomic_store(&of(s)->passed_before, atomic_load(&of(s)->passed));
    atomic_fetch_add(&of(s)->removes, 1);
}

static void gate_write(struct sink *s, const struct batch *b)
{
    struct gate *g = of(s);
    while (atomic_load(&g->closed)) {
        poll(NULL, 0, 1);
    }
    for (uint32_t i = 0; i < b->n; i++) {
        if (b->f[i].point == atomic_load(&g->slow)) {
            poll(NULL, 0, 1);
            atomic_fetch_add(&g->slow_passed, 1);
        }
    }
    g->fake->ops->write(g->fake, b);
    atomic_fetch_add(&g->passed, b->n);
}

static void gate_flush(struct sink *s)
{
    of(s)->fake->ops->flush(of(s)->fake);
}

static int gate_check(struct sink *s, struct error *err)
{
    return of(s)->fake->ops->check(of(s)->fake, err);
}

static int gate_finish(struct sink *s, struct error *err)
{
    return of(s)->fake->ops->finish(of(s)->fake, err);
}

static void gate_free(struct sink *s)
{
    sink_free(of(s)->fake);
    free(of(s));
}

static const struct sink_ops gate_ops = {
    .kind = "gate",
    .counts = LEDGER_SINK,
    .point_add = gate_add,
    .point_stats = gate_stats,
    .point_remove = gate_remove,
    .write = gate_write,
    .flush = gate_flush,
    .check = gate_check,
    .finish = gate_finish,
    .free = gate_free,
};

void gated_begin(struct gated *w, unsigned producers, struct queue_sink_conf conf)
{
    w->gate = calloc(1, sizeof(*w->gate));
    assert_non_null(w->gate);
    assert_int_equal(fake_sink_new("gate", &w->fake), 0);
    w->fake->queued = true;
    w->gate->head.ops = &gate_ops;
    snprintf(w->gate->head.name, sizeof(w->gate->head.name), "gate");
    w->gate->fake = w->fake;
    atomic_store(&w->gate->slow, UINT32_MAX);
    assert_int_equal(queue_sink_new(&w->gate->head, producers, &conf, &w->queue), 0);
    assert_string_equal(w->queue->ops->kind, "gate");
}

void gated_add(struct sink *s, uint32_t index, const char *tap, int device)
{
    struct point_offer point = {.index = index, .tap = tap, .ifname = "eth0", .device = device};
    assert_int_equal(s->ops->point_add(s, &point, NULL), 0);
}

void gated_write(struct sink *s, uint32_t point, uint32_t id, uint32_t n, uint32_t len)
{
    static _Thread_local uint8_t data[BATCH_MAX][2048];
    static _Thread_local struct batch b;
    for (uint32_t done = 0; done < n; done += b.n) {
        for (b.n = 0; b.n < BATCH_MAX && done + b.n < n; b.n++) {
            uint32_t k = id + done + b.n;
            memcpy(data[b.n], &k, sizeof(k));
            memset(data[b.n] + sizeof(k), (int)(k & 0xff), len - sizeof(k));
            b.f[b.n] = (struct frame){.data = data[b.n],
                                      .datalen = len,
                                      .caplen = len,
                                      .origlen = len + 3,
                                      .ts_ns = INT64_C(1700000000000000000) + k,
                                      .point = point,
                                      .dir = FRAME_DIR_IN};
        }
        s->ops->write(s, &b);
    }
}

uint32_t gated_id(const struct fake_frame *f)
{
    uint32_t id;
    assert_true(f->caplen >= sizeof(id) && f->origlen == f->caplen + 3 && f->dir == FRAME_DIR_IN);
    memcpy(&id, f->data, sizeof(id));
    assert_int_equal(f->ts_ns, INT64_C(1700000000000000000) + id);
    assert_int_equal(f->data[f->caplen - 1], f->caplen > sizeof(id) ? id & 0xff : id >> 24);
    return id;
}

uint64_t gated_count(const struct gated *w, uint32_t point, enum ledger_id id)
{
    return ledger_get(sink_ledger(w->queue, point), id);
}

void gated_balanced(const struct gated *w, uint32_t point, uint64_t in)
{
    struct ledger_sum sum = ledger_sum(sink_ledger(w->queue, point), NULL, LEDGER_SINK);
    assert_int_equal(sum.in, in);
    assert_int_equal(sum.in_flight, 0);
}

void gated_until(bool (*is)(const struct gated *w, uint64_t n), const struct gated *w, uint64_t n)
{
    struct mono deadline = mono_add_ms(mono_now(), DEADLINE_MS);
    while (!is(w, n)) {
        assert_false(mono_due(mono_now(), deadline));
        poll(NULL, 0, 1);
    }
}

bool gated_passed(const struct gated *w, uint64_t n)
{
    return atomic_load(&w->gate->passed) >= n;
}

bool gated_removed(const struct gated *w, uint64_t n)
{
    return atomic_load(&w->gate->removes) >= n;
}

void gated_finish(struct gated *w)
{
    struct error err = {""};
    if (w->queue->ops->finish(w->queue, &err) < 0) {
        fail_msg("%s", err.text);
    }
}

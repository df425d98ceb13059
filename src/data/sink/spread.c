/* SPDX-License-Identifier: Apache-2.0 */
#include "data/sink/spread.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "data/match.h"
#include "proto/ether.h"

enum {
    ARENA = 4 << 20,       /* bytes of frames that were in pieces */
    VLAN_ID_MASK = 0x0fff, /* of a tag (IEEE 802.1Q-2018, 9.6) */
};

struct place {
    struct spread_want want; /* sink NULL: it is free */
};

struct spread {
    struct sink sink;
    struct ledger *ledger;
    struct place place[SPREAD_PLACES];
    unsigned n, n_taken;         /* up to the last that is taken, and so many */
    struct batch whole, part;    /* with no frame in pieces; what one consumer wants */
    uint8_t room[FRAME_LEN_MAX]; /* for a frame that is in pieces all the same */
    uint8_t arena[ARENA];        /* only what is used is memory */
};

static struct spread *of(struct sink *s)
{
    return (struct spread *)s;
}

/* ---- matching ---- */

static bool has_vlan(const struct frame *f, const struct vlan_set *ids, uint8_t *room)
{
    struct ether_net net;
    size_t len = 0;
    const uint8_t *bytes = frame_head(f, room, 64, &len);
    return ether_walk(bytes, len, &net) == 0 && net.tags > 0 &&
           vlan_set_has(ids, net.tci[0] & VLAN_ID_MASK);
}

static bool is_wanted(struct spread *s, const struct spread_want *w, const struct frame *f)
{
    return (w->dir == FRAME_DIR_UNKNOWN || f->dir == w->dir) &&
           (!w->vlans || has_vlan(f, w->vlans, s->room)) &&
           (!w->filter || w->filter->n == 0 || match_frame(w->filter, f, s->room));
}

/* One frame of the capture's, of which its ports share the number; false: there is none left. */
static bool take_budget(_Atomic uint64_t *budget)
{
    uint64_t left = budget ? atomic_load_explicit(budget, memory_order_relaxed) : 1;
    while (budget && left > 0 && !atomic_compare_exchange_weak(budget, &left, left - 1)) {
    }
    return left > 0;
}

static void give(struct batch *part, const struct spread_want *w, const struct frame *f)
{
    struct frame *to = &part->f[part->n++];
    *to = *f;
    to->point = w->point;
    if (w->snaplen > 0 && to->caplen > w->snaplen) {
        to->caplen = w->snaplen;
    }
}

static void count(_Atomic uint64_t *c, uint64_t n)
{
    atomic_store_explicit(c, atomic_load_explicit(c, memory_order_relaxed) + n,
                          memory_order_release);
}

/* The frames of the batch that the consumer wants. Once the budget is spent, those that follow are
 * no part of its capture. */
static void serve(struct spread *s, const struct spread_want *w, const struct batch *b)
{
    uint64_t offered = 0, unwanted = 0;
    struct batch *part = &s->part;
    part->n = 0;
    if (atomic_load_explicit(&w->counts->full, memory_order_relaxed)) {
        return;
    }
    for (uint32_t i = 0; i < b->n; i++) {
        const struct frame *f = &b->f[i];
        if (f->ts_ns < w->start_ns || f->ts_ns >= w->stop_ns) {
            continue;
        }
        if (!is_wanted(s, w, f)) {
            unwanted++;
        } else if (take_budget(w->budget)) {
            give(part, w, f);
        } else {
            atomic_store_explicit(&w->counts->full, true, memory_order_release);
            break;
        }
        offered++;
    }
    count(&w->counts->offered, offered);
    count(&w->counts->unwanted, unwanted);
    if (part->n > 0) {
        atomic_store_explicit(&w->counts->last_ns, part->f[part->n - 1].ts_ns,
                              memory_order_release);
        w->sink->ops->write(w->sink, part);
        count(&w->counts->given, part->n); /* behind the sink's own count of what came in */
    }
}

/* ---- the sink ---- */

/* A frame that has something inserted is put together once, and not once for each consumer. */
static const struct batch *in_one_piece(struct spread *s, const struct batch *b)
{
    size_t used = 0;
    bool pieces = false;
    for (uint32_t i = 0; i < b->n && !pieces; i++) {
        pieces = b->f[i].ins_len > 0;
    }
    if (!pieces) {
        return b;
    }
    s->whole.n = b->n;
    for (uint32_t i = 0; i < b->n; i++) {
        struct frame *f = &s->whole.f[i];
        *f = b->f[i];
        if (f->ins_len > 0 && f->caplen <= sizeof(s->arena) - used) {
            frame_copy(&b->f[i], 0, s->arena + used, f->caplen);
            f->data = s->arena + used;
            f->datalen = f->caplen;
            f->ins_len = 0;
            used += f->caplen;
        }
    }
    return &s->whole;
}

static void spread_write(struct sink *sink, const struct batch *b)
{
    struct spread *s = of(sink);
    ledger_add(s->ledger, LEDGER_SINK_IN, b->n);
    const struct batch *whole = s->n_taken > 0 ? in_one_piece(s, b) : b;
    for (unsigned i = 0; i < s->n; i++) {
        if (s->place[i].want.sink) {
            serve(s, &s->place[i].want, whole);
        }
    }
    ledger_add(s->ledger, LEDGER_SINK_OUT, b->n);
}

static void spread_flush(struct sink *sink)
{
    struct spread *s = of(sink);
    for (unsigned i = 0; i < s->n; i++) {
        struct sink *to = s->place[i].want.sink;
        if (to) {
            to->ops->flush(to);
        }
    }
}

static void spread_free(struct sink *sink)
{
    free(sink);
}

static const struct sink_ops ops = {
    .kind = "spread",
    .counts = LEDGER_SINK,
    .write = spread_write,
    .flush = spread_flush,
    .free = spread_free,
};

int spread_new(struct ledger *ledger, struct sink **ret)
{
    struct spread *s = calloc(1, sizeof(*s));
    if (!s) {
        return -ENOMEM;
    }
    s->sink.ops = &ops;
    s->ledger = ledger;
    *ret = &s->sink;
    return 0;
}

void spread_set(struct sink *spread, unsigned place, const struct spread_want *w)
{
    struct spread *s = of(spread);
    struct spread_want *at = &s->place[place].want;
    if (at->sink) {
        at->sink->ops->flush(at->sink);
    }
    s->n_taken += (w ? 1 : 0) - (at->sink ? 1 : 0);
    *at = w ? *w : (struct spread_want){.sink = NULL};
    s->n = MAX(s->n, place + 1);
    while (s->n > 0 && !s->place[s->n - 1].want.sink) {
        s->n--;
    }
}

unsigned spread_now(const struct sink *spread)
{
    return ((const struct spread *)spread)->n_taken;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "data/source/ring.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "data/sources.h"
#include "sys/filter.h"

enum {
    RIPE_MS = RING_RETIRE_DEFAULT_MS, /* a frame that is on its way to a ring is in it by then */
};

struct ring_source {
    struct source source;
    struct ring *ring;
    struct ring *next; /* captures already, and waits to be the ring; NULL: none */
    uint64_t known;    /* frames that the ring may have seen then */
    struct mono ripe;
    struct ledger *ledger;
    uint32_t point;
    struct ring_skips skips;
    uint64_t past_seen, past_dropped; /* of the rings before this one */
    uint64_t read;                    /* entries of this ring, whatever became of them */
};

static struct ring_source *of(struct source *s)
{
    return (struct ring_source *)s;
}

/* Up to BATCH_MAX frames into an empty batch, which stay valid until the ring is read again or
 * released; their number. */
static unsigned fill(struct ring_source *rs, struct batch *b)
{
    struct ring_skips before = rs->skips;
    unsigned n = ring_read(rs->ring, b, &rs->skips);
    uint64_t bad = rs->skips.bad - before.bad;
    uint64_t bytes = 0, super = 0;
    for (unsigned i = 0; i < n; i++) {
        bytes += b->f[i].caplen;
        super += b->f[i].gso_type != 0;
        b->f[i].point = rs->point;
    }
    rs->read += n + bad;
    ledger_add(rs->ledger, LEDGER_RING_OUT, n + bad);
    ledger_add(rs->ledger, LEDGER_RING_BYTES, bytes);
    ledger_add(rs->ledger, LEDGER_RING_SUPER, super);
    ledger_add(rs->ledger, LEDGER_RING_CLAMPED, rs->skips.clamped - before.clamped);
    ledger_add(rs->ledger, LEDGER_SEL_BAD, bad);
    return n;
}

/* To the kernel, room that it took for nothing is dropped as well. */
static void show(struct ring_source *rs, uint64_t seen, uint64_t dropped)
{
    uint64_t unfilled = MIN(rs->skips.unfilled, dropped);
    ledger_set(rs->ledger, LEDGER_RING_IN, seen);
    ledger_set(rs->ledger, LEDGER_RING_FULL, dropped - unfilled);
    ledger_set(rs->ledger, LEDGER_RING_OFFLOAD, unfilled);
}

/* The ring, which has seen and dropped so many, gives way to another. */
static void replace(struct ring_source *rs, uint64_t seen, uint64_t dropped, struct ring *by)
{
    rs->past_seen += seen;
    rs->past_dropped += dropped;
    show(rs, rs->past_seen, rs->past_dropped);
    if (seen > dropped + rs->read) {
        ledger_add(rs->ledger, LEDGER_RING_GONE, seen - dropped - rs->read);
    }
    ring_free(rs->ring);
    rs->ring = by;
    rs->read = 0;
}

/* The ring that waits is of the same interface and has captured for a moment; `known` is from
 * before that. Where nothing has come to the ring in use since, the new one takes over: it has all
 * that comes from here on, and the other is closed unread. Else the one in use has all that has
 * come, and the new one is given up. So no frame is taken twice, and none is lost. */
static void settle(struct ring_source *rs)
{
    uint64_t seen = 0, dropped = 0;
    struct ring *next = TAKE_PTR(rs->next);
    if (next && rs->ring && ring_stats(rs->ring, &seen, &dropped) == 0 &&
        rs->past_seen + seen == rs->known) {
        replace(rs, seen, dropped, TAKE_PTR(next));
        ledger_add(rs->ledger, LEDGER_RING_REOPENED, 1);
    }
    ring_free(next);
}

static int ring_source_run(struct source *s, struct batch_out *o, unsigned batches, struct mono now)
{
    struct ring_source *rs = of(s);
    unsigned n = 1;
    if (rs->next && mono_due(now, rs->ripe)) {
        settle(rs);
    }
    if (!rs->ring) {
        return SOURCE_DRY;
    }
    for (unsigned moved = 0; n > 0 && moved < batches; moved++) {
        n = fill(rs, o->batch);
        if (n > 0) {
            o->push(o);
        }
    }
    ring_release(rs->ring);
    return n > 0 ? SOURCE_MORE : SOURCE_DRY;
}

static int ring_source_fd(const struct source *s)
{
    const struct ring *ring = ((const struct ring_source *)s)->ring;
    return ring ? ring_fd(ring) : -1;
}

static struct mono ring_source_due(const struct source *s)
{
    const struct ring_source *rs = (const struct ring_source *)s;
    return rs->next ? rs->ripe : (struct mono){0};
}

static void ring_source_free(struct source *s)
{
    ring_free(of(s)->ring);
    ring_free(of(s)->next);
    free(s);
}

static void ring_source_count(struct source *s)
{
    struct ring_source *rs = of(s);
    uint64_t seen = 0, dropped = 0;
    if (rs->ring && ring_stats(rs->ring, &seen, &dropped) == 0) {
        show(rs, rs->past_seen + seen, rs->past_dropped + dropped);
    }
}

static void ring_source_swap(struct source *s, struct ring *ring)
{
    struct ring_source *rs = of(s);
    uint64_t seen = 0, dropped = 0;
    ring_free(TAKE_PTR(rs->next));
    if (rs->ring && ring_stats(rs->ring, &seen, &dropped) == 0) {
        replace(rs, seen, dropped, ring);
    } else {
        ring_free(rs->ring);
        rs->ring = ring;
        rs->read = 0;
    }
}

static void ring_source_renew(struct source *s, struct ring *ring, uint64_t known, struct mono now)
{
    struct ring_source *rs = of(s);
    ring_free(rs->next);
    rs->next = ring;
    rs->known = known;
    rs->ripe = mono_add_ms(now, RIPE_MS);
}

static int ring_source_filter(struct source *s, const struct filter_prog *prog)
{
    struct ring_source *rs = of(s);
    int r = rs->next ? ring_set_filter(rs->next, prog->insns, prog->n, NULL) : 0;
    return r < 0 || !rs->ring ? r : ring_set_filter(rs->ring, prog->insns, prog->n, NULL);
}

static void ring_source_stop(struct source *s)
{
    struct ring_source *rs = of(s);
    settle(rs);
    if (rs->ring) {
        (void)ring_stop(rs->ring);
    }
}

static bool ring_source_drained(struct source *s)
{
    struct ring *ring = of(s)->ring;
    return !ring || ring_drained(ring);
}

static uint64_t ring_source_room(const struct source *s)
{
    const struct ring *ring = ((const struct ring_source *)s)->ring;
    return ring ? ring_size(ring) : 0;
}

static int ring_source_error(struct source *s)
{
    struct ring *ring = of(s)->ring;
    return ring ? ring_error(ring) : 0;
}

static const struct source_ops ops = {
    .kind = "ring",
    .counts = LEDGER_RING,
    .run = ring_source_run,
    .due = ring_source_due,
    .fd = ring_source_fd,
    .free = ring_source_free,
    .swap = ring_source_swap,
    .renew = ring_source_renew,
    .filter = ring_source_filter,
    .stop = ring_source_stop,
    .drained = ring_source_drained,
    .count = ring_source_count,
    .room = ring_source_room,
    .error = ring_source_error,
};

int ring_source(const struct source_wishes *w, struct source **ret)
{
    struct ring_source *rs = calloc(1, sizeof(*rs));
    if (!rs) {
        return -ENOMEM;
    }
    rs->source.ops = &ops;
    rs->ledger = w->ledger;
    rs->point = w->point;
    *ret = &rs->source;
    return 0;
}

struct ring *ring_source_ring(struct source *s)
{
    return of(s)->ring;
}

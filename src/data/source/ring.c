/* SPDX-License-Identifier: Apache-2.0 */
#include "data/source/ring.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "data/sources.h"
#include "sys/filter.h"

struct ring_source {
    struct source source;
    struct ring *ring;
    struct ledger *ledger;
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
    }
    rs->read += n + bad;
    ledger_add(rs->ledger, LEDGER_RING_OUT, n + bad);
    ledger_add(rs->ledger, LEDGER_RING_BYTES, bytes);
    ledger_add(rs->ledger, LEDGER_RING_SUPER, super);
    ledger_add(rs->ledger, LEDGER_RING_CLAMPED, rs->skips.clamped - before.clamped);
    ledger_add(rs->ledger, LEDGER_SEL_BAD, bad);
    return n;
}

static int ring_source_run(struct source *s, struct batch_out *o, unsigned batches, struct mono now)
{
    struct ring_source *rs = of(s);
    unsigned n = 1;
    (void)now;
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

static void ring_source_free(struct source *s)
{
    ring_free(of(s)->ring);
    free(s);
}

/* To the kernel, room that it took for nothing is dropped as well. */
static void show(struct ring_source *rs, uint64_t seen, uint64_t dropped)
{
    uint64_t unfilled = MIN(rs->skips.unfilled, dropped);
    ledger_set(rs->ledger, LEDGER_RING_IN, seen);
    ledger_set(rs->ledger, LEDGER_RING_FULL, dropped - unfilled);
    ledger_set(rs->ledger, LEDGER_RING_OFFLOAD, unfilled);
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
    if (rs->ring && ring_stats(rs->ring, &seen, &dropped) == 0) {
        rs->past_seen += seen;
        rs->past_dropped += dropped;
        show(rs, rs->past_seen, rs->past_dropped);
        if (seen > dropped + rs->read) {
            ledger_add(rs->ledger, LEDGER_RING_GONE, seen - dropped - rs->read);
        }
    }
    ring_free(rs->ring);
    rs->ring = ring;
    rs->read = 0;
}

static int ring_source_filter(struct source *s, const struct filter_prog *prog)
{
    struct ring *ring = of(s)->ring;
    return ring ? ring_set_filter(ring, prog->insns, prog->n, NULL) : 0;
}

static void ring_source_stop(struct source *s)
{
    struct ring *ring = of(s)->ring;
    if (ring) {
        (void)ring_stop(ring);
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
    .fd = ring_source_fd,
    .free = ring_source_free,
    .swap = ring_source_swap,
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
    *ret = &rs->source;
    return 0;
}

struct ring *ring_source_ring(struct source *s)
{
    return of(s)->ring;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "data/source/ring.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "base/cleanup.h"

struct ring_source {
    struct source source;
    struct ring *ring;
    struct ledger *ledger;
    struct ring_skips skips;
};

static struct ring_source *of(struct source *s)
{
    return (struct ring_source *)s;
}

static int ring_source_read(struct source *s, struct batch *b)
{
    struct ring_source *rs = of(s);
    struct ring_skips before = rs->skips;
    unsigned n = ring_read(rs->ring, b, &rs->skips);
    uint64_t linktype = rs->skips.link_type - before.link_type;
    uint64_t own = rs->skips.own_device - before.own_device;
    uint64_t bad = rs->skips.bad - before.bad;
    uint64_t bytes = 0, super = 0;
    for (unsigned i = 0; i < n; i++) {
        bytes += b->f[i].caplen;
        super += b->f[i].gso_type != 0;
    }
    ledger_add(rs->ledger, LEDGER_RING_OUT, n + linktype + own + bad);
    ledger_add(rs->ledger, LEDGER_RING_BYTES, bytes);
    ledger_add(rs->ledger, LEDGER_RING_SUPER, super);
    ledger_add(rs->ledger, LEDGER_RING_CLAMPED, rs->skips.clamped - before.clamped);
    ledger_add(rs->ledger, LEDGER_SEL_LINKTYPE, linktype);
    ledger_add(rs->ledger, LEDGER_SEL_OWNDEV, own);
    ledger_add(rs->ledger, LEDGER_SEL_BAD, bad);
    return (int)n;
}

static void ring_source_release(struct source *s)
{
    ring_release(of(s)->ring);
}

static int ring_source_fd(const struct source *s)
{
    return ring_fd(((const struct ring_source *)s)->ring);
}

static void ring_source_free(struct source *s)
{
    ring_free(of(s)->ring);
    free(s);
}

static const struct source_ops ops = {
    .kind = "ring",
    .read = ring_source_read,
    .release = ring_source_release,
    .fd = ring_source_fd,
    .free = ring_source_free,
};

int ring_source_new(struct ring *ring, struct ledger *ledger, struct source **ret)
{
    struct ring_source *rs = calloc(1, sizeof(*rs));
    if (!rs) {
        ring_free(ring);
        return -ENOMEM;
    }
    rs->source.ops = &ops;
    rs->ring = ring;
    rs->ledger = ledger;
    *ret = &rs->source;
    return 0;
}

void ring_source_count(struct source *s)
{
    uint64_t seen = 0, dropped = 0;
    struct ring_source *rs = of(s);
    if (ring_stats(rs->ring, &seen, &dropped) == 0) {
        uint64_t unfilled = MIN(rs->skips.unfilled, dropped); /* both are dropped to the kernel */
        ledger_set(rs->ledger, LEDGER_RING_IN, seen);
        ledger_set(rs->ledger, LEDGER_RING_FULL, dropped - unfilled);
        ledger_set(rs->ledger, LEDGER_RING_OFFLOAD, unfilled);
    }
}

struct ring *ring_source_ring(struct source *s)
{
    return of(s)->ring;
}

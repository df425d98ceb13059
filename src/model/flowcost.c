/* SPDX-License-Identifier: Apache-2.0 */
#include "model/flowcost.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/cleanup.h"

enum {
    WAYS = 8,                     /* entries among which a flow has its place */
    SETS = 1 << 15,               /* a power of two */
    UNIT_MS = 256,                /* of an entry's times, which wrap after four hours */
    SPREAD_MS = FLOWCOST_IDLE_MS, /* over which the cost of what lasts is spread */
};

/* A flow. All zeros: none. */
struct entry {
    uint32_t tag;           /* of its hash, never 0 */
    uint16_t seen, charged; /* in units of time */
};

struct flowcost {
    struct mono now, warm; /* the flows that are new before `warm` are old ones */
    uint16_t time;         /* the same in units */
    uint64_t pool;         /* of bytes that are due in time, … */
    uint64_t rest;         /* … and of a byte, in milliseconds * SPREAD_MS */
    struct entry set[SETS][WAYS];
};

struct flowcost *flowcost_new(void)
{
    return calloc(1, sizeof(struct flowcost));
}

void flowcost_free(struct flowcost *f)
{
    free(f);
}

uint64_t flowcost_due(struct flowcost *f, struct mono now)
{
    const int64_t ms = mono_diff(now, f->now) / NSEC_PER_MSEC;
    if (f->now.ns == 0 || ms > FLOWCOST_COLD_MS) {
        f->warm = mono_add_ms(now, FLOWCOST_COLD_MS);
    }
    if (f->now.ns != 0 && ms <= 0) {
        return 0;
    }
    const uint64_t part = f->now.ns == 0 ? 0 : (uint64_t)MIN(ms, (int64_t)SPREAD_MS);
    const uint64_t parts = f->pool * part + f->rest;
    const uint64_t due = MIN(parts / SPREAD_MS, f->pool);
    f->rest = parts % SPREAD_MS;
    f->pool -= due;
    f->now = now;
    f->time = (uint16_t)(now.ns / NSEC_PER_MSEC / UNIT_MS);
    return due;
}

/* The flow's entry, or the place that it gets: that of the one not seen for longest. */
static struct entry *place(struct flowcost *f, uint64_t hash, uint32_t tag)
{
    struct entry *set = f->set[hash % SETS], *oldest = &set[0];
    for (unsigned i = 0; i < WAYS; i++) {
        if (set[i].tag == tag || set[i].tag == 0) {
            return &set[i];
        }
        if ((uint16_t)(f->time - set[i].seen) > (uint16_t)(f->time - oldest->seen)) {
            oldest = &set[i];
        }
    }
    return oldest;
}

uint64_t flowcost_frame(struct flowcost *f, uint64_t hash)
{
    const uint32_t tag = (uint32_t)(hash >> 32) | 1;
    struct entry *e = place(f, hash, tag);
    const bool fresh = e->tag != tag || (uint16_t)(f->time - e->seen) >= FLOWCOST_IDLE_MS / UNIT_MS;
    const bool again = !fresh && (uint16_t)(f->time - e->charged) >= FLOWCOST_ACTIVE_MS / UNIT_MS;
    const bool old = again || (fresh && !mono_due(f->now, f->warm));
    e->tag = tag;
    e->seen = f->time;
    e->charged = fresh || again ? f->time : e->charged;
    f->pool += old ? FLOWCOST_RECORD : 0;
    return fresh && !old ? FLOWCOST_RECORD : 0;
}

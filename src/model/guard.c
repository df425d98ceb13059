/* SPDX-License-Identifier: Apache-2.0 */
#include "model/guard.h"

#include <string.h>

#include "base/cleanup.h"

static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

/* A host with IPv6 has 2^64 addresses at its disposal: they count as one. */
static void normalise(const uint8_t addr[16], uint8_t ret[16])
{
    memcpy(ret, addr, 16);
    if (memcmp(addr, mapped, sizeof(mapped)) != 0) {
        memset(ret + 8, 0, 8);
    }
}

static struct guard_entry *ways(struct guard *g, const uint8_t addr[16])
{
    uint64_t h = g->key;
    for (unsigned i = 0; i < 16; i++) { /* multiply and rotate; keyed, and only ever a hint */
        h = (h ^ addr[i]) * UINT64_C(0x9e3779b97f4a7c15);
        h ^= h >> 29;
    }
    return &g->entry[h % (GUARD_ENTRIES / GUARD_WAYS) * GUARD_WAYS];
}

static struct guard_entry *find(struct guard *g, const uint8_t addr[16])
{
    struct guard_entry *set = ways(g, addr);
    for (unsigned i = 0; i < GUARD_WAYS; i++) {
        if (set[i].failures > 0 && memcmp(set[i].addr, addr, 16) == 0) {
            return &set[i];
        }
    }
    return NULL;
}

static void refill(struct guard *g, struct mono now)
{
    int64_t gained = mono_diff(now, g->refilled) / (GUARD_REFILL_MS * NSEC_PER_MSEC);
    if (gained > 0) {
        g->tokens = MIN(g->tokens + gained, (int64_t)GUARD_BURST);
        g->refilled = now;
    }
}

void guard_init(struct guard *g, uint64_t key, struct mono now)
{
    memset(g, 0, sizeof(*g));
    g->key = key;
    g->tokens = GUARD_BURST;
    g->refilled = now;
}

bool guard_allows(struct guard *g, const uint8_t addr[16], struct mono now)
{
    uint8_t a[16];
    normalise(addr, a);
    refill(g, now);
    struct guard_entry *e = find(g, a);
    if (e && mono_diff(now, e->last) > GUARD_FORGET_MS * NSEC_PER_MSEC) {
        e->failures = 0;
        e = NULL;
    }
    return g->tokens > 0 && (!e || now.ns >= e->until.ns);
}

uint32_t guard_failed(struct guard *g, const uint8_t addr[16], struct mono now)
{
    uint8_t a[16];
    normalise(addr, a);
    refill(g, now);
    g->tokens -= g->tokens > 0 ? 1 : 0;
    struct guard_entry *e = find(g, a);
    if (!e) {
        struct guard_entry *set = ways(g, a);
        e = &set[0];
        for (unsigned i = 1; i < GUARD_WAYS && e->failures > 0; i++) {
            if (set[i].failures == 0 || set[i].last.ns < e->last.ns) {
                e = &set[i];
            }
        }
        *e = (struct guard_entry){0};
        memcpy(e->addr, a, 16);
    }
    e->failures += e->failures < UINT32_MAX ? 1 : 0;
    int64_t ms = e->failures > 6 ? GUARD_MAX_MS : (int64_t)GUARD_FIRST_MS << (e->failures - 1);
    e->last = now;
    e->until = mono_add_ms(now, MIN(ms, (int64_t)GUARD_MAX_MS));
    return e->failures;
}

void guard_passed(struct guard *g, const uint8_t addr[16])
{
    uint8_t a[16];
    normalise(addr, a);
    struct guard_entry *e = find(g, a);
    if (e) {
        e->failures = 0;
    }
}

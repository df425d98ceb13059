/* SPDX-License-Identifier: Apache-2.0 */
#include "model/guard.h"

#include <string.h>

#include "base/cleanup.h"
#include "model/admission.h"

static struct guard_entry *ways(struct guard *g, const uint8_t addr[16])
{
    return &g->entry[admission_hash(g->key, addr) % (GUARD_ENTRIES / GUARD_WAYS) * GUARD_WAYS];
}

static struct guard_known *known_ways(struct guard *g, const uint8_t addr[16])
{
    return &g->known[admission_hash(g->key, addr) % (GUARD_KNOWN / GUARD_WAYS) * GUARD_WAYS];
}

static bool is_known(struct guard *g, const uint8_t addr[16], struct mono now)
{
    struct guard_known *set = known_ways(g, addr);
    for (unsigned i = 0; i < GUARD_WAYS; i++) {
        if (set[i].passed.ns != 0 && memcmp(set[i].addr, addr, 16) == 0) {
            return mono_diff(now, set[i].passed) <= GUARD_KNOWN_MS * NSEC_PER_MSEC;
        }
    }
    return false;
}

/* Its own place, else the one that was not seen for longest. */
static void remember(struct guard *g, const uint8_t addr[16], struct mono now)
{
    struct guard_known *set = known_ways(g, addr), *at = &set[0];
    for (unsigned i = 0; i < GUARD_WAYS; i++) {
        if (set[i].passed.ns != 0 && memcmp(set[i].addr, addr, 16) == 0) {
            at = &set[i];
            break;
        }
        at = set[i].passed.ns < at->passed.ns ? &set[i] : at;
    }
    memcpy(at->addr, addr, 16);
    at->passed = now;
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
    admission_address(addr, a);
    refill(g, now);
    struct guard_entry *e = find(g, a);
    if (e && mono_diff(now, e->last) > GUARD_FORGET_MS * NSEC_PER_MSEC) {
        e->failures = 0;
    }
    return (g->tokens > 0 || is_known(g, a, now)) && (!e || now.ns >= e->until.ns);
}

uint32_t guard_failed(struct guard *g, const uint8_t addr[16], struct mono now)
{
    uint8_t a[16];
    admission_address(addr, a);
    refill(g, now);
    g->tokens -= g->tokens > -GUARD_DEBT ? 1 : 0;
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
    struct mono from =
        e->until.ns > now.ns ? e->until : now; /* begun side by side: all is waited for */
    struct mono until = mono_add_ms(from, MIN(ms, (int64_t)GUARD_MAX_MS));
    struct mono latest = mono_add_ms(now, GUARD_FORGET_MS);
    e->last = now;
    e->until = until.ns < latest.ns ? until : latest;
    return e->failures;
}

void guard_passed(struct guard *g, const uint8_t addr[16], struct mono now)
{
    uint8_t a[16];
    admission_address(addr, a);
    remember(g, a, now);
    struct guard_entry *e = find(g, a);
    if (e) {
        e->failures = 0;
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "model/load.h"

#include <string.h>

#include "base/cleanup.h"

static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

void load_address(const uint8_t addr[16], uint8_t ret[16])
{
    memcpy(ret, addr, 16);
    if (memcmp(addr, mapped, sizeof(mapped)) != 0) {
        memset(ret + 8, 0, 8);
    }
}

uint64_t load_hash(uint64_t key, const uint8_t addr[16])
{
    uint64_t h = key;
    for (unsigned i = 0; i < 16; i++) { /* multiply and mix; keyed, and only ever a hint */
        h = (h ^ addr[i]) * UINT64_C(0x9e3779b97f4a7c15);
        h ^= h >> 29;
    }
    return h;
}

void load_bucket_init(struct load_bucket *b, int64_t burst, struct mono now)
{
    *b = (struct load_bucket){burst * 1000, now};
}

/* Thousandths of tokens, those included that came since the last look. */
static int64_t fill(struct load_bucket *b, int64_t rate, int64_t burst, struct mono now)
{
    int64_t ms = mono_diff(now, b->at) / NSEC_PER_MSEC;
    if (ms > 0) {
        ms = MIN(ms, (int64_t)3600 * 1000);
        b->milli = MIN(b->milli + ms * rate, burst * 1000);
        /* what is left of a millisecond counts next time */
        b->at = (struct mono){now.ns - mono_diff(now, b->at) % NSEC_PER_MSEC};
    }
    return b->milli;
}

bool load_bucket_has(struct load_bucket *b, int64_t rate, int64_t burst, struct mono now)
{
    return fill(b, rate, burst, now) >= 1000;
}

bool load_bucket_take(struct load_bucket *b, int64_t rate, int64_t burst, struct mono now)
{
    if (!load_bucket_has(b, rate, burst, now)) {
        return false;
    }
    b->milli -= 1000;
    return true;
}

void load_init(struct load *l, uint64_t key, struct mono now)
{
    memset(l, 0, sizeof(*l));
    l->key = key;
    load_bucket_init(&l->free, LOAD_FREE_BURST, now);
    load_bucket_init(&l->all, LOAD_BURST, now);
    load_bucket_init(&l->live, LOAD_LIVE_BURST, now);
}

static struct load_bucket *bucket_of(const struct load *l, struct load_entry *table,
                                     const uint8_t addr[16], int64_t burst, struct mono now)
{
    struct load_entry *set =
        &table[load_hash(l->key, addr) % (LOAD_ENTRIES / LOAD_WAYS) * LOAD_WAYS];
    struct load_entry *at = &set[0];
    for (unsigned i = 0; i < LOAD_WAYS; i++) {
        if (set[i].used && memcmp(set[i].addr, addr, 16) == 0) {
            return &set[i].bucket;
        }
        if (at->used && (!set[i].used || set[i].bucket.at.ns < at->bucket.at.ns)) {
            at = &set[i];
        }
    }
    memcpy(at->addr, addr, 16);
    at->used = true;
    load_bucket_init(&at->bucket, burst, now);
    return &at->bucket;
}

enum load_verdict load_hello(struct load *l, const uint8_t addr[16], enum load_from from,
                             struct mono now)
{
    if (from == LOAD_ANYBODY) {
        return load_bucket_take(&l->free, LOAD_FREE_RATE, LOAD_FREE_BURST, now) ? LOAD_WORK
                                                                                : LOAD_COOKIE;
    }
    if (from == LOAD_LIVE) {
        return load_bucket_take(&l->live, LOAD_LIVE_RATE, LOAD_LIVE_BURST, now) ? LOAD_WORK
                                                                                : LOAD_LATER;
    }
    uint8_t a[16];
    load_address(addr, a);
    struct load_bucket *mine = bucket_of(l, l->own, a, LOAD_OWN_BURST, now);
    int64_t left = fill(&l->all, LOAD_RATE, LOAD_BURST, now);
    bool own = load_bucket_take(mine, LOAD_OWN_RATE, LOAD_OWN_BURST, now);
    if (left < 1000 || (!own && left < (int64_t)LOAD_COMMON * 1000)) {
        return LOAD_LATER;
    }
    l->all.milli -= 1000;
    return LOAD_WORK;
}

bool load_answer(struct load *l, const uint8_t addr[16], struct mono now)
{
    uint8_t a[16];
    load_address(addr, a);
    return load_bucket_take(bucket_of(l, l->answers, a, LOAD_ANSWER_BURST, now), LOAD_ANSWER_RATE,
                            LOAD_ANSWER_BURST, now);
}

void load_sources_init(struct load_sources *l, uint64_t key, struct mono now)
{
    l->key = key;
    for (unsigned i = 0; i < LOAD_ENTRIES; i++) {
        load_bucket_init(&l->addr[i], LOAD_SOURCE_BURST, now);
    }
    for (unsigned i = 0; i < LOAD_PORTS; i++) {
        load_bucket_init(&l->port[i], LOAD_PORT_BURST, now);
        load_bucket_init(&l->real[i], LOAD_REAL_BURST, now);
    }
}

bool load_source(struct load_sources *l, const uint8_t addr[16], uint16_t port, bool real,
                 struct mono now)
{
    uint8_t a[16];
    uint64_t whole = load_hash(l->key + port, addr); /* of IPv6 the host half, too */
    if (real) {
        return load_bucket_take(&l->real[whole % LOAD_PORTS], LOAD_REAL_RATE, LOAD_REAL_BURST, now);
    }
    load_address(addr, a);
    return load_bucket_take(&l->port[whole % LOAD_PORTS], LOAD_PORT_RATE, LOAD_PORT_BURST, now) ||
           load_bucket_take(&l->addr[load_hash(l->key, a) % LOAD_ENTRIES], LOAD_SOURCE_RATE,
                            LOAD_SOURCE_BURST, now);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "model/admission.h"

#include <string.h>

#include "base/cleanup.h"

static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

void admission_address(const uint8_t addr[16], uint8_t ret[16])
{
    memcpy(ret, addr, 16);
    if (memcmp(addr, mapped, sizeof(mapped)) != 0) {
        memset(ret + 8, 0, 8);
    }
}

uint64_t admission_hash(uint64_t key, const uint8_t addr[16])
{
    uint64_t h = key;
    for (unsigned i = 0; i < 16; i++) { /* multiply and mix; keyed, and only ever a hint */
        h = (h ^ addr[i]) * UINT64_C(0x9e3779b97f4a7c15);
        h ^= h >> 29;
    }
    return h;
}

void admission_init(struct admission *l, uint64_t key, struct mono now)
{
    memset(l, 0, sizeof(*l));
    l->key = key;
    bucket_init(&l->free, ADMISSION_FREE_BURST, now);
    bucket_init(&l->all, ADMISSION_BURST, now);
    bucket_init(&l->live, ADMISSION_LIVE_BURST, now);
}

static struct bucket *bucket_of(const struct admission *l, struct admission_entry *table,
                                const uint8_t addr[16], int64_t burst, struct mono now)
{
    struct admission_entry *set = &table[admission_hash(l->key, addr) %
                                         (ADMISSION_ENTRIES / ADMISSION_WAYS) * ADMISSION_WAYS];
    struct admission_entry *at = &set[0];
    for (unsigned i = 0; i < ADMISSION_WAYS; i++) {
        if (set[i].used && memcmp(set[i].addr, addr, 16) == 0) {
            return &set[i].bucket;
        }
        if (at->used && (!set[i].used || set[i].bucket.at.ns < at->bucket.at.ns)) {
            at = &set[i];
        }
    }
    memcpy(at->addr, addr, 16);
    at->used = true;
    bucket_init(&at->bucket, burst, now);
    return &at->bucket;
}

enum admission_verdict admission_hello(struct admission *l, const uint8_t addr[16],
                                       enum admission_from from, struct mono now)
{
    if (from == ADMISSION_ANYBODY) {
        return bucket_take(&l->free, ADMISSION_FREE_RATE, ADMISSION_FREE_BURST, now)
                   ? ADMISSION_WORK
                   : ADMISSION_COOKIE;
    }
    if (from == ADMISSION_LIVE) {
        return bucket_take(&l->live, ADMISSION_LIVE_RATE, ADMISSION_LIVE_BURST, now)
                   ? ADMISSION_WORK
                   : ADMISSION_LATER;
    }
    uint8_t a[16];
    admission_address(addr, a);
    struct bucket *mine = bucket_of(l, l->own, a, ADMISSION_OWN_BURST, now);
    int64_t left = bucket_fill(&l->all, ADMISSION_RATE, ADMISSION_BURST, now);
    bool own = bucket_take(mine, ADMISSION_OWN_RATE, ADMISSION_OWN_BURST, now);
    if (left < 1000 || (!own && left < (int64_t)ADMISSION_COMMON * 1000)) {
        return ADMISSION_LATER;
    }
    l->all.milli -= 1000;
    return ADMISSION_WORK;
}

bool admission_answer(struct admission *l, const uint8_t addr[16], struct mono now)
{
    uint8_t a[16];
    admission_address(addr, a);
    return bucket_take(bucket_of(l, l->answers, a, ADMISSION_ANSWER_BURST, now),
                       ADMISSION_ANSWER_RATE, ADMISSION_ANSWER_BURST, now);
}

void admission_sources_init(struct admission_sources *l, uint64_t key, struct mono now)
{
    l->key = key;
    for (unsigned i = 0; i < ADMISSION_ENTRIES; i++) {
        bucket_init(&l->addr[i], ADMISSION_SOURCE_BURST, now);
    }
    for (unsigned i = 0; i < ADMISSION_PORTS; i++) {
        bucket_init(&l->port[i], ADMISSION_PORT_BURST, now);
        bucket_init(&l->real[i], ADMISSION_REAL_BURST, now);
    }
}

bool admission_source(struct admission_sources *l, const uint8_t addr[16], uint16_t port, bool real,
                      struct mono now)
{
    uint8_t a[16];
    uint64_t whole = admission_hash(l->key + port, addr); /* of IPv6 the host half, too */
    if (real) {
        return bucket_take(&l->real[whole % ADMISSION_PORTS], ADMISSION_REAL_RATE,
                           ADMISSION_REAL_BURST, now);
    }
    admission_address(addr, a);
    return bucket_take(&l->port[whole % ADMISSION_PORTS], ADMISSION_PORT_RATE, ADMISSION_PORT_BURST,
                       now) ||
           bucket_take(&l->addr[admission_hash(l->key, a) % ADMISSION_ENTRIES],
                       ADMISSION_SOURCE_RATE, ADMISSION_SOURCE_BURST, now);
}

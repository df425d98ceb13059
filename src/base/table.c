/* SPDX-License-Identifier: Apache-2.0 */
#include "base/table.h"

#include <errno.h>
#include <stdlib.h>

int table_init(struct table *t, size_t buckets, uint64_t key)
{
    size_t n = 1;
    while (n < buckets) {
        n <<= 1;
    }
    t->bucket = calloc(n, sizeof(struct table_link *));
    t->mask = n - 1;
    t->key = key;
    return t->bucket ? 0 : -ENOMEM;
}

void table_done(struct table *t)
{
    free(t->bucket);
    *t = (struct table){0};
}

uint64_t table_hash(const struct table *t, const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    uint64_t h = t->key ^ n;
    for (size_t i = 0; i < n; i++) { /* multiply and fold; it only ever chooses a bucket */
        h = (h ^ p[i]) * UINT64_C(0x9e3779b97f4a7c15);
        h ^= h >> 29;
    }
    return h;
}

void table_add(struct table *t, struct table_link *l, uint64_t hash)
{
    l->hash = hash;
    l->at = &t->bucket[hash & t->mask];
    l->next = *l->at;
    if (l->next) {
        l->next->at = &l->next;
    }
    *l->at = l;
}

void table_remove(struct table_link *l)
{
    if (l->at) {
        *l->at = l->next;
        if (l->next) {
            l->next->at = l->at;
        }
        *l = (struct table_link){0};
    }
}

static struct table_link *of_hash(struct table_link *l, uint64_t hash)
{
    while (l && l->hash != hash) {
        l = l->next;
    }
    return l;
}

struct table_link *table_first(const struct table *t, uint64_t hash)
{
    return of_hash(t->bucket[hash & t->mask], hash);
}

struct table_link *table_next(const struct table_link *l)
{
    return of_hash(l->next, l->hash);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "model/outers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    NONE = 0,
    BUCKETS = 65536, /* a power of two */
};

struct entry {
    struct outer what;
    uint32_t users;
    uint16_t next; /* of its chain, or of those that are not in use */
    uint16_t bucket;
};

_Static_assert((int)OUTERS_MAX <= (int)UINT16_MAX && (int)BUCKETS <= (int)UINT16_MAX + 1,
               "numbers of entries and buckets have 16 bits");

struct outers {
    uint16_t bucket[BUCKETS]; /* the first entry of each chain */
    uint16_t used;            /* entries that were in use at some time */
    uint16_t spare;           /* the first of those that are not now */
    struct entry entry[OUTERS_MAX + 1];
};

int outers_new(struct outers **ret)
{
    struct outers *o = calloc(1, sizeof(*o));
    if (!o) {
        return -ENOMEM;
    }
    *ret = o;
    return 0;
}

void outers_free(struct outers *o)
{
    free(o);
}

static uint16_t take(struct outers *o)
{
    const uint16_t i = o->spare;
    if (i != NONE) {
        o->spare = o->entry[i].next;
        return i;
    }
    return o->used < OUTERS_MAX ? ++o->used : NONE;
}

uint16_t outers_hold(struct outers *o, const struct outer *what, uint64_t hash)
{
    const uint16_t bucket = (uint16_t)hash;
    uint16_t i = o->bucket[bucket];
    while (i != NONE && memcmp(&o->entry[i].what, what, sizeof(*what)) != 0) {
        i = o->entry[i].next;
    }
    if (i == NONE) {
        i = take(o);
        if (i == NONE) {
            return NONE;
        }
        o->entry[i] = (struct entry){.what = *what, .next = o->bucket[bucket], .bucket = bucket};
        o->bucket[bucket] = i;
    }
    o->entry[i].users++;
    return i;
}

const struct outer *outers_get(const struct outers *o, uint16_t number)
{
    return &o->entry[number].what;
}

void outers_drop(struct outers *o, uint16_t number)
{
    struct entry *e = &o->entry[number];
    if (--e->users > 0) {
        return;
    }
    uint16_t *at = &o->bucket[e->bucket];
    while (*at != number) {
        at = &o->entry[*at].next;
    }
    *at = e->next;
    e->next = o->spare;
    o->spare = number;
}

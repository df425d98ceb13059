/* SPDX-License-Identifier: Apache-2.0 */
#include "model/retention.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "base/ledger.h"

static bool is_too_old(const struct retention_conf *c, int64_t now_ns,
                       const struct retention_item *i)
{
    int64_t age = 0;
    return c->age_ns > 0 && !__builtin_sub_overflow(now_ns, i->ended_ns, &age) && age > c->age_ns;
}

static uint64_t sum(const struct retention_item *items, size_t n)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < n; i++) {
        bytes = ledger_plus(bytes, items[i].bytes);
    }
    return bytes;
}

static int by_end(const void *a, const void *b)
{
    const struct retention_item *x = a, *y = b;
    if (x->ended_ns != y->ended_ns) {
        return x->ended_ns < y->ended_ns ? -1 : 1;
    }
    return x->number < y->number ? -1 : x->number > y->number;
}

size_t retention_choose(const struct retention_conf *conf, int64_t now_ns,
                        struct retention_item *items, size_t n)
{
    uint64_t bytes = sum(items, n);
    size_t chosen = 0;
    if (n > 0) {
        qsort(items, n, sizeof(*items), by_end);
    }
    for (size_t i = 0; i < n; i++) {
        struct retention_item *item = &items[i];
        const bool too_many = conf->most_bytes > 0 && bytes > conf->most_bytes;
        item->remove = !item->kept && (too_many || is_too_old(conf, now_ns, item));
        if (item->remove) {
            bytes -= MIN(bytes, item->bytes);
            chosen++;
        }
    }
    return chosen;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "data/sink/plain.h"

#include <time.h>

enum {
    WAIT_NS = 1000000,
};

static struct plain_sink *of(struct sink *s)
{
    return (struct plain_sink *)s;
}

int plain_point_add(struct sink *s, const struct point_offer *point, struct error *err)
{
    struct ledger *ledger = NULL;
    int r = sink_point_open(s, point, &ledger, err);
    if (r == 0) {
        of(s)->ledger[point->index] = ledger;
    }
    return r;
}

void plain_point_remove(struct sink *s, uint32_t index)
{
    if (index < POINT_MAX && of(s)->ledger[index]) {
        of(s)->ledger[index] = NULL;
        sink_point_close(s, index);
    }
}

uint32_t plain_missed_mtu(struct sink *s)
{
    return atomic_exchange_explicit(&of(s)->missed_mtu, 0, memory_order_relaxed);
}

void plain_point_stats(struct sink *s, uint32_t index, const struct ledger *figures)
{
    (void)s;
    (void)index;
    (void)figures;
}

void plain_flush(struct sink *s)
{
    (void)s;
}

struct ledger *plain_count_in(struct plain_sink *p, const struct frame *f)
{
    struct ledger *ledger = f->point < POINT_MAX ? p->ledger[f->point] : NULL;
    if (ledger) {
        sink_count_in(&p->sink, ledger);
    }
    return ledger;
}

void plain_miss_mtu(struct plain_sink *p, uint32_t mtu)
{
    if (mtu > p->missed_mtu) {
        p->missed_mtu = mtu;
    }
}

void plain_wait(void)
{
    (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){.tv_nsec = WAIT_NS}, NULL);
}

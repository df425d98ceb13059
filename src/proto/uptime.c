/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/uptime.h"

#include "base/cleanup.h"
#include "base/time.h"

enum {
    MS = 1000, /* of a second */
};

bool uptime_fits(const struct uptime *u, const struct flowrec *r)
{
    const int64_t first = r->first_ns / NSEC_PER_MSEC, last = r->last_ns / NSEC_PER_MSEC;
    return u->begun && first >= u->base_ms && last <= u->base_ms + UPTIME_SPAN_MS;
}

/* A second more than the latest that would do, rounded down to whole ones. */
static void move(struct uptime *u, int64_t first, int64_t last)
{
    int64_t base = MAX(first - UPTIME_BEFORE_MS, last - UPTIME_SPAN_MS + MS - 1);
    base = MAX(base, INT64_C(0));
    *u = (struct uptime){.base_ms = base - base % MS, .last_ms = last, .begun = true};
}

void uptime_take(struct uptime *u, const struct flowrec *r)
{
    const int64_t first = r->first_ns / NSEC_PER_MSEC, last = r->last_ns / NSEC_PER_MSEC;
    if (!uptime_fits(u, r)) {
        move(u, first, last);
    }
    u->last_ms = MAX(u->last_ms, last);
}

uint32_t uptime_of(const struct uptime *u, int64_t ns)
{
    return (uint32_t)MAX(ns / NSEC_PER_MSEC - u->base_ms, INT64_C(0));
}

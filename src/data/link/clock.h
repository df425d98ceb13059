/* SPDX-License-Identifier: Apache-2.0
 *
 * The round trip and the other end's clock, told from two REPORTs: each end repeats the other's
 * time and says how long it has had it, as NTP does (RFC 5905, section 8). How long it was under
 * way is measured by the monotonic clock: a wall clock may be set meanwhile.
 */
#pragma once

#include <stdbool.h>

#include "base/time.h"
#include "proto/link.h"

enum { LINK_CLOCK_SENT = 8 }; /* reports whose echo may still come */

struct link_clock {
    struct {
        int64_t now; /* as it was sent; 0: none */
        struct mono at;
    } sent[LINK_CLOCK_SENT];
    unsigned next;
};

/* A REPORT with this time is sent. */
static inline void link_clock_sent(struct link_clock *c, int64_t now, struct mono at)
{
    c->sent[c->next % LINK_CLOCK_SENT].now = now;
    c->sent[c->next++ % LINK_CLOCK_SENT].at = at;
}

/* When the REPORT that this one echoes was sent; {0}: there is none, or it is no longer known. */
static inline struct mono link_clock_echoed(const struct link_clock *c, const struct link_report *r)
{
    for (unsigned i = 0; i < LINK_CLOCK_SENT; i++) {
        if (c->sent[i].now != 0 && c->sent[i].now == r->echo) {
            return c->sent[i].at;
        }
    }
    return (struct mono){0};
}

/* `here`: our wall time now. False when there was no echo of ours yet, or one that cannot be: the
 * figures come from the other end and may be anything. */
static inline bool link_clock(const struct link_clock *c, const struct link_report *r, int64_t here,
                              struct mono mono, int64_t *ret_rtt, int64_t *ret_offset)
{
    int64_t rtt = 0, there = 0, offset = 0;
    struct mono at = link_clock_echoed(c, r);
    if (at.ns == 0 || __builtin_sub_overflow(mono_diff(mono, at), r->echo_age, &rtt) || rtt <= 0 ||
        rtt >= 60 * NSEC_PER_SEC || __builtin_add_overflow(r->now, rtt / 2, &there) ||
        __builtin_sub_overflow(there, here, &offset)) {
        return false;
    }
    *ret_rtt = rtt;
    *ret_offset = offset;
    return true;
}

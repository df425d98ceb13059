/* SPDX-License-Identifier: Apache-2.0
 *
 * What two REPORTs tell about the way and the other end's clock: each end repeats the other's time
 * and says how long it has had it, as NTP does (RFC 5905, section 8), without keeping state.
 */
#pragma once

#include <stdbool.h>

#include "base/time.h"
#include "proto/link.h"

/* `here`: our wall time now. False when there was no echo yet, or one that cannot be: the figures
 * come from the other end and may be anything. */
static inline bool link_clock(const struct link_report *r, int64_t here, int64_t *ret_rtt,
                              int64_t *ret_offset)
{
    int64_t rtt = 0, there = 0, offset = 0;
    if (r->echo <= 0 || __builtin_sub_overflow(here, r->echo, &rtt) ||
        __builtin_sub_overflow(rtt, r->echo_age, &rtt) || rtt <= 0 || rtt >= 60 * NSEC_PER_SEC ||
        __builtin_add_overflow(r->now, rtt / 2, &there) ||
        __builtin_sub_overflow(there, here, &offset)) {
        return false;
    }
    *ret_rtt = rtt;
    *ret_offset = offset;
    return true;
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * The correction of an observation point's timestamps to the collector's clock: the control thread
 * makes it (link/listen/clocks.c), a command takes it to the data thread, which has one for each
 * point (data/point.h), and the stage `align` adds it to frames, link/receive/flows.c to records.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/time.h"

/* The numbers of frame.clock; 0: the frame tells nothing. */
enum {
    ALIGN_TELLS = 1, /* frame.clock_offset and clock_bound hold from this frame on, … */
    ALIGN_FIRST = 2, /* … those before it have the times of the tap's own clock */
};

/* An estimate of the tap's clock. */
struct align {
    int64_t offset; /* the tap's wall clock less ours, ns: to be taken off */
    int64_t bound;  /* of its error, ns */
    int64_t ahead;  /* our wall clock less our monotonic one */
    bool tell;      /* the next frame tells of it */
    bool anew;      /* our own clock was set: times may be earlier than the last one */
};

/* Of a point; the data thread's. Zeros: nothing is known, and times stay as they are. */
struct align_point {
    bool known, first;
    bool has_last;
    int64_t last; /* the time of the last frame that was corrected: none is earlier */
    struct align to;
};

/* The frames of the point are corrected so from now on. */
static inline void align_point_set(struct align_point *p, const struct align *to)
{
    const bool tell = p->known && p->to.tell; /* no frame came to tell it */
    p->first |= !p->known;
    p->known = true;
    p->has_last = p->has_last && !to->anew;
    p->to = *to;
    p->to.tell |= tell || p->first;
}

/* A time of the tap's clock, by ours; what would be later than now, or cannot be, becomes now. */
static inline int64_t align_time(const struct align *to, int64_t ns, struct mono now)
{
    const int64_t latest = now.ns + to->ahead;
    int64_t t;
    return __builtin_sub_overflow(ns, to->offset, &t) || t > latest ? latest : t;
}

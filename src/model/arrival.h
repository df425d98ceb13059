/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether what a tap sends arrives, by what the collector's reports account for. Pure: numbers and
 * the time go in.
 *
 * Silence (model/uplink.h) tells of a path that is dead both ways, or on the way back. Where the
 * way to the collector alone is dead, its reports go on coming, and what they account for stands
 * still while more is sent. One of two signs is enough. The fast one is a report that accounts for
 * nothing new, though frames had been under way for as long as the report before it and a round
 * trip took. The sure one needs no report: a frame has been unaccounted for as long as silence is
 * borne. As long as the number grows, a frame that stays behind is a lost one and no sign, and so
 * is one that was sent before the path was last seen to be good.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/time.h"

enum {
    ARRIVAL_SAMPLES = 32,
    ARRIVAL_LATE_MS = 2200,   /* and a round trip: two reports' time */
    ARRIVAL_REPORT_MS = 1000, /* and a round trip: one report's time */
    ARRIVAL_GROWN_MS = 1200,  /* the number has not grown for a bit more than that */
    ARRIVAL_ROUND_MS = 500,   /* within it, reports are parts of one */
};

struct arrival {
    struct {
        struct mono at; /* not before the last of these frames was sent */
        uint64_t sent;
    } sample[ARRIVAL_SAMPLES]; /* the oldest first; each with frames that are awaited */
    unsigned n;
    uint64_t accounted;          /* as reported */
    uint64_t forgiven;           /* frames that nobody waits for */
    struct mono grown, reported; /* the last report of more, and the last one */
};

/* A session begins, with no frames. */
void arrival_begin(struct arrival *a, struct mono now);
/* So many frames were sent by now, in all. */
void arrival_sent(struct arrival *a, uint64_t sent, struct mono now);
/* A report accounts for so many of them. */
void arrival_reported(struct arrival *a, uint64_t accounted, struct mono now);
/* The path is good: what is missing of the frames sent up to now is lost. */
void arrival_forgive(struct arrival *a, uint64_t sent, struct mono now);
/* True where frames do not seem to arrive. `rtt_ns`: of the path, 0: not known. */
bool arrival_doubtful(const struct arrival *a, int64_t rtt_ns, struct mono now);

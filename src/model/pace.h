/* SPDX-License-Identifier: Apache-2.0
 *
 * The rate at which a tap sends its backlog. Pure: events and the time go in.
 *
 * Frames that come in meanwhile have to wait behind it, but earn their own passage: byte for byte
 * they add nothing to the load that the path carried before. Beyond that goes a rate, modest at
 * first, which each report of the collector doubles while next to nothing is lost, and halves
 * otherwise. Without reports nothing goes at all, so that a path that dies again swallows little.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/time.h"

enum {
    PACE_START = 1 << 20, /* bytes a second */
    PACE_MIN = 32 << 10,
    PACE_MAX = 128 << 20,
    PACE_BURST_MS = 20,   /* of the rate at once, after the thread did something else */
    PACE_FRESH_MS = 1300, /* age of the last report at which sending stops */
    PACE_IDLE = 2,        /* reports without progress: the frames do not arrive */
    PACE_LOSS = 32,       /* one in so many frames may be lost: paths do that */
};

struct pace {
    int64_t rate;    /* bytes a second */
    int64_t balance; /* bytes that may go; below 0 after a long frame */
    int64_t rest;    /* of the last accrual, in byte-nanoseconds */
    bool stalled;    /* reports come and say that nothing arrives */
    unsigned idle;   /* so many in a row */
    uint64_t mark;   /* frames numbered when sending began: what became of them says nothing */
    struct mono at;  /* of the last accrual */
    struct mono fresh;
    uint64_t accounted, lost; /* as last reported */
};

/* Sending begins: a session is new, or its path is back. `sent`: frames numbered before. */
void pace_begin(struct pace *d, uint64_t sent, struct mono now);
/* A report: so many of the session's `sent` frames are accounted for, and of these so many lost. */
void pace_report(struct pace *d, uint64_t sent, uint64_t accounted, uint64_t lost, struct mono now);
/* Bytes came in behind what waits. */
void pace_came(struct pace *d, uint64_t bytes);
/* True when a frame may go now. */
bool pace_may(struct pace *d, struct mono now);
void pace_sent(struct pace *d, uint64_t bytes);

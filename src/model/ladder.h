/* SPDX-License-Identifier: Apache-2.0
 *
 * How much detail a tap gives up where more is wished than its rate carries: a ladder of steps,
 * each with less detail than the one before, and the decision which one to stand on. Pure: figures
 * and the time go in.
 *
 *     full ── headers ── 1 flow in 2 ── 1 in 4 ── … ── 1 in 1024 ── flow records ── counters only
 *
 * Down: frames have waited for long, or are told in flow records, which leave late, and what is
 * sent on this step is no less than the rate; then to the first step that costs clearly less. Or
 * the processor's limit is passed; then one step. Up: to the best step whose cost has fitted for
 * seconds. The cost of each step is known all the time from the frames that came, also of those
 * that are not sent: no step is tried to see its cost.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/time.h"

enum ladder_rung {
    LADDER_HEADERS, /* frames are cut behind their headers */
    LADDER_SAMPLE,  /* whole flows are kept, fewer with each step */
    LADDER_FLOWS,   /* flow records of all frames are sent; before `count` or the last */
    LADDER_COUNT,   /* no frame is sent */
    LADDER_RUNGS,
};

enum {
    LADDER_HALVINGS = 10, /* of the flows that are kept: 1 in 1024 are the fewest */
    LADDER_STEPS = LADDER_HALVINGS + LADDER_RUNGS,
    LADDER_SAMPLES = 24,

    LADDER_TICK_MS = 50,    /* the usual time between two ticks */
    LADDER_OVER_MS = 200,   /* frames have waited for too long for so long: down */
    LADDER_RECENT_MS = 200, /* of what came the steps' costs on the way down are made, … */
    LADDER_LONG_MS = 1000,  /* … on the way up, and the processor's share */
    LADDER_FITS_MS = 5000,  /* a better step has fitted for so long: up */
    LADDER_DOWN_PERCENT =
        90, /* of the rate that a step costs at most to be chosen on the way down */
    LADDER_STAY_PERCENT = 96, /* up to this the queue gets shorter */
    LADDER_UP_PERCENT = 85,
};

struct ladder_step {
    bool headers, flows, count;
    uint8_t halvings;
};

struct ladder_conf {
    enum ladder_rung rung[LADDER_RUNGS]; /* in the order in which detail is given up; none twice */
    unsigned n;                          /* at most LADDER_RUNGS; 0: there is one step, full */
    uint64_t rate;                       /* bytes a second; 0: no limit */
    uint32_t queue_ms;                   /* for which frames may wait */
    uint32_t cpu_permille;               /* of a core; 0: no limit */
};

/* Figures of the tap, all from its start on. Bytes are those of packets on the link. */
struct ladder_seen {
    /* Of the frames that came: whole, or their headers; by the number of halvings after which their
     * flow is still kept, where LADDER_HALVINGS are all those that are always kept. */
    uint64_t bytes[2][LADDER_HALVINGS + 1];
    uint64_t flows;   /* of flow records of these frames, and of frames that are sent beside them */
    uint64_t control; /* bytes of everything else that was sent */
    uint64_t cpu_ns;  /* processor time of the tap's threads */
    uint32_t wait_ms; /* that the oldest frame has waited; no figure from the start */
};

enum ladder_why {
    LADDER_STAYS,
    LADDER_QUEUE, /* down: more is wished than the rate carries */
    LADDER_CPU,   /* down: the processor's limit */
    LADDER_FITS,  /* up */
};

struct ladder {
    struct ladder_conf conf;
    struct ladder_step step[LADDER_STEPS];
    unsigned n_steps, at;
    bool cpu_at_end; /* the last step is not little enough for the processor's limit */
    struct {
        struct mono at;
        struct ladder_seen seen;
    } sample[LADDER_SAMPLES]; /* a ring */
    unsigned n_samples, newest;
    struct mono waits;              /* since when frames wait for too long; {0}: they do not */
    struct mono fits[LADDER_STEPS]; /* since when a step would fit; {0}: it would not */
    struct mono cpu_next; /* the processor's share says something of this step from then */
    uint64_t cpu_per_kib; /* nanoseconds for what is sent, as learnt; 0: not yet */
    struct {
        bool known;
        uint64_t used, sent; /* on the step before, a second */
    } before;
};

void ladder_init(struct ladder *l, const struct ladder_conf *conf);
/* The same ladder under another rate, queue or processor limit; other rungs begin anew. */
void ladder_set(struct ladder *l, const struct ladder_conf *conf);
/* To be called every LADDER_TICK_MS, or later. Where it does not stay, the step is another one. */
enum ladder_why ladder_tick(struct ladder *l, const struct ladder_seen *seen, struct mono now);

/* The step that it stands on. */
const struct ladder_step *ladder_at(const struct ladder *l);
/* "headers, 1 flow in 4"; "full" for the first. */
void ladder_words(const struct ladder_step *step, char ret[48]);

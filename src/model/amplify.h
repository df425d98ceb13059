/* SPDX-License-Identifier: Apache-2.0
 *
 * Do frames come to an interface because frames were sent? Pure: totals and the time go in.
 *
 * A tap whose datagrams come by again on the interface that it taps makes more of them without an
 * end. Those that are seen as they are have a mark (proto/link.h) and are left out. This is for
 * those that are wrapped, by a VPN say, where nothing but cause and effect tells them from a
 * user's traffic: what a tap sends follows what it captures on every interface.
 *
 * Suspicion comes from totals of AMPLIFY_WINDOW_MS: frames that could carry the datagrams sent, of
 * about as many bytes. Every bulk transfer makes that too. So it is only the reason for an
 * experiment: for slots of AMPLIFY_SLOT_MS that a coin chooses, the tap neither reads nor sends.
 * Frames wait in the capture ring, of which the kernel goes on to count what comes. Whatever
 * traffic does by itself, it does not know the coin. If few frames come some time after slots
 * without sending and many come as long after the others, more often than chance allows, the one
 * is the cause of the other.
 *
 * The proof is a bet. For each delay that the way round may have, one unit is put, slot for slot,
 * on "less than lately after a pause, more after none". For traffic that does not know the coin the
 * bet is fair, whatever its shape, so that the chance to ever have AMPLIFY_PROOF times the stake is
 * one in AMPLIFY_PROOF for an experiment (Ville's inequality). Two more conditions are for traffic
 * that does react to our sending, as where both want the same processor or queue: the difference
 * must be large, and no delay near may show the opposite, as it does where frames are only moved.
 *
 * A loop is found from AMPLIFY_FRAMES in a window on, where it makes a third of the interface's
 * frames. Within a second if the way from sending to seeing takes 10 ms at most, but for one in 25
 * where an experiment began too early: then two or three. Over a wide area, where a loop also grows
 * more slowly, it takes some seconds, seldom half a minute, and beyond AMPLIFY_LAG_MAX_MS it is
 * seldom found. A loop grows until something on its way is at its limit, behind a full queue that
 * no slot of AMPLIFY_SLOT_MS empties. So each third experiment has bins and slots that are
 * AMPLIFY_WIDE times as long, and finds it within 15 seconds; but not where the tap's rate holds
 * frames back, which bounds a loop, and could not make up for such pauses. A loop behind a queue
 * longer than these slots is not found: that of a slow shaped link, or of another tap on the way
 * that is at its limit. One that a snaplen makes die out is none. An interface on which traffic was
 * found to be no loop's is looked at again when it doubles, and at growing intervals.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/time.h"

enum {
    AMPLIFY_BIN_US = 2500, /* arrivals are added up by that */
    AMPLIFY_SLOT_BINS = 4,
    AMPLIFY_SLOT_MS = AMPLIFY_SLOT_BINS * AMPLIFY_BIN_US / 1000,
    AMPLIFY_RUN = 3,   /* pauses in a row, at most: the ring has to hold what comes */
    AMPLIFY_LAGS = 96, /* delays that are looked at, a bin apart */
    AMPLIFY_LAG_MAX_MS = AMPLIFY_LAGS * AMPLIFY_BIN_US / 1000,
    AMPLIFY_REF_BINS = 64, /* "lately" */
    AMPLIFY_WIDE = 8,      /* each third experiment has bins and slots so many times as long */
    AMPLIFY_BINS = 1024, /* kept; a power of two, more than AMPLIFY_WIDE times slot and REF_BINS */

    AMPLIFY_WEIGHTS = 64, /* slots kept; more than delays and a missed step take */

    AMPLIFY_WINDOW_MS = 100,
    AMPLIFY_FRAMES = 16, /* in a window: fewer are no storm */
    AMPLIFY_PROOF = 1000000,
    AMPLIFY_SLOTS_MIN = 16, /* at each delay, before an experiment ends without a proof */
    AMPLIFY_SLOTS_MAX = 80, /* and here it does, unless it looks like one */
    AMPLIFY_SLOTS_END = 800,

    AMPLIFY_AGAIN_MS = 100, /* between two experiments, where traffic has doubled meanwhile */
    AMPLIFY_REST_MS = 250,  /* the same where it has not; doubled each time, … */
    AMPLIFY_REST_MAX_MS = 60000,
    AMPLIFY_PAUSE_MS = 5000, /* frames are dropped for so long, then it is tried whether it is
                              * over; doubled each time */
    AMPLIFY_PAUSE_MAX_MS = 320000,
    AMPLIFY_TRIAL_MS = 10000,  /* without another proof: it is over */
    AMPLIFY_MEMORY_MS = 60000, /* for so long after its end, one that begins is the same */
};

/* Totals since the start. */
struct amplify_seen {
    uint64_t frames;                /* that came, with those for which the ring had no room */
    uint64_t dropped;               /* of them, those */
    uint64_t read;                  /* from the ring */
    uint64_t long_bytes;            /* of frames of amplify_long_from() bytes or more on the wire */
    uint64_t datagrams, sent_bytes; /* to the collector */
    bool pressed;                   /* not a total: the ring is half full */
    bool limited;                   /* nor is this: frames wait for the tap's rate */
};

enum amplify_state {
    AMPLIFY_WATCH,
    AMPLIFY_TEST,
    AMPLIFY_ENDED, /* proven: frames are to be dropped */
};

struct amplify {
    enum amplify_state state;
    uint64_t seed;
    uint64_t frames, dropped;   /* at the last step */
    bool pressed;               /* there is no pause while it is, … */
    bool overflows;             /* … unless the ring overflows without one */
    struct amplify_seen window; /* at the window's start */
    struct mono at, window_at;
    uint32_t long_from;
    double in[AMPLIFY_BINS]; /* frames by bin */

    unsigned unproven;              /* experiments that found no loop, since there was no reason */
    unsigned wide;                  /* of the present experiment: 1 or AMPLIFY_WIDE */
    struct mono rest;               /* no experiment before */
    struct mono again;              /* none without a reason before */
    int64_t rest_ms;                /* the next time between two without a reason */
    double cleared;                 /* frames in a window that were found to be no loop's */
    uint64_t first, slot;           /* slots of the experiment: its first; the present one */
    uint64_t done;                  /* bins up to this one are evaluated */
    double weight[AMPLIFY_WEIGHTS]; /* of slots, in [0, 1] */
    struct amplify_lag {
        double bet;
        double sum[2]; /* frames after slots without and with a pause */
        double n[2];   /* of these slots, by weight */
    } lag[AMPLIFY_LAGS];

    int64_t pause_ms;
    struct mono until; /* ENDED: of the pause; else of the trial, "never": there is none */
    struct mono over;  /* when one was over, for AMPLIFY_MEMORY_MS */
};

/* `seed`: random, and the same for all interfaces of a tap, so that they pause together. */
void amplify_init(struct amplify *a, uint64_t seed, struct mono now);
/* To be called at each wake of the data thread: every AMPLIFY_BIN_US or so in an experiment. */
void amplify_step(struct amplify *a, const struct amplify_seen *seen, struct mono now);

/* An experiment is on: the next step within a bin. */
bool amplify_testing(const struct amplify *a);
/* Nothing is to be read or sent until the next step. */
bool amplify_pauses(const struct amplify *a);
/* Frames are to be dropped. */
bool amplify_drops(const struct amplify *a);
/* It is, or it is being tried whether it is over. */
bool amplify_told(const struct amplify *a);
/* Frames shorter than this cannot carry the datagrams of late. */
uint32_t amplify_long_from(const struct amplify *a);

/* SPDX-License-Identifier: Apache-2.0
 *
 * The watchdog of one capture: where no frame comes for a time in which some should, it is to be
 * opened anew, and where that has not helped several times in a row, it is dead. Pure: numbers and
 * the time go in.
 *
 * A frame, an hour in which nothing is expected, or an interface that is not there or down sets
 * everything back. Time counts only as far as somebody looks: a program that stood still has seen
 * no frames, and that says nothing of the capture.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/time.h"

enum {
    IDLE_LOOK_MS = 2000, /* between two looks no more than that counts */
};

struct idle_conf {
    uint32_t max_ms;   /* without a frame; 0: nothing is watched */
    uint32_t restarts; /* in a row before the capture is dead */
};

/* The capture as it is at a look. */
struct idle_seen {
    uint64_t frames; /* accepted by the filter so far */
    bool up;         /* the interface is, and its ring is open */
    bool expected;   /* within business hours */
};

enum idle_action {
    IDLE_NOTHING,
    IDLE_REOPEN, /* until idle_reopened() says that it was tried */
    IDLE_DEAD,   /* just now: told once */
};

/* Zeros to begin with. */
struct idle {
    struct mono looked; /* last; {0}: not since a frame could come */
    uint64_t frames;
    int64_t ns; /* without a frame, since the last restart if there was one */
    unsigned restarts;
    bool dead;
};

enum idle_action idle_step(struct idle *i, const struct idle_conf *conf,
                           const struct idle_seen *seen, struct mono now);
/* The capture was opened anew, or that was tried and failed. */
void idle_reopened(struct idle *i);

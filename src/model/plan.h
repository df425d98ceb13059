/* SPDX-License-Identifier: Apache-2.0
 *
 * Desired less actual is what there is to do: when a set of wanted things has to be told to whoever
 * carries it out. The set is told as a whole under a generation: at once where it differs from the
 * one that was acknowledged, again after 1, 2, 4 and then each 8 s until that generation is
 * acknowledged, and in each new session. Whoever carries it out applies a set that has come as a
 * whole, and in a session none older than one that it saw. So it does not matter what was lost,
 * came twice or late.
 *
 * The plan knows things by an id and a version; what they are is their owner's. Pure: time is
 * passed in.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/time.h"

enum {
    PLAN_MAX = 512, /* things in a set */
    PLAN_ID = 16,
    PLAN_AGAIN_MS = 1000, /* until the set is told again the first time, … */
    PLAN_AGAIN_MAX_MS = 8000,
};

struct plan_item {
    uint8_t id[PLAN_ID];
    uint64_t version; /* another one where anything of it is another: a hash of its content */
};

struct plan {
    struct plan_item item[PLAN_MAX]; /* wanted, in order of their ids */
    size_t n;
    uint64_t generation;   /* of this set */
    uint64_t acknowledged; /* the last one in this session; 0: none */
    bool session;
    struct mono due; /* to be told; {0}: there is nothing to tell */
    int64_t again_ms;
};

/* An empty set under that generation, which must differ from those of earlier processes and is not
 * 0; there is no session. */
void plan_init(struct plan *p, uint64_t generation);
/* The set that is wanted now, in any order. 1 where it differs from the one before, as it has a new
 * generation then; else 0. -E2BIG, and nothing changes: there are more than PLAN_MAX. */
int plan_want(struct plan *p, const struct plan_item *items, size_t n, struct mono now);
/* A session has begun, with one that knows nothing; or the session has ended. */
void plan_session(struct plan *p, struct mono now);
void plan_lost(struct plan *p);
/* Is the set to be told now? */
bool plan_due(const struct plan *p, struct mono now);
/* It has been told, whether or not it arrives. */
void plan_told(struct plan *p, struct mono now);
/* That generation was acknowledged; others than the present one mean nothing. */
void plan_acknowledged(struct plan *p, uint64_t generation);
/* Is what is wanted what was acknowledged in this session? */
bool plan_is_done(const struct plan *p);

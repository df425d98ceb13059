/* SPDX-License-Identifier: Apache-2.0
 *
 * The bytes of flow records that frames would make, were they metered rather than sent: an estimate
 * for the ladder (ladder.h), which has to know it before. Flows are told apart by a hash of the
 * caller's and remembered in a sketch of bounded memory.
 *
 * A flow costs a record when it is seen first, or again after FLOWCOST_IDLE_MS, and another each
 * FLOWCOST_ACTIVE_MS that it lasts. Records of flows that last leave spread over time, and so does
 * their cost; so does that of the flows that are there when nobody has looked for a while. Pure;
 * time is passed in.
 */
#pragma once

#include <stdint.h>

#include "base/time.h"

enum {
    FLOWCOST_RECORD = 160, /* bytes of a record of both directions, about */
    FLOWCOST_IDLE_MS = 15000,
    FLOWCOST_ACTIVE_MS = 60000,
    FLOWCOST_COLD_MS = 1000, /* without a frame for so long, or at the start: the flows of so long a
                              * time are taken for old ones */
};

struct flowcost;

/* NULL: no memory, of which 2 MiB are taken as flows come. */
struct flowcost *flowcost_new(void);
void flowcost_free(struct flowcost *f);

/* Time passes: returns the bytes that are due by now and were not returned yet. To be called before
 * the frames that came at that time. */
uint64_t flowcost_due(struct flowcost *f, struct mono now);
/* A frame of that flow: returns bytes likewise. */
uint64_t flowcost_frame(struct flowcost *f, uint64_t hash);

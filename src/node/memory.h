/* SPDX-License-Identifier: Apache-2.0
 *
 * The backlog may be larger than the memory that there is. It must not take the last of it: new
 * keys, sessions and what asks for the status need some, too, and without keys nothing that waits
 * will ever leave. node/tap.c looks twice a second.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/time.h"
#include "data/link/send/backlog.h"

/* Zeros to begin with. */
struct memory {
    struct mono lacked; /* when memory was short last; {0}: it is not */
    struct mono told;
};

struct memory_look {
    bool shrunk;       /* the backlogs may hold less now, which their threads have to see to */
    bool tell;         /* … and it is time to say so */
    uint64_t may_wait; /* bytes, if shrunk */
};

/* Where memory is short, the backlog gives some back, and gets it again when that is over. `pool`
 * may be NULL. */
struct memory_look memory_look(struct memory *m, struct backlog_pool *pool, struct mono now);

/* SPDX-License-Identifier: Apache-2.0
 *
 * Several that share one budget by what they want: whoever wants less than an equal share gets all
 * of it, and the others share the rest alike. Pure: the time goes in.
 *
 * Each member has a virtual time, the bytes that it was served; one that was away begins where the
 * others are, so that nobody saves up. A member may be ahead of those who wait by a turn's length
 * at most (start-time fair queueing). Who waits says until when it will come again; if it does not,
 * nobody waits for it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/time.h"

enum {
    SHARE_LATE_MS = 20, /* a member is waited for so long */
};

struct share_member {
    struct share_member *next;
    uint64_t served;   /* the virtual time at which its last turn ended */
    struct mono until; /* it waits, and comes again by then */
    bool waits;
};

struct share {
    struct share_member *first;
    uint64_t at; /* the virtual time at which the last turn began */
};

void share_join(struct share *s, struct share_member *m);
void share_leave(struct share *s, struct share_member *m);

/* The bytes that it may take now, where a turn is `turn` bytes long; UINT64_MAX: nobody waits. */
uint64_t share_most(const struct share *s, const struct share_member *m, uint64_t turn,
                    struct mono now);
/* The bytes that others are to be served before it. */
uint64_t share_ahead(const struct share *s, const struct share_member *m, struct mono now);
/* It was served so many bytes. */
void share_served(struct share *s, struct share_member *m, uint64_t bytes, struct mono now);
/* It did not use so many of them. */
void share_returned(struct share_member *m, uint64_t bytes);
/* When it said it would come again, if it waits; else 0. */
struct mono share_due(const struct share_member *m);
/* It waits, and will come again; or wants no more. */
void share_wait(struct share *s, struct share_member *m, struct mono until, struct mono now);
void share_done(struct share_member *m);

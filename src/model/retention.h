/* SPDX-License-Identifier: Apache-2.0
 *
 * Which captures that have ended are to be deleted now: those that ended too long ago, and then, as
 * long as all of them have too many bytes, those whose end is the oldest. Ages count from the
 * capture's end, and not from when somebody last read it. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct retention_conf {
    int64_t age_ns;      /* 0: none is too old */
    uint64_t most_bytes; /* of all of them; 0: any number */
};

/* A capture that has ended. */
struct retention_item {
    size_t number;    /* the caller's, of whatever it is */
    int64_t ended_ns; /* struct wall */
    uint64_t bytes;
    bool kept;   /* it is held, or being read: it is never deleted, but its bytes count */
    bool remove; /* what retention_choose() says */
};

/* Sorts them, the oldest end first, and sets `remove` of each. Returns how many it is set of. An
 * end after `now` is none that is too old: clocks are set. */
size_t retention_choose(const struct retention_conf *conf, int64_t now_ns,
                        struct retention_item *items, size_t n);

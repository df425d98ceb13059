/* SPDX-License-Identifier: Apache-2.0
 *
 * The head of sinks that have room for every observation point and keep nothing: a port, a tunnel.
 * Each has a ledger for each point, and may find that frames want a larger MTU.
 */
#pragma once

#include <stdatomic.h>

#include "data/sink.h"

enum {
    PLAIN_STUCK_MS = 1000, /* for so long a frame may wait for a queue on the way out */
};

struct plain_sink {
    struct sink sink;                 /* is first */
    struct ledger *ledger[POINT_MAX]; /* NULL: not added */
    _Atomic uint32_t missed_mtu;
};

/* For a table of struct sink_ops, as said there. */
int plain_point_add(struct sink *s, const struct point_offer *point, struct error *err);
void plain_point_remove(struct sink *s, uint32_t index);
uint32_t plain_missed_mtu(struct sink *s);
/* These do nothing, for any sink that has no place for figures, or nothing to flush. */
void plain_point_stats(struct sink *s, uint32_t index, const struct ledger *figures);
void plain_flush(struct sink *s);

/* The ledger of the frame's point, where it is counted as given to the sink; NULL: the point was
 * not added. */
struct ledger *plain_count_in(struct plain_sink *p, const struct frame *f);
/* A frame wanted that MTU in vain. */
void plain_miss_mtu(struct plain_sink *p, uint32_t mtu);
/* Waits for a millisecond: a full queue on the way out gives no sign when it has room again. */
void plain_wait(void);

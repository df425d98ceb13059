/* SPDX-License-Identifier: Apache-2.0
 *
 * The rate of a tap, for all that it sends to its collector: model/rate.h behind a lock, shared by
 * model/share.h. Data threads ask before they send (link/send/tx.h), each from a seat of its own,
 * and the lock is taken twice for a call that sends many datagrams. The control thread's records
 * (link/dial/out.c) leave at once, and what follows pays for them. Any thread may call what is
 * here.
 *
 * All bytes are those of whole IP packets.
 */
#pragma once

#include "base/cleanup.h"
#include "model/rate.h"
#include "model/share.h"

struct budget;

struct budget_conf {
    struct rate_conf rate;
    uint32_t queue_ms; /* frames may wait for so long, at the rate */
};

enum {
    BUDGET_QUEUE_MIN = 16 << 10, /* bytes that may wait at least */
};

/* A sender's place. One thread uses it, but for what the budget itself keeps in it. */
struct budget_seat {
    struct share_member member; /* first; the rest is what budget_tell was told */
    uint64_t waiting, dropped;
    int64_t oldest_ns;
};

/* -ENOMEM. */
int budget_new(const struct budget_conf *conf, struct budget **ret);
/* After all its seats. Takes NULL. */
void budget_free(struct budget *b);
/* Another rate from now on. */
void budget_set(struct budget *b, const struct budget_conf *conf);
/* The bytes that may wait, over all seats. */
uint64_t budget_queue(struct budget *b);

void budget_join(struct budget *b, struct budget_seat *s);
void budget_leave(struct budget *b, struct budget_seat *s);

/* How many datagrams of `datagram` bytes may leave now, `most` at most; with 0, *ret_wait_ms is how
 * long to wait before the next question, and the seat waits for its turn. */
unsigned budget_room(struct budget *b, struct budget_seat *s, uint32_t datagram, unsigned most,
                     int *ret_wait_ms);
/* The same, and they are about to leave: budget_left follows. */
unsigned budget_take(struct budget *b, struct budget_seat *s, uint32_t datagram, unsigned most,
                     int *ret_wait_ms);
/* Of so many bytes taken so many have left. */
void budget_left(struct budget *b, struct budget_seat *s, uint64_t taken, uint64_t left);
/* Bytes that have left without a question. */
void budget_charge(struct budget *b, uint64_t bytes);
/* The most datagrams that leave at once. */
unsigned budget_burst(struct budget *b, uint32_t datagram);

/* Publishes that at this seat so many bytes wait, the oldest of them since this wall time (0: none
 * do), and that so many were dropped for want of room, in all. Returns how many may wait here. */
uint64_t budget_tell(struct budget *b, struct budget_seat *s, uint64_t waiting, int64_t oldest_ns,
                     uint64_t dropped);

struct budget_figures {
    uint64_t rate_bps;
    uint64_t sent_bps;     /* over the last second, … */
    uint64_t wish_bps;     /* … and what would have been sent without a limit */
    uint64_t sent, wished; /* bytes, in all */
    uint64_t charged;      /* of those sent, what did not ask */
    uint64_t waiting;
    int64_t oldest_ns; /* wall time; 0: nothing waits */
};

/* The milliseconds for which the oldest frame has waited; 0 where the clock was set back. */
static inline int64_t budget_waited(const struct budget_figures *f)
{
    const int64_t ns = f->oldest_ns ? wall_now().ns - f->oldest_ns : 0;
    return MAX(ns, 0) / NSEC_PER_MSEC;
}

/* To be called twice a second or so, by one thread. */
void budget_tick(struct budget *b);
void budget_figures(struct budget *b, struct budget_figures *ret);

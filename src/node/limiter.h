/* SPDX-License-Identifier: Apache-2.0
 *
 * The limits of a tap, in its control thread: it climbs the ladder (model/ladder.h) by the figures
 * of the rate and of the processor, tells the captures the step by their plan (data/limit.h), and
 * says when a tap is to end that ends where more is wished than it may send. node/tap.c ticks it.
 */
#pragma once

#include "base/history.h"
#include "data/limit.h"
#include "data/link/budget.h"
#include "model/ladder.h"

enum {
    LIMITER_TELL_MS = 1000, /* between two events of breaches */
};

enum limiter_mode {
    LIMITER_LADDER, /* less detail is sent */
    LIMITER_DROP,   /* frames are dropped where the queue is full */
    LIMITER_STOP,   /* the same, and a tap that is at its limit for long ends */
};

struct limiter_conf {
    enum limiter_mode mode;
    enum ladder_rung rung[LADDER_RUNGS];
    unsigned n_rungs;
    uint32_t cpu_permille;       /* of a core; 0: no limit */
    uint32_t check_ms, breaches; /* of LIMITER_STOP: so many intervals in a row */
    struct filter_prog keep;     /* frames that stay whole; without instructions: none */
};

struct limiter {
    struct limiter_conf conf;
    struct budget_conf budget; /* rate.bits 0: no rate */
    struct limit_plan plan;
    struct ladder ladder;
    struct mono checked; /* the end of the last interval, … */
    uint64_t wished;     /* … and what had been wished until then */
    unsigned breaches;   /* in a row, … */
    uint64_t breached;   /* … and in all */
    struct mono told;    /* the last of them that was an event */
    bool told_end;       /* of a last step that is not little enough */
    bool flows;          /* the collector takes flow records */
    bool told_no_flows;  /* it was said that it does not */
    void (*event)(void *user, enum history_kind kind, const char *words);
    void *user;
};

/* `event` takes events for the history. The filter of `conf` is borrowed for good, here and below,
 * as captures may look at it for a while yet. -EIO: no random numbers. */
int limiter_init(struct limiter *l, const struct limiter_conf *conf,
                 const struct budget_conf *budget,
                 void (*event)(void *user, enum history_kind kind, const char *words), void *user);
/* Other limits from now on. */
void limiter_set(struct limiter *l, const struct limiter_conf *conf,
                 const struct budget_conf *budget);
/* The collector of the session takes flow records, or does not: then the ladder has no such step,
 * and none before the first session. */
void limiter_set_flows(struct limiter *l, bool takes);
/* Is anything limited? */
bool limiter_limits(const struct limiter_conf *conf, const struct budget_conf *budget);

/* Every LADDER_TICK_MS. `f`: the figures of the rate, NULL without one; `wait_ms`: for how long the
 * oldest frame has waited; `cpu_ns`: processor time of the tap's threads. True: the tap is to end,
 * of which an event was told. */
bool limiter_tick(struct limiter *l, const struct budget_figures *f, uint32_t wait_ms,
                  uint64_t cpu_ns, struct mono now);

/* SPDX-License-Identifier: Apache-2.0
 *
 * The clock of a tap against the collector's, out of the REPORTs that both send: how far it is
 * ahead, how fast it gains, and a bound on the error of either that holds however lopsided the path
 * is. Pure: link/listen/clocks.c gives it the exchanges and the time.
 *
 * An exchange is what one REPORT of the tap's tells: it left between the moment at which it could
 * have left at the earliest, had the echoed REPORT needed no time, and its arrival. So the tap's
 * clock at that moment lies in an interval as long as the round trip, its middle is off by half of
 * that at most (RFC 5905, section 8, has the same four times; Cristian 1989 the bound), and the
 * interval grows with its age by what two clocks can drift apart. Each new exchange cuts off of the
 * older ones' interval what cannot be: so the best round trips of the last minutes decide.
 *
 * Two clocks that no one sets are compared, each end's monotonic one, and what each end's wall
 * clock has beyond it is added as the newest REPORT, and our own clock, say it. So no step of a
 * wall clock, however small, can make an old interval wrong. A tap that does not tell its monotonic
 * clock is known by its last exchange only.
 *
 * A step of a tap's clock is known with its next REPORT: an estimate is that of the tap's clock as
 * its newest REPORT had it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/time.h"

enum {
    /* By which two clocks drift apart, at most: 500 ppm by which the kernel of one end bends its
     * clock (NTP, adjtime), and 100 ppm for the quartzes of both. Where a clock is bent further,
     * exchanges contradict each other sooner or later, which is a jump. */
    CLOCK_DRIFT_PPM = 600,
    CLOCK_PAIR_NS = TIME_PAIR_NS, /* between two clocks of one end that are read together */
    CLOCK_JUMP_NS = 1000000,      /* of a wall clock against the monotonic one: it was set */
    CLOCK_MARKS = 16,             /* kept for the drift, … */
    CLOCK_MARK_MS = 16000,        /* … one in so long */
    CLOCK_SPAN_MS = 8000,         /* over which drift is measured, at least */
    CLOCK_TRIP_MS = 60000,        /* a round trip, or an echo's age, above that is no use */
};

/* The clocks that a REPORT tells of. Times of the tap's are its own, ns, and may be any number. */
struct clock_exchange {
    struct mono sent; /* our REPORT that it echoes: a time at which that had not left yet */
    struct mono came; /* a time at which the tap's had come */
    uint64_t held;    /* from our REPORT's arrival there until its own left */
    int64_t wall;     /* the tap's wall clock as it left, … */
    int64_t steady;   /* … and a clock of the tap's that is never set; 0: not told */
};

/* A time at which the other clock lay in [lo, hi], against ours. */
struct clock_mark {
    struct mono at;
    int64_t lo, hi;
};

struct clock_model {
    bool known;
    bool steady;                         /* the tap tells its monotonic clock */
    struct mono since;                   /* exchanges that began before are not taken */
    struct clock_mark now;               /* the tap's steady clock less our monotonic one */
    int64_t ahead;                       /* the tap's wall clock less its steady one */
    int64_t told;                        /* that one, as the newest REPORT had it */
    struct clock_mark mark[CLOCK_MARKS]; /* the narrowest of each CLOCK_MARK_MS, oldest first */
    unsigned n_marks;
    struct mono mark_began; /* the newest's time */
};

struct clock_estimate {
    int64_t offset; /* the tap's wall clock less ours, ns */
    int64_t bound;  /* ns: the true offset is not further from that */
    bool drifts;    /* the drift is known */
    double drift;   /* ppm: positive where the tap's clock gains */
    double drift_bound;
};

enum clock_news {
    CLOCK_USELESS, /* it cannot be, is older than what is known, or it is not known when it began */
    CLOCK_TAKEN,
    CLOCK_JUMPED, /* the tap's clock was set, or contradicts what was known: the model began anew */
};

/* Takes an exchange; *ret_jump, ns, is written where the clock jumped. */
enum clock_news clock_model_take(struct clock_model *m, const struct clock_exchange *e,
                                 int64_t *ret_jump);

/* Knows nothing any more, as our own clocks went on without each other, and takes no exchange that
 * began before now. */
void clock_model_forget(struct clock_model *m, struct mono now);

/* The estimate of now; `ahead`: our wall clock less our monotonic one. False where nothing is. */
bool clock_model_estimate(const struct clock_model *m, struct mono now, int64_t ahead,
                          struct clock_estimate *ret);

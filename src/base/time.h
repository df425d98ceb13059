/* SPDX-License-Identifier: Apache-2.0
 *
 * Kinds of time that the compiler keeps apart: `struct mono` never jumps and orders events on this
 * host; `struct wall` is what a capture file shows; `struct awake` tells a thread that it, or the
 * machine, stood still. Pure code is given its time; only the edges read a clock.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#define NSEC_PER_SEC INT64_C(1000000000)
#define NSEC_PER_MSEC INT64_C(1000000)

struct mono {
    int64_t ns; /* nanoseconds since an arbitrary start; 0 means "never" where a field allows it */
};

struct wall {
    int64_t ns; /* nanoseconds since 1970-01-01 UTC */
};

struct awake {
    int64_t ns; /* nanoseconds since the machine started, suspended or not */
};

static inline struct mono mono_now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (struct mono){ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec};
}

static inline struct wall wall_now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    return (struct wall){ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec};
}

/* Goes on while the machine is suspended, which `struct mono` does not: for telling that it was. */
static inline struct awake awake_now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_BOOTTIME, &ts);
    return (struct awake){ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec};
}

/* True where more than `ms` milliseconds have gone by since `*last`, which becomes now; not the
 * first time, when it is 0. */
static inline bool awake_jumped(struct awake *last, int64_t ms)
{
    struct awake before = *last;
    *last = awake_now();
    return before.ns != 0 && last->ns - before.ns > ms * NSEC_PER_MSEC;
}

static inline struct mono mono_add_ms(struct mono t, int64_t ms)
{
    return (struct mono){t.ns + ms * NSEC_PER_MSEC};
}

enum {
    TIME_PAIR_NS = 20000, /* between two clocks that are read together */
    TIME_PAIR_TRIES = 8,
};

/* Both clocks at one time. */
struct time_pair {
    struct mono mono; /* not read after `wall`, … */
    struct wall wall;
    int64_t apart; /* … but up to so many ns before */
};

/* Not further apart than TIME_PAIR_NS, unless the thread was held up in between each time. */
static inline struct time_pair time_pair(void)
{
    struct time_pair best = {.apart = INT64_MAX};
    for (unsigned i = 0; best.apart > TIME_PAIR_NS && i < TIME_PAIR_TRIES; i++) {
        struct time_pair p = {.mono = mono_now()};
        p.wall = wall_now();
        p.apart = mono_now().ns - p.mono.ns;
        best = p.apart < best.apart ? p : best;
    }
    return best;
}

/* Nanoseconds from `from` to `to`; negative when `to` is earlier. */
static inline int64_t mono_diff(struct mono to, struct mono from)
{
    return to.ns - from.ns;
}

/* The earlier of two times, of which 0 is never. */
static inline struct mono mono_earlier(struct mono a, struct mono b)
{
    return a.ns == 0 || (b.ns != 0 && b.ns < a.ns) ? b : a;
}

/* Milliseconds for poll() to wait, after which `next` has come for sure; -1, for ever, where it is
 * never. */
static inline int mono_wait_ms(struct mono next, struct mono now)
{
    const int64_t left = mono_diff(next, now);
    return next.ns == 0 ? -1 : (int)((left > 0 ? left : 0) / NSEC_PER_MSEC) + 1;
}

/* True once `now` has reached `deadline`; never true of the time "never". */
static inline bool mono_due(struct mono now, struct mono deadline)
{
    return deadline.ns != 0 && now.ns >= deadline.ns;
}

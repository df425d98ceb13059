/* SPDX-License-Identifier: Apache-2.0
 *
 * A rate that holds: how many bytes may leave, and when. Pure: the time goes in.
 *
 * Two conditions have to be met. Each byte costs its time at the rate, and what was paid for in
 * advance is bounded (the burst). That alone lets a burst and the rate behind it into the same
 * 100 ms; so what has left in the last 100 ms is known in small slots of time, a slot counts until
 * its last byte is that old, and the sum keeps to rate * 100 ms. Where one datagram is more than
 * that, one leaves, and the pause that it costs follows.
 *
 * A sender that comes later than it had to, as machines are busy, has not lost the time that went
 * by while the burst was full: it is made up for by and by, within the 100 ms.
 *
 * What cannot wait is charged when it has left: what follows waits until that is paid, so that a
 * bounded debt is as much as such things can add. Part of the 100 ms is left to them, and to paths
 * that bring datagrams closer together than they were sent, where that part is a datagram or more.
 */
#pragma once

#include <stdint.h>

#include "base/time.h"

enum {
    RATE_WINDOW_MS = 100,
    RATE_BURST_DATAGRAMS = 2, /* a burst has room for so many at least */
    RATE_SPARE = 100,         /* one part in so many of the 100 ms is left to what cannot wait */
    RATE_DEBT_MS = 1000,      /* of the rate: more is forgiven */
    RATE_LATE_MS = 50,        /* of lost time are made up for at most, … */
    RATE_LATE_PART = 4,       /* … by one part in so many of what leaves */
    RATE_SLOT_US = 250,
    RATE_SLOTS = 512, /* more than 100 ms have */
};

#define RATE_MIN UINT64_C(64000) /* bit/s */
#define RATE_MAX UINT64_C(100000000000)

struct rate_conf {
    uint64_t bits;     /* a second, in [RATE_MIN, RATE_MAX] */
    uint32_t burst_ms; /* in [1, RATE_WINDOW_MS] */
};

struct rate {
    struct rate_conf conf;
    struct mono now;  /* of the last call; an earlier time counts as this one */
    struct mono paid; /* until then what was taken costs the rate */
    uint64_t lost;    /* bytes that could have left, and may do so beside the others */
    uint64_t pending; /* bytes that were taken and have not left yet */
    uint64_t sum;     /* bytes of all slots */
    unsigned first, n;
    struct {
        struct mono from, to; /* the first and the last byte */
        uint64_t bytes;
    } slot[RATE_SLOTS]; /* a ring; the oldest is at `first` */
};

void rate_init(struct rate *r, const struct rate_conf *conf, struct mono now);
/* The rate is another one from now on. */
void rate_set(struct rate *r, const struct rate_conf *conf, struct mono now);

/* The bytes that may leave at once, in datagrams of `datagram` bytes at most, headers included: 0,
 * or at least that. */
uint64_t rate_room(struct rate *r, uint32_t datagram, struct mono now);
/* Nanoseconds until there is room for one datagram, as far as is known; 0: there is. */
int64_t rate_wait(struct rate *r, uint32_t datagram, struct mono now);
/* So many bytes are about to leave, for which somebody has waited since `due` (0: nobody), … */
void rate_take(struct rate *r, uint64_t bytes, struct mono due, struct mono now);
/* … and of these so many have; the others do not leave now. */
void rate_left(struct rate *r, uint64_t taken, uint64_t left, struct mono now);
/* These bytes have left without a question. */
void rate_charge(struct rate *r, uint64_t bytes, struct mono now);

/* The most bytes that leave at once. */
uint64_t rate_burst(const struct rate *r, uint32_t datagram);
/* The bytes of so many milliseconds at the rate. */
uint64_t rate_bytes(const struct rate *r, uint32_t ms);

/* SPDX-License-Identifier: Apache-2.0
 *
 * One way of datagrams through the relay, for impair.c. A seeded generator draws the fate of each
 * datagram, which then waits for its time, if it has to. No sockets and no clock in here: the time
 * goes in, datagrams come out by a callback, and each is counted in one place only, so that
 * way_sums can hold the numbers against each other.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    WAY_HELD = 64,
    WAY_LATER = 5,   /* datagrams that overtake one at most */
    WAY_HOLD_MS = 5, /* and if they do not come: less than a collector waits */
};

struct way_conf {
    double drop, copy, damage, truncate, reorder; /* probabilities */
    double burst, burst_len;                      /* of a burst of loss to begin; its mean length */
    int64_t delay_ns, jitter_ns;                  /* each waits delay ± jitter */
    double rate;                                  /* bytes a second; 0: any */
    uint64_t queue;                               /* datagrams that may wait for the rate */
    uint64_t max_size;   /* larger ones vanish without a word; 0: none does */
    uint64_t min_size;   /* smaller ones pass untouched */
    uint64_t skip;       /* so many pass untouched at first */
    uint64_t stop_after; /* and those after so many; 0: none does */
};

struct way_counts {
    uint64_t received, copied;
    uint64_t sent, unsent, dropped, burst, outage, swallowed, queue_full, left;
    uint64_t damaged, truncated, reordered, delayed; /* not part of the sum */
};

struct way_item {
    uint8_t *data;
    size_t len;
    unsigned client;
    unsigned wait; /* reordered: for so many more datagrams at most */
    int64_t due;   /* ns */
    uint64_t order;
};

struct way {
    struct way_conf conf;
    struct way_counts n;
    struct way_item held[WAY_HELD]; /* out of their turn, oldest first */
    unsigned n_held;
    struct way_item *heap; /* delayed: the first is due first */
    size_t n_heap, cap;
    bool off; /* an outage: nothing passes */
    uint64_t bursting, order;
    int64_t free_at; /* when the rate lets the next one go */
    uint64_t *rng;
    /* Sends; false when the system did not take it. */
    bool (*send)(void *user, unsigned way, unsigned client, const uint8_t *data, size_t len);
    void *user;
    unsigned number;
};

/* A datagram came; `data` may be changed. */
void way_datagram(struct way *w, unsigned client, uint8_t *data, size_t len, int64_t now);
/* Lets go what is due. */
void way_release(struct way *w, int64_t now);
/* When way_release has something to do next; 0: nothing waits. */
int64_t way_next(const struct way *w);
/* The end: what waits is counted as left and freed. */
void way_done(struct way *w);
/* Is each datagram that came in or was made accounted for? */
bool way_sums(const struct way *w);

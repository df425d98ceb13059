/* SPDX-License-Identifier: Apache-2.0
 *
 * One port's frames to all who want some of them: frame × consumers. It is the sink of a capture
 * whose ring is shared (node/engine.c); a consumer is a place with a match (data/match.h) and
 * a sink of its own, such as a file. So a port has one ring and one thread whoever asks.
 *
 * A frame that a consumer does not want costs its match and nothing else; one that it wants goes on
 * in a batch of that consumer's frames. Batches keep the order of the port's.
 */
#pragma once

#include <stdatomic.h>

#include "base/parse.h"
#include "data/sink.h"
#include "sys/filter.h"

enum {
    SPREAD_PLACES = 512,
};

/* Written by the port's thread, read by any. */
struct spread_counts {
    /* offered: frames with a time within [start, stop) while the place was taken; each of them is
     * unwanted, or was given to the sink. */
    _Atomic uint64_t offered, unwanted, given;
    _Atomic int64_t last_ns; /* the time of the last one given; 0: none was */
    _Atomic bool full;       /* its budget is spent: it takes no more */
};

/* A consumer. All pointers are borrowed until its place is free, or is another's. */
struct spread_want {
    struct sink *sink;                /* gets frames of its own thread's turn: write and flush */
    uint32_t point;                   /* their frame.point there */
    const struct filter_prog *filter; /* over frames in memory (filter_compile_plain); n 0: all */
    enum frame_dir dir;               /* FRAME_DIR_UNKNOWN: both */
    const struct vlan_set *vlans;     /* the outermost tag's id; NULL: any or none */
    uint32_t snaplen;                 /* 0: whole frames */
    int64_t start_ns, stop_ns;        /* frames with start <= time < stop */
    _Atomic uint64_t *budget;         /* of frames, shared by the capture's ports; NULL: no limit */
    struct spread_counts *counts;
};

/* -ENOMEM. `ledger`: of the port, in which SINK_IN and SINK_OUT count frames that anybody wanted or
 * none did; borrowed. */
int spread_new(struct ledger *ledger, struct sink **ret);
/* Its thread, between two batches: the place is this consumer's from now on, or free (NULL). What
 * was given to the one before is flushed. */
void spread_set(struct sink *spread, unsigned place, const struct spread_want *w);
/* Places that are taken. */
unsigned spread_now(const struct sink *spread);

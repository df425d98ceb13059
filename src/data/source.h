/* SPDX-License-Identifier: Apache-2.0
 *
 * A source is where a pipeline begins: a capture ring, the link from taps. It is an ops table
 * behind `struct source`, and pushes: when the pipeline (data/pipeline.h) lets it run, it fills the
 * batch and pushes it onwards, as often as it has frames. The functions below call its table, and
 * do nothing where a source has no entry.
 */
#pragma once

#include "base/batch.h"
#include "base/ledger.h"
#include "base/time.h"

struct filter_prog;
struct ring;

/* The way onwards from a source. push() takes the batch through the stages into the sink; then it
 * is empty, and the memory of its frames belongs to the source again. */
struct batch_out {
    struct batch *batch;
    void (*push)(struct batch_out *o);
};

enum source_result {
    SOURCE_DRY = 0,  /* nothing is ready now */
    SOURCE_MORE = 1, /* there may be more at once */
};

struct source {
    const struct source_ops *ops;
};

struct source_ops {
    const char *kind;
    enum ledger_stage counts; /* the ledger's stage in which it counts frames */
    /* Pushes what is ready, about `batches` batches at most. An enum source_result, or -errno when
     * the source is broken. */
    int (*run)(struct source *s, struct batch_out *o, unsigned batches, struct mono now);
    /* When it wants to run again though its descriptor is silent; {0}: it does not. May be NULL. */
    struct mono (*due)(const struct source *s);
    /* To poll for POLLIN; -1: there is none now. */
    int (*fd)(const struct source *s);
    void (*free)(struct source *s);
    /* These may be NULL. */
    void (*swap)(struct source *s, struct ring *ring);
    void (*renew)(struct source *s, struct ring *ring, uint64_t known, struct mono now);
    int (*filter)(struct source *s, const struct filter_prog *prog);
    void (*stop)(struct source *s);
    bool (*drained)(struct source *s);
    void (*count)(struct source *s);
    uint64_t (*room)(const struct source *s);
    int (*error)(struct source *s);
};

/* The interface has another ring now, which is taken over; NULL: it has none. The frames of the one
 * before are to be read before; what cannot be is counted. */
void source_swap(struct source *s, struct ring *ring);
/* The interface has a second ring, which is taken over. It captures already, and takes the place of
 * the one in use, a moment later, if that has still accepted no more than `known` frames
 * (LEDGER_RING_IN); else it is given up. No frame is taken twice or lost by that. */
void source_renew(struct source *s, struct ring *ring, uint64_t known, struct mono now);
/* Frames that it refuses come in no more. 0 or -errno: then the program before stays. */
int source_filter(struct source *s, const struct filter_prog *prog);
/* Takes nothing new from now on; what was taken before can still be read. */
void source_stop(struct source *s);
/* After source_stop(): true once all of that was read. */
bool source_drained(struct source *s);
/* Asks the kernel for its counts; after a run, so that they include what was read. */
void source_count(struct source *s);
/* Bytes of memory for frames that wait to be read; 0: it has none of its own. */
uint64_t source_room(const struct source *s);
/* Takes the error that its descriptor tells of: 0 or -errno. */
int source_error(struct source *s);

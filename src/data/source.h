/* SPDX-License-Identifier: Apache-2.0
 *
 * A source is where a pipeline begins: a capture ring, the link from taps. It is an ops table
 * behind `struct source`, and pushes: when the pipeline (data/pipeline.h) lets it run, it fills the
 * batch and pushes it onwards, as often as it has frames.
 */
#pragma once

#include "base/batch.h"
#include "base/ledger.h"
#include "base/time.h"

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
};

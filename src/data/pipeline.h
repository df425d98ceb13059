/* SPDX-License-Identifier: Apache-2.0
 *
 * The one idea: source -> stages -> sink, moving batches of frames. A tap is a ring, some stages
 * and the link; other commands are the same thing with other ends. One thread runs a pipeline, and
 * what is plugged into it shares nothing with other threads but its ledger.
 *
 * A source or a stage is an ops table; sinks are in data/sink.h. Siblings in this layer meet at
 * these headers only.
 */
#pragma once

#include <stdbool.h>

#include "base/batch.h"
#include "base/ledger.h"
#include "data/sink.h"

struct source {
    const struct source_ops *ops;
};

struct source_ops {
    const char *kind;
    /* Up to BATCH_MAX frames into an empty batch; they stay valid until the next read or release.
     * Returns their number, 0 when nothing is ready now, or -errno when the source is broken. */
    int (*read)(struct source *s, struct batch *b);
    /* The frames of the last batch are no longer needed. */
    void (*release)(struct source *s);
    /* To poll for POLLIN. */
    int (*fd)(const struct source *s);
    void (*free)(struct source *s);
};

struct stage {
    const struct stage_ops *ops;
};

struct stage_ops {
    const char *kind;
    /* Takes frames out of the batch or changes them; counts each that it drops. */
    void (*run)(struct stage *s, struct batch *b);
    /* Instead of run, for a stage out of which more may come than went in, at most one in a
     * pipeline: puts frames into the empty batch `out`, at least one while `in` has some left, and
     * returns true while it is to be called again with the same `in`. */
    bool (*expand)(struct stage *s, struct batch *in, struct batch *out);
    void (*free)(struct stage *s);
};

enum {
    PIPELINE_STAGES = 8,
    PIPELINE_BATCHES = 256, /* in one run, so that commands are not kept waiting */
};

struct pipeline {
    struct source *source;
    struct stage *stage[PIPELINE_STAGES]; /* in order; NULL ends the list */
    struct sink *sink;
    struct batch batch, expanded;
    unsigned most; /* batches in one run, where that must be short; 0: PIPELINE_BATCHES */
};

/* Moves what is ready: batch after batch until the source is dry or PIPELINE_BATCHES were moved,
 * then flushes the sink. Returns true when there may be more at once. *ret_error gets a broken
 * source's -errno, else 0. */
bool pipeline_run(struct pipeline *p, int *ret_error);

/* Keeps the frames for which `keep` is true, in order; returns how many went. For stages. */
static inline uint32_t batch_filter(struct batch *b, bool (*keep)(const struct frame *, void *),
                                    void *user)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < b->n; i++) {
        if (keep(&b->f[i], user)) {
            if (kept != i) {
                b->f[kept] = b->f[i];
            }
            kept++;
        }
    }
    uint32_t gone = b->n - kept;
    b->n = kept;
    return gone;
}

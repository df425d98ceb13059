/* SPDX-License-Identifier: Apache-2.0
 *
 * A stage stands between source and sink: it takes frames out of a batch or changes them, and
 * counts each that it drops. It is an ops table behind `struct stage`; the pipeline
 * (data/pipeline.h) calls it, at a tap and at a collector alike.
 */
#pragma once

#include <stdbool.h>

#include "base/batch.h"

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

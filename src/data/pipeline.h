/* SPDX-License-Identifier: Apache-2.0
 *
 * The one idea: source -> stages -> sink, moving batches of frames. A tap is a ring, some stages
 * and the link's sending end; a collector is the link's receiving end and a fan of outputs. One
 * thread runs a pipeline, and what is plugged into it shares nothing with other threads but its
 * ledgers. This is the only place that moves a batch.
 *
 * A capture (node/capture.c) runs the tap's, a receiver (link/receive/receiver.c) the collector's.
 */
#pragma once

#include "data/sink.h"
#include "data/source.h"
#include "data/stage.h"

enum {
    PIPELINE_STAGES = 8,
    PIPELINE_BATCHES = 256, /* in one run, so that commands are not kept waiting */
};

struct pipeline {
    struct source *source;
    struct stage *stage[PIPELINE_STAGES]; /* in order; NULL ends the list */
    struct sink *sink;
    struct batch_out out; /* for the source */
    struct batch batch, expanded;
};

/* To be called once the parts are plugged in, and before the first run. The pipeline must not move
 * in memory from then on. */
void pipeline_init(struct pipeline *p);

/* Lets the source run once, for `batches` batches at most. Its result, an enum source_result or
 * -errno. */
int pipeline_run(struct pipeline *p, unsigned batches, struct mono now);

/* What the sink has buffered goes onwards. */
void pipeline_flush(struct pipeline *p);

/* Frees what is plugged in, parts that are missing excepted. */
void pipeline_done(struct pipeline *p);

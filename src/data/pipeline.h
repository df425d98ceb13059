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
#include "data/stage_list.h"

enum {
    PIPELINE_STAGES = STAGE_LIST_MAX + 8,
    PIPELINE_BATCHES = 256, /* in one run, so that commands are not kept waiting */
};

struct pipeline {
    struct source *source;
    struct stage *stage[PIPELINE_STAGES]; /* in order */
    unsigned n_stages;
    struct sink *sink;
    struct ledger_way way; /* the ledger's stages that frames pass here, in their order */
    struct pass pass;      /* of the batch under way */
    struct batch_out out;  /* for the source */
    struct batch batch, expanded;
    unsigned users_at, n_users; /* of the stages, the user's */
    bool counts_passed;         /* behind them frames count … */
    enum ledger_id passed_row;  /* … here */
};

/* Makes the stages that stand at this end, between a source and a sink that are plugged in and that
 * it owns from now on, also on failure. The ledgers are borrowed (struct pass). Before the first
 * run; the pipeline must not move in memory afterwards. 0, -ENOMEM, or a stage's -errno:
 * pipeline_done is due all the same. */
int pipeline_init(struct pipeline *p, enum stage_end end, const struct stage_conf *conf,
                  const struct pass *ledgers);

/* Has the user's stages replaced, between two runs, where the wishes said that this may come
 * (stage_conf.restage). -ENOMEM: they stay as they were. The list outlives its use here. */
int pipeline_restage(struct pipeline *p, enum stage_end end, const struct stage_list *list);

/* Lets the source run once, for `batches` batches at most, and then stages whose time has come. The
 * source's result: an enum source_result or -errno. */
int pipeline_run(struct pipeline *p, unsigned batches, struct mono now);

/* The sink's buffers go onwards. */
void pipeline_flush(struct pipeline *p);

/* When source or stages want to run though the source's descriptor is silent; {0}: never. */
struct mono pipeline_due(const struct pipeline *p);

/* How many milliseconds to sleep until then, no more than `most`. */
int pipeline_wait(const struct pipeline *p, struct mono now, int most);

/* The stage of that kind, or NULL where this end has none. */
struct stage *pipeline_stage(const struct pipeline *p, enum stage_kind kind);
/* Gives it another configuration. -ENOENT: there is none; -ENOTSUP: it has nothing to be set. */
int pipeline_set(struct pipeline *p, enum stage_kind kind, const void *conf);

/* Frees what is plugged in; parts may be missing. */
void pipeline_done(struct pipeline *p);

/* SPDX-License-Identifier: Apache-2.0
 *
 * A stage stands between source and sink: it takes frames out of a batch or changes them, and
 * counts each that it drops. It is an ops table behind `struct stage`, usable at a tap and at a
 * collector; the pipeline (data/pipeline.h) makes the stages of its end, from the list in
 * base/stages.h, and calls them.
 */
#pragma once

#include <stdbool.h>

#include "base/batch.h"
#include "base/history.h"
#include "base/ledger.h"
#include "base/stages.h"
#include "base/time.h"

enum stage_end {
    STAGE_AT_TAP = 1,
    STAGE_AT_COLLECTOR = 2,
    STAGE_AT_BOTH = STAGE_AT_TAP | STAGE_AT_COLLECTOR,
};

enum stage_kind {
#define OWN(ID, name, ends, counts) STAGE_##ID,
#define DROPS(X, ID, name, ends, code, words) STAGE_##ID,
    STAGE_LIST(OWN, DROPS, )
#undef OWN
#undef DROPS
        STAGE_KINDS
};

/* A batch's way through the stages. */
struct pass {
    struct mono now;
    struct ledger *const *ledger; /* by frame.point, … */
    uint32_t n;                   /* … for points below this; NULL entries: as for the others */
    struct ledger *common;        /* of all other frames: at a tap, of all */
    /* Takes an event for the history, in words for people (HISTORY_WORDS bytes at most); bounded,
     * and not for each frame. */
    void (*event)(void *user, enum history_kind kind, const char *words);
    void *user;
};

/* The ledger in which a frame counts. */
static inline struct ledger *pass_ledger(const struct pass *p, const struct frame *f)
{
    struct ledger *l = f->point < p->n ? p->ledger[f->point] : NULL;
    return l ? l : p->common;
}

struct stage {
    const struct stage_ops *ops;
    enum stage_kind kind;
    enum ledger_id dropped; /* its row at this end, where the list says that it has one */
};

struct stage_ops {
    /* Takes frames out of the batch or changes them; counts each that it drops. */
    void (*run)(struct stage *s, struct batch *b, const struct pass *p);
    /* Instead of run, for a stage out of which more may come than went in, at most one in a
     * pipeline: puts frames into the empty batch `out`, at least one while `in` has some left, and
     * returns true while it is to be called again with the same `in`. */
    bool (*expand)(struct stage *s, struct batch *in, struct batch *out, const struct pass *p);
    /* When it wants to run again, with an empty batch if there is no other; {0}: it does not. May
     * be NULL. */
    struct mono (*due)(const struct stage *s);
    /* Takes another configuration, of a type of its own, between batches; copied. 0 or -errno: then
     * the one before stays. May be NULL. */
    int (*set)(struct stage *s, const void *conf);
    void (*free)(struct stage *s);
};

/* The wishes of whoever builds a pipeline; each stage takes those that concern it. */
struct stage_conf {
    bool take_links;  /* other links' datagrams are captured */
    bool keep_super;  /* super-packets are not cut */
    uint32_t snaplen; /* 0: whole frames */
};

/* Makes a stage, whose head the pipeline fills. -ENOMEM. */
#define OWN(ID, name, ends, counts)                                                                \
    int name##_stage_new(const struct stage_conf *conf, struct stage **ret);
#define DROPS(X, ID, name, ends, code, words)                                                      \
    int name##_stage_new(const struct stage_conf *conf, struct stage **ret);
STAGE_LIST(OWN, DROPS, )
#undef OWN
#undef DROPS

/* Counts a frame that the stage drops, where the list gives it a row. */
static inline void stage_count_drop(const struct stage *s, const struct pass *p,
                                    const struct frame *f)
{
    ledger_add(pass_ledger(p, f), s->dropped, 1);
}

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

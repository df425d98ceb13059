/* SPDX-License-Identifier: Apache-2.0
 *
 * A stage stands between source and sink: it takes frames out of a batch or changes them, and
 * counts each that it drops. It is an ops table behind `struct stage`, usable at a tap and at a
 * collector; the pipeline (data/pipeline.h) makes the stages of its end, from the list in
 * base/stages.h, and calls them.
 */
#pragma once

#include <stdbool.h>
#include <stdlib.h>

#include "base/batch.h"
#include "base/error.h"
#include "base/history.h"
#include "base/ledger.h"
#include "base/stages.h"
#include "base/time.h"
#include "data/limit.h"

enum stage_end {
    STAGE_AT_TAP = 1,
    STAGE_AT_COLLECTOR = 2,
    STAGE_AT_BOTH = STAGE_AT_TAP | STAGE_AT_COLLECTOR,
    STAGE_AT_METER = 4, /* of interfaces */
    STAGE_AT_CAPTURE = STAGE_AT_TAP | STAGE_AT_METER,
    STAGE_AT_FILE = 8, /* a meter of a file: has none of its own */
};

enum stage_kind {
#define OWN(ID, name, ends, counts) STAGE_##ID,
#define USER(X, ID, name, kind, code, key, words, form, help) STAGE_##ID,
    STAGE_LIST(OWN, USER, )
#undef OWN
#undef USER
        STAGE_KINDS
};

struct align_point;

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
    struct align_point *const *align; /* by frame.point, as `ledger`; NULL: there are none */
    bool plain;                       /* none of the user's stages stands in the pipeline */
    const uint16_t
        *linktype; /* by frame.point (proto/packet.h); NULL: all have an Ethernet header */
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
    enum ledger_id counts; /* its row at this end, where it is one of USER */
};

struct stage_list;

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
    bool take_links;               /* other links' datagrams are captured */
    bool keep_super;               /* super-packets are not cut */
    uint32_t snaplen;              /* 0: whole frames */
    const struct stage_list *list; /* of the user's stages; NULL: none */
    bool restage;                  /* they may be replaced later */
    bool align;                    /* times are to be those of the collector's clock */
    struct limit_view *limit;      /* of the sending end behind the stages; NULL: there is none */
};

/* NAME_stage_new: makes a stage, whose head the pipeline fills. -ENOMEM. A stage of USER is made of
 * what NAME_stage_read has read, which outlives it: of a block for free(), out of the words behind
 * the stage's name ("": none). -EINVAL with a sentence that says what they have to be; -ENOMEM. One
 * of OWN leaves *ret NULL where the wishes need none. */
#define OWN(ID, name, ends, counts)                                                                \
    int name##_stage_new(const struct stage_conf *conf, struct stage **ret);
#define USER(X, ID, name, kind, code, key, words, form, help)                                      \
    int name##_stage_read(const char *text, void **ret, struct error *err);                        \
    int name##_stage_new(const void *wish, struct stage **ret);
STAGE_LIST(OWN, USER, )
#undef OWN
#undef USER

/* Counts the frames of a batch that a stage of USER drops or changes, most of which count in one
 * ledger: zeros to begin with, and stage_tally_end after the batch. */
struct stage_tally {
    struct ledger *ledger;
    uint64_t n;
};

static inline void stage_tally_end(struct stage_tally *t, const struct stage *s)
{
    if (t->n > 0) {
        ledger_add(t->ledger, s->counts, t->n);
    }
    *t = (struct stage_tally){0};
}

static inline void stage_tally(struct stage_tally *t, const struct stage *s, const struct pass *p,
                               const struct frame *f)
{
    struct ledger *l = pass_ledger(p, f);
    if (l != t->ledger) {
        stage_tally_end(t, s);
        t->ledger = l;
    }
    t->n++;
}

/* Keeps the frames for which `keep` is true, in order; returns how many went. */
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

/* A batch on its way through stage_filter. */
struct stage_sieve {
    struct stage *stage;
    const struct pass *pass;
    bool (*keep)(const struct frame *, void *stage);
    struct stage_tally tally;
};

static inline bool stage_sieve_keep(const struct frame *f, void *sieve)
{
    struct stage_sieve *v = sieve;
    const bool kept = v->keep(f, v->stage);
    if (!kept) {
        stage_tally(&v->tally, v->stage, v->pass, f);
    }
    return kept;
}

/* The run() of a stage of USER that only drops: keeps the frames for which `keep` is true of the
 * stage, in order, and counts the others. */
static inline void stage_filter(struct stage *s, struct batch *b, const struct pass *p,
                                bool (*keep)(const struct frame *, void *stage))
{
    struct stage_sieve v = {.stage = s, .pass = p, .keep = keep};
    (void)batch_filter(b, stage_sieve_keep, &v);
    stage_tally_end(&v.tally, s);
}

/* The free() of a stage that is one block of memory and owns no other. */
static inline void stage_free(struct stage *s)
{
    free(s);
}

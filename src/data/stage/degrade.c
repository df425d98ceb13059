/* SPDX-License-Identifier: Apache-2.0
 *
 * The stage that takes something off the frames of a tap with a limit, where more is wished than
 * may leave. It stands last: what passes here is sent, sooner or later.
 *
 * Frames are taken down to the step on which the tap's ladder stands (model/ladder.h): cut behind
 * their headers, kept by their flow, told in flow records, or counted only. For that each frame is
 * looked at, and what it would cost on each step is added up, also of frames that go; but not while
 * nothing is taken off and next to nothing waits.
 *
 * The last resort: where the queue before the rate is full (data/limit.h), the newest frames are
 * dropped. Behind an outage more than that may wait, and no frame is dropped for it before it can
 * leave; then new frames pass for half of what leaves, so that the rest shrinks. Of the queue's
 * room a quarter is for frames that are to be kept whole, where there are any.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "data/flow.h"
#include "data/match.h"
#include "data/stage.h"
#include "model/flowcost.h"

enum {
    LOOK_PART = 4, /* frames are looked at where more than this part of the room is full */
    KEEP_PART = 4, /* of the room is for frames that stay whole */
};

struct degrade_stage {
    struct stage stage;
    struct limit_view *view;
    uint64_t left;                   /* as the view had it last */
    uint64_t credit;                 /* bytes that may come though too many wait */
    uint64_t coming;                 /* bytes of this batch that passed */
    uint32_t packed;                 /* the step of this batch, … */
    struct ladder_step step;         /* … and unpacked */
    bool looks;                      /* at each frame of it */
    uint8_t rung;                    /* of the next frame that passes */
    uint64_t came[2][LIMIT_CLASSES]; /* in this batch */
    struct ledger *ledger;
    const struct filter_prog *keep; /* of this batch; NULL: none */
    bool tells;                     /* flow records are a step, and their cost is looked at now */
    struct flowcost *cost;          /* of flow records; NULL: it was not wanted yet */
    uint64_t told;                  /* bytes of these in this batch */
    struct batch metered;           /* frames of this batch that are told in flow records */
    uint8_t room[FRAME_LEN_MAX];    /* for a frame that is in pieces; only what is used is memory */
};

/* May a frame of that cost come in? */
static bool has_room(struct degrade_stage *d, uint64_t cost, bool kept)
{
    const struct limit_view *v = d->view;
    uint64_t room = d->keep && !kept ? v->room - v->room / KEEP_PART : v->room;
    uint64_t fill = v->waiting + d->coming;
    if (v->out || fill == 0 || fill + cost <= room) {
        return true;
    }
    if (v->waiting <= v->room || d->credit < cost) {
        return false;
    }
    d->credit -= cost;
    return true;
}

/* The class of a frame's flow, and the bytes up to the end of its headers. */
static unsigned look(struct degrade_stage *d, const struct frame *f, uint32_t *ret_headers)
{
    uint8_t room[INNER_SCRATCH];
    struct inner in;
    flow_walk(f, room, &in);
    const uint64_t hash = flow_hash(&in, d->view->plan->key);
    const unsigned zeros = hash ? (unsigned)__builtin_clzll(hash) : LIMIT_CLASSES;
    *ret_headers = MIN(f->caplen, flow_headers(&in));
    if (d->tells) {
        d->told += limit_bytes(d->view, flowcost_frame(d->cost, hash));
    }
    return MIN(zeros, LIMIT_CLASSES - 1u);
}

static bool drop(const struct degrade_stage *d, uint64_t cost, enum ledger_id reason)
{
    d->view->dropped += cost;
    ledger_add(d->ledger, reason, 1);
    return false;
}

/* Takes the frame down to the step; false: it goes. *cost becomes what it costs then. */
static bool degrade(struct degrade_stage *d, struct frame *f, bool kept, uint64_t *cost)
{
    uint32_t headers;
    const unsigned class = kept ? LIMIT_CLASSES - 1 : look(d, f, &headers);
    const uint64_t whole = *cost, less = kept ? whole : limit_cost(d->view, headers);
    d->came[0][class] += whole;
    d->came[1][class] += less;
    d->told += kept ? whole : 0;
    if (d->step.count) {
        return drop(d, whole, LEDGER_LIM_COUNTED);
    }
    if (d->step.flows && !kept) {
        d->view->dropped += whole;
        d->metered.f[d->metered.n++] = *f;
        return false;
    }
    if (class < d->step.halvings) {
        return drop(d, whole, LEDGER_LIM_SAMPLED);
    }
    if (!kept && d->step.halvings > 0) {
        frame_multiply(f, 1u << d->step.halvings);
    }
    if (!kept && (d->step.headers || f->full > 0) && f->caplen > headers) {
        f->caplen = headers;
        f->full = 0;
        d->view->dropped += whole - less;
        *cost = less;
        ledger_add(d->ledger, LEDGER_LIM_SLICED, 1);
    }
    return true;
}

static bool take(struct degrade_stage *d, struct frame *f)
{
    uint64_t cost = limit_cost(d->view, MAX(f->caplen, f->full));
    bool kept = d->keep && f->full == 0 && match_frame(d->keep, f, d->room);
    bool looks = d->looks || f->full > 0; /* the step may be another one than at `cut` */
    if (looks && !degrade(d, f, kept, &cost)) {
        return false;
    }
    if (!looks) {
        d->came[0][LIMIT_CLASSES - 1] += cost;
        d->came[1][LIMIT_CLASSES - 1] += cost;
    }
    if (!has_room(d, cost, kept)) {
        return drop(d, cost, LEDGER_LIM_FULL);
    }
    d->coming += cost;
    f->rung = d->rung;
    d->rung = 0;
    return true;
}

/* How this batch is dealt with. */
static void begin(struct degrade_stage *d, struct ledger *ledger)
{
    const struct limit_view *v = d->view;
    const bool ladder = v->plan && atomic_load_explicit(&v->plan->ladder, memory_order_relaxed);
    const uint32_t packed = limit_step(v);
    d->keep = limit_keep(v);
    d->credit = v->waiting > v->room ? MIN(d->credit + (v->left - d->left) / 2, v->room) : 0;
    d->left = v->left;
    d->coming = 0;
    d->rung = packed != d->packed ? (uint8_t)(LIMIT_RUNG | packed) : d->rung;
    d->packed = packed;
    d->step = limit_unpack(packed);
    d->looks = ladder && (packed != 0 || v->waiting > v->room / LOOK_PART);
    d->ledger = ledger;
    d->metered.n = 0;
}

/* Flow records cost something as time passes. */
static void look_at_cost(struct degrade_stage *d, struct mono now)
{
    const struct limit_plan *plan = d->view->plan;
    const bool wanted =
        d->looks && plan && atomic_load_explicit(&plan->flows, memory_order_relaxed);
    if (wanted && !d->cost) {
        d->cost = flowcost_new();
    }
    d->tells = wanted && d->cost;
    if (d->tells) {
        d->told += limit_bytes(d->view, flowcost_due(d->cost, now));
    }
}

/* Frames of no flow, and all where there is no meter, are counted only. */
static void meter(struct degrade_stage *d)
{
    struct sink *m = d->view->meter;
    uint64_t told = 0;
    if (d->metered.n == 0) {
        return;
    }
    if (m) {
        const struct ledger *l = sink_ledger(m, 0);
        told = ledger_get(l, LEDGER_MET_OUT);
        m->ops->write(m, &d->metered);
        told = ledger_get(l, LEDGER_MET_OUT) - told;
    }
    ledger_add(d->ledger, LEDGER_LIM_METERED, told);
    ledger_add(d->ledger, LEDGER_LIM_COUNTED, d->metered.n - told);
}

/* Makes what came known to the ladder. */
static void publish(struct degrade_stage *d)
{
    struct limit_plan *plan = d->view->plan;
    for (unsigned k = 0; plan && k < 2 * LIMIT_CLASSES; k++) {
        uint64_t *came = &d->came[k / LIMIT_CLASSES][k % LIMIT_CLASSES];
        if (*came > 0) {
            atomic_fetch_add_explicit(&plan->came[k / LIMIT_CLASSES][k % LIMIT_CLASSES], *came,
                                      memory_order_relaxed);
            *came = 0;
        }
    }
    if (plan && d->told > 0) {
        atomic_fetch_add_explicit(&plan->told, d->told, memory_order_relaxed);
        d->told = 0;
    }
}

static void degrade_run(struct stage *s, struct batch *b, const struct pass *p)
{
    struct degrade_stage *d = (struct degrade_stage *)s;
    uint32_t kept = 0;
    begin(d, p->common);
    look_at_cost(d, p->now);
    for (uint32_t i = 0; i < b->n; i++) {
        if (take(d, &b->f[i])) {
            if (kept != i) {
                b->f[kept] = b->f[i];
            }
            kept++;
        }
    }
    b->n = kept;
    meter(d);
    ledger_add(p->common, LEDGER_LIM_OUT, kept);
    publish(d);
}

static void degrade_free(struct stage *s)
{
    flowcost_free(((struct degrade_stage *)s)->cost);
    free(s);
}

static const struct stage_ops ops = {
    .run = degrade_run,
    .free = degrade_free,
};

int degrade_stage_new(const struct stage_conf *conf, struct stage **ret)
{
    if (!conf->limit) {
        return 0;
    }
    struct degrade_stage *d = calloc(1, sizeof(*d));
    if (!d) {
        return -ENOMEM;
    }
    d->stage.ops = &ops;
    d->view = conf->limit;
    *ret = &d->stage;
    return 0;
}

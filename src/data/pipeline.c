/* SPDX-License-Identifier: Apache-2.0 */
#include "data/pipeline.h"

#include <errno.h>

#include "base/cleanup.h"

/* ---- the list of stages ---- */

struct row {
    unsigned ends;
    int (*make)(const struct stage_conf *conf, struct stage **ret);
    bool own;                 /* it counts in a stage of the ledger of its own, … */
    enum ledger_stage counts; /* … this one; else in: */
    enum ledger_id dropped[2];
};

static const struct row rows[STAGE_KINDS] = {
#define OWN(ID, name, ends, counts)                                                                \
    [STAGE_##ID] = {STAGE_AT_##ends, name##_stage_new, true, LEDGER_##counts, {0}},
#define DROPS(X, ID, name, ends, code, words)                                                      \
    [STAGE_##ID] = {STAGE_AT_##ends,                                                               \
                    name##_stage_new,                                                              \
                    false,                                                                         \
                    LEDGER_STAGES,                                                                 \
                    {LEDGER_ST_##ID, LEDGER_SR_##ID}},
    STAGE_LIST(OWN, DROPS, )
#undef OWN
#undef DROPS
};

static void add_to_way(struct pipeline *p, enum ledger_stage stage)
{
    if (p->way.n == 0 || p->way.at[p->way.n - 1] != stage) {
        p->way.at[p->way.n++] = (uint8_t)stage;
    }
}

static int add_stage(struct pipeline *p, enum stage_end end, enum stage_kind kind,
                     const struct stage_conf *conf)
{
    const struct row *row = &rows[kind];
    const bool tap = end == STAGE_AT_TAP;
    if (p->n_stages == PIPELINE_STAGES) {
        return -ENOMEM;
    }
    int r = row->make(conf, &p->stage[p->n_stages]);
    if (r < 0) {
        return r;
    }
    struct stage *s = p->stage[p->n_stages++];
    s->kind = kind;
    s->dropped = row->dropped[tap ? 0 : 1];
    if (!row->own) {
        p->passed_at = p->n_stages;
        p->passed_row = tap ? LEDGER_ST_OUT : LEDGER_SR_OUT;
    }
    add_to_way(p, row->own ? row->counts : tap ? LEDGER_STAGES : LEDGER_STAGES_RX);
    return 0;
}

/* ---- batches ---- */

/* Frames that stages without a ledger's stage of their own have let through. */
static void count_passed(const struct pipeline *p, const struct batch *b)
{
    for (uint32_t i = 0; i < b->n; i++) {
        ledger_add(pass_ledger(&p->pass, &b->f[i]), p->passed_row, 1);
    }
}

/* The stages from number `i` on, then the sink. */
static void through(struct pipeline *p, unsigned i, struct batch *b)
{
    for (; i < p->n_stages; i++) {
        struct stage *s = p->stage[i];
        if (s->ops->expand) {
            bool more = true;
            while (more) {
                p->expanded.n = 0;
                more = s->ops->expand(s, b, &p->expanded, &p->pass);
                through(p, i + 1, &p->expanded);
            }
            return;
        }
        s->ops->run(s, b, &p->pass);
        if (i + 1 == p->passed_at) {
            count_passed(p, b);
        }
    }
    p->sink->ops->write(p->sink, b);
}

static void push(struct batch_out *o)
{
    struct pipeline *p = CONTAINER_OF(o, struct pipeline, out);
    through(p, 0, &p->batch);
    p->batch.n = 0;
}

static struct mono stage_due(const struct stage *s)
{
    return s->ops->due ? s->ops->due(s) : (struct mono){0};
}

int pipeline_run(struct pipeline *p, unsigned batches, struct mono now)
{
    p->pass.now = now;
    int r = p->source->ops->run(p->source, &p->out, batches, now);
    for (unsigned i = 0; i < p->n_stages; i++) {
        struct stage *s = p->stage[i];
        struct mono due = stage_due(s);
        if (due.ns && mono_due(now, due)) {
            s->ops->run(s, &p->batch, &p->pass);
        }
    }
    return r;
}

void pipeline_flush(struct pipeline *p)
{
    p->sink->ops->flush(p->sink);
}

struct mono pipeline_due(const struct pipeline *p)
{
    struct mono first = p->source->ops->due ? p->source->ops->due(p->source) : (struct mono){0};
    for (unsigned i = 0; i < p->n_stages; i++) {
        struct mono due = stage_due(p->stage[i]);
        first = due.ns && (!first.ns || due.ns < first.ns) ? due : first;
    }
    return first;
}

int pipeline_wait(const struct pipeline *p, struct mono now, int most)
{
    struct mono due = pipeline_due(p);
    int64_t left = due.ns ? mono_diff(due, now) / NSEC_PER_MSEC + 1 : most;
    return left < 0 ? 0 : (int)MIN(left, most);
}

/* ---- its life ---- */

int pipeline_init(struct pipeline *p, enum stage_end end, const struct stage_conf *conf,
                  const struct pass *ledgers)
{
    int r = 0;
    p->out = (struct batch_out){&p->batch, push};
    p->pass = *ledgers;
    add_to_way(p, p->source->ops->counts);
    for (unsigned kind = 0; r == 0 && kind < STAGE_KINDS; kind++) {
        r = rows[kind].ends & end ? add_stage(p, end, (enum stage_kind)kind, conf) : 0;
    }
    add_to_way(p, p->sink->ops->counts);
    return r;
}

struct stage *pipeline_stage(const struct pipeline *p, enum stage_kind kind)
{
    for (unsigned i = 0; i < p->n_stages; i++) {
        if (p->stage[i]->kind == kind) {
            return p->stage[i];
        }
    }
    return NULL;
}

int pipeline_set(struct pipeline *p, enum stage_kind kind, const void *conf)
{
    struct stage *s = pipeline_stage(p, kind);
    if (!s || !s->ops->set) {
        return s ? -ENOTSUP : -ENOENT;
    }
    return s->ops->set(s, conf);
}

void pipeline_done(struct pipeline *p)
{
    if (p->source) {
        p->source->ops->free(p->source);
    }
    for (unsigned i = 0; i < p->n_stages; i++) {
        p->stage[i]->ops->free(p->stage[i]);
    }
    sink_free(p->sink);
    *p = (struct pipeline){0};
}

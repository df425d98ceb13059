/* SPDX-License-Identifier: Apache-2.0 */
#include "data/pipeline.h"

#include <errno.h>

#include "base/cleanup.h"

/* ---- the list of stages ---- */

struct row {
    unsigned ends; /* 0: where the user wants it */
    int (*make)(const struct stage_conf *conf, struct stage **ret);
    enum ledger_stage counts;
    enum ledger_id row[2]; /* of one of these, at a tap or meter, and at a collector */
};

static const struct row rows[STAGE_KINDS] = {
#define OWN(ID, name, ends, counts)                                                                \
    [STAGE_##ID] = {STAGE_AT_##ends, name##_stage_new, LEDGER_##counts, {0}},
#define USER(X, ID, name, kind, code, key, words, form, help)                                      \
    [STAGE_##ID] = {0, NULL, LEDGER_STAGES, {LEDGER_ST_##ID, LEDGER_SR_##ID}},
    STAGE_LIST(OWN, USER, )
#undef OWN
#undef USER
};

static void add_to_way(struct pipeline *p, enum ledger_stage stage)
{
    if (p->way.n == 0 || p->way.at[p->way.n - 1] != stage) {
        p->way.at[p->way.n++] = (uint8_t)stage;
    }
}

static void add_stage(struct pipeline *p, enum stage_kind kind, struct stage *s)
{
    s->kind = kind;
    p->stage[p->n_stages++] = s;
}

static int add_own(struct pipeline *p, enum stage_kind kind, const struct stage_conf *conf)
{
    struct stage *s = NULL;
    int r = p->n_stages < PIPELINE_STAGES ? rows[kind].make(conf, &s) : -ENOMEM;
    if (s) {
        add_stage(p, kind, s);
        add_to_way(p, rows[kind].counts);
    }
    return r;
}

static void free_stages(struct stage **s, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        s[i]->ops->free(s[i]);
    }
}

/* Makes the user's stages, in the user's order; none on failure. */
static int make_users(enum stage_end end, const struct stage_list *list,
                      struct stage *ret[STAGE_LIST_MAX])
{
    for (unsigned i = 0; i < list->n; i++) {
        const struct row *row = &rows[list->spec[i].kind];
        int r = stage_list_make(&list->spec[i], &ret[i]);
        if (r < 0) {
            free_stages(ret, i);
            return r;
        }
        ret[i]->kind = list->spec[i].kind;
        ret[i]->counts = row->row[end & STAGE_AT_COLLECTOR ? 1 : 0];
    }
    return 0;
}

/* Their place is behind the stages that there are now. */
static int add_users(struct pipeline *p, enum stage_end end, const struct stage_conf *conf)
{
    static const struct stage_list none;
    const struct stage_list *list = conf->list ? conf->list : &none;
    const bool rx = end & STAGE_AT_COLLECTOR;
    int r = make_users(end, list, &p->stage[p->n_stages]);
    if (r < 0) {
        return r;
    }
    p->users_at = p->n_stages;
    p->n_users = list->n;
    p->pass.plain = list->n == 0;
    p->n_stages += list->n;
    p->counts_passed = list->n > 0 || conf->restage;
    p->passed_row = rx ? LEDGER_SR_OUT : LEDGER_ST_OUT;
    if (p->counts_passed) {
        add_to_way(p, rx ? LEDGER_STAGES_RX : LEDGER_STAGES);
    }
    return 0;
}

int pipeline_restage(struct pipeline *p, enum stage_end end, const struct stage_list *list)
{
    struct stage *made[STAGE_LIST_MAX];
    int r = make_users(end, list, made);
    if (r < 0) {
        return r;
    }
    struct stage *behind[PIPELINE_STAGES];
    unsigned n = 0;
    free_stages(&p->stage[p->users_at], p->n_users);
    for (unsigned i = p->users_at + p->n_users; i < p->n_stages; i++) {
        behind[n++] = p->stage[i];
    }
    p->n_stages = p->users_at;
    p->n_users = list->n;
    p->pass.plain = list->n == 0;
    for (unsigned i = 0; i < list->n; i++) {
        p->stage[p->n_stages++] = made[i];
    }
    for (unsigned i = 0; i < n; i++) {
        p->stage[p->n_stages++] = behind[i];
    }
    return 0;
}

/* ---- batches ---- */

/* Frames that the user's stages have let through. */
static void count_passed(const struct pipeline *p, const struct batch *b)
{
    if (p->pass.n == 0) {
        ledger_add(p->pass.common, p->passed_row, b->n);
        return;
    }
    for (uint32_t i = 0; i < b->n; i++) {
        ledger_add(pass_ledger(&p->pass, &b->f[i]), p->passed_row, 1);
    }
}

/* The stages from number `i` on, then the sink. */
static void through(struct pipeline *p, unsigned i, struct batch *b)
{
    for (;; i++) {
        if (p->counts_passed && i == p->users_at + p->n_users) {
            count_passed(p, b);
        }
        if (i == p->n_stages) {
            break;
        }
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
        first = mono_earlier(first, stage_due(p->stage[i]));
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
    bool users = false;
    for (unsigned kind = 0; r == 0 && kind < STAGE_KINDS; kind++) {
        if (rows[kind].ends & end) {
            r = add_own(p, (enum stage_kind)kind, conf);
        } else if (rows[kind].ends == 0 && !users) {
            r = add_users(p, end, conf);
            users = true;
        }
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
    free_stages(p->stage, p->n_stages);
    sink_free(p->sink);
    *p = (struct pipeline){0};
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "data/stage/tunnel.h"

#include <errno.h>
#include <stdlib.h>

#include "proto/ether.h"

struct tunnel_stage {
    struct stage stage;
    bool take_links;
    struct tunnel_conf conf;
    uint64_t long_bytes;
};

struct counts {
    const struct tunnel_stage *stage;
    uint32_t own, foreign;
};

static bool keep(const struct frame *f, void *user)
{
    struct counts *c = user;
    const struct tunnel_stage *t = c->stage;
    if (!t->take_links && !ether_frame_is_link(f)) {
        return true;
    }
    bool own = t->conf.has_flow && ether_frame_is_flow(f, &t->conf.flow);
    c->own += own;
    c->foreign += !own && !t->take_links;
    return !own && t->take_links;
}

static uint64_t long_bytes(const struct batch *b, uint32_t from)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < b->n; i++) {
        sum += b->f[i].origlen >= from ? b->f[i].origlen : 0;
    }
    return sum;
}

static void tunnel_run(struct stage *s, struct batch *b, const struct pass *p)
{
    struct tunnel_stage *t = (struct tunnel_stage *)s;
    struct counts c = {.stage = t};
    (void)batch_filter(b, keep, &c);
    t->long_bytes += long_bytes(b, t->conf.long_from);
    if (t->conf.drop) {
        ledger_add(p->common, LEDGER_SEL_AMPLIFIED, b->n);
        b->n = 0;
    }
    ledger_add(p->common, LEDGER_SEL_TUNNEL, c.own);
    ledger_add(p->common, LEDGER_SEL_FOREIGN, c.foreign);
    ledger_add(p->common, LEDGER_SEL_OUT, b->n);
}

static int tunnel_set(struct stage *s, const void *conf)
{
    ((struct tunnel_stage *)s)->conf = *(const struct tunnel_conf *)conf;
    return 0;
}

static const struct stage_ops ops = {
    .run = tunnel_run,
    .set = tunnel_set,
    .free = stage_free,
};

int tunnel_stage_new(const struct stage_conf *conf, struct stage **ret)
{
    struct tunnel_stage *t = calloc(1, sizeof(*t));
    if (!t) {
        return -ENOMEM;
    }
    t->stage.ops = &ops;
    t->take_links = conf->take_links;
    *ret = &t->stage;
    return 0;
}

uint64_t tunnel_stage_long(const struct stage *s)
{
    return ((const struct tunnel_stage *)s)->long_bytes;
}

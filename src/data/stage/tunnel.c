/* SPDX-License-Identifier: Apache-2.0 */
#include "data/stage/tunnel.h"

#include <errno.h>
#include <stdlib.h>

#include "proto/ether.h"

struct tunnel_stage {
    struct stage stage;
    struct ledger *ledger;
    bool take_links;
    bool set, drop;
    struct ether_flow flow;
    uint32_t long_from;
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
    bool own = t->set && ether_frame_is_flow(f, &t->flow);
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

static void tunnel_run(struct stage *s, struct batch *b)
{
    struct tunnel_stage *t = (struct tunnel_stage *)s;
    struct counts c = {.stage = t};
    (void)batch_filter(b, keep, &c);
    t->long_bytes += long_bytes(b, t->long_from);
    if (t->drop) {
        ledger_add(t->ledger, LEDGER_SEL_AMPLIFIED, b->n);
        b->n = 0;
    }
    ledger_add(t->ledger, LEDGER_SEL_TUNNEL, c.own);
    ledger_add(t->ledger, LEDGER_SEL_FOREIGN, c.foreign);
    ledger_add(t->ledger, LEDGER_SEL_OUT, b->n);
}

static void tunnel_free(struct stage *s)
{
    free(s);
}

static const struct stage_ops ops = {
    .kind = "tunnel",
    .run = tunnel_run,
    .free = tunnel_free,
};

int tunnel_stage_new(bool take_links, struct ledger *ledger, struct stage **ret)
{
    struct tunnel_stage *t = calloc(1, sizeof(*t));
    if (!t) {
        return -ENOMEM;
    }
    t->stage.ops = &ops;
    t->ledger = ledger;
    t->take_links = take_links;
    *ret = &t->stage;
    return 0;
}

void tunnel_stage_set(struct stage *s, const struct ether_flow *flow)
{
    struct tunnel_stage *t = (struct tunnel_stage *)s;
    t->set = flow != NULL;
    if (flow) {
        t->flow = *flow;
    }
}

void tunnel_stage_drop(struct stage *s, bool drop)
{
    ((struct tunnel_stage *)s)->drop = drop;
}

uint64_t tunnel_stage_long(struct stage *s, uint32_t from)
{
    struct tunnel_stage *t = (struct tunnel_stage *)s;
    t->long_from = from;
    return t->long_bytes;
}

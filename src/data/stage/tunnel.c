/* SPDX-License-Identifier: Apache-2.0 */
#include "data/stage/tunnel.h"

#include <errno.h>
#include <stdlib.h>

#include "proto/ether.h"

struct tunnel_stage {
    struct stage stage;
    struct ledger *ledger;
    bool set;
    struct ether_flow flow;
};

static bool is_foreign(const struct frame *f, void *user)
{
    return !ether_frame_is_flow(f, user);
}

static void tunnel_run(struct stage *s, struct batch *b)
{
    struct tunnel_stage *t = (struct tunnel_stage *)s;
    uint32_t gone = t->set ? batch_filter(b, is_foreign, &t->flow) : 0;
    ledger_add(t->ledger, LEDGER_SEL_TUNNEL, gone);
    ledger_add(t->ledger, LEDGER_SEL_OUT, b->n);
}

static void tunnel_free(struct stage *s)
{
    free(s);
}

static const struct stage_ops ops = {
    .kind = "own-tunnel",
    .run = tunnel_run,
    .free = tunnel_free,
};

int tunnel_stage_new(struct ledger *ledger, struct stage **ret)
{
    struct tunnel_stage *t = calloc(1, sizeof(*t));
    if (!t) {
        return -ENOMEM;
    }
    t->stage.ops = &ops;
    t->ledger = ledger;
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

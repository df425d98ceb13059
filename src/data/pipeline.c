/* SPDX-License-Identifier: Apache-2.0 */
#include "data/pipeline.h"

#include "base/cleanup.h"

/* The stages from number `i` on, then the sink. */
static void through(struct pipeline *p, unsigned i, struct batch *b)
{
    for (; i < PIPELINE_STAGES && p->stage[i]; i++) {
        struct stage *s = p->stage[i];
        if (s->ops->run) {
            s->ops->run(s, b);
            continue;
        }
        bool more = true;
        while (more) {
            p->expanded.n = 0;
            more = s->ops->expand(s, b, &p->expanded);
            through(p, i + 1, &p->expanded);
        }
        return;
    }
    p->sink->ops->write(p->sink, b);
}

static void push(struct batch_out *o)
{
    struct pipeline *p = CONTAINER_OF(o, struct pipeline, out);
    through(p, 0, &p->batch);
    p->batch.n = 0;
}

void pipeline_init(struct pipeline *p)
{
    p->out = (struct batch_out){&p->batch, push};
}

int pipeline_run(struct pipeline *p, unsigned batches, struct mono now)
{
    return p->source->ops->run(p->source, &p->out, batches, now);
}

void pipeline_flush(struct pipeline *p)
{
    p->sink->ops->flush(p->sink);
}

void pipeline_done(struct pipeline *p)
{
    if (p->source) {
        p->source->ops->free(p->source);
    }
    for (unsigned i = 0; i < PIPELINE_STAGES && p->stage[i]; i++) {
        p->stage[i]->ops->free(p->stage[i]);
    }
    sink_free(p->sink);
    *p = (struct pipeline){0};
}

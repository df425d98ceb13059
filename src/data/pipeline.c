/* SPDX-License-Identifier: Apache-2.0 */
#include "data/pipeline.h"

/* The stages from number `i` on, then the sink. */
static void push(struct pipeline *p, unsigned i, struct batch *b)
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
            push(p, i + 1, &p->expanded);
        }
        return;
    }
    p->sink->ops->write(p->sink, b);
}

bool pipeline_run(struct pipeline *p, int *ret_error)
{
    unsigned moved = 0, most = p->most ? p->most : (unsigned)PIPELINE_BATCHES;
    int n = 0;
    *ret_error = 0;
    for (; moved < most; moved++) {
        p->batch.n = 0;
        n = p->source->ops->read(p->source, &p->batch);
        if (n <= 0) {
            break;
        }
        push(p, 0, &p->batch);
    }
    p->source->ops->release(p->source);
    p->sink->ops->flush(p->sink);
    *ret_error = n < 0 ? n : 0;
    return n > 0;
}

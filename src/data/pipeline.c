/* SPDX-License-Identifier: Apache-2.0 */
#include "data/pipeline.h"

bool pipeline_run(struct pipeline *p, int *ret_error)
{
    unsigned moved = 0;
    int n = 0;
    *ret_error = 0;
    for (; moved < PIPELINE_BATCHES; moved++) {
        p->batch.n = 0;
        n = p->source->ops->read(p->source, &p->batch);
        if (n <= 0) {
            break;
        }
        for (unsigned i = 0; i < PIPELINE_STAGES && p->stage[i]; i++) {
            p->stage[i]->ops->run(p->stage[i], &p->batch);
        }
        p->sink->ops->write(p->sink, &p->batch);
    }
    p->source->ops->release(p->source);
    p->sink->ops->flush(p->sink);
    *ret_error = n < 0 ? n : 0;
    return n > 0;
}

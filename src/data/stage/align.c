/* SPDX-License-Identifier: Apache-2.0
 *
 * Gives frames times of the collector's clock: takes off what their tap's clock is ahead. Within a
 * point no time is earlier than the one before, and none is later than when the frame had come:
 * where a tap's clock was set, so much is right before its next REPORT tells of it.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "data/align.h"
#include "data/stage.h"

static void tell(struct align_point *p, struct frame *f)
{
    const int64_t us = p->to.bound / 1000 + 1;
    f->clock = (uint8_t)(ALIGN_TELLS | (p->first ? ALIGN_FIRST : 0));
    f->clock_offset = p->to.offset;
    f->clock_bound_us = (uint32_t)MIN(us, (int64_t)UINT32_MAX);
    p->to.tell = p->first = false;
}

static void correct(struct align_point *p, struct frame *f, struct mono now)
{
    int64_t t = align_time(&p->to, f->ts_ns, now);
    t = p->has_last ? MAX(t, p->last) : t;
    p->last = f->ts_ns = t;
    p->has_last = true;
    if (p->to.tell) {
        tell(p, f);
    }
}

static void align_run(struct stage *s, struct batch *b, const struct pass *p)
{
    (void)s;
    for (uint32_t i = 0; i < b->n; i++) {
        struct frame *f = &b->f[i];
        struct align_point *at = p->align && f->point < p->n ? p->align[f->point] : NULL;
        if (at && at->known) {
            correct(at, f, p->now);
        }
    }
}

static const struct stage_ops ops = {.run = align_run, .free = stage_free};

int align_stage_new(const struct stage_conf *conf, struct stage **ret)
{
    if (!conf->align) {
        return 0;
    }
    struct stage *s = calloc(1, sizeof(*s));
    if (!s) {
        return -ENOMEM;
    }
    s->ops = &ops;
    *ret = s;
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "data/source.h"

#include "base/cleanup.h"
#include "data/sources.h"
#include "sys/ring.h"

static int (*const makers[])(const struct source_wishes *w, struct source **ret) = {
#define X(ID, name) name##_source,
    SOURCE_LIST(X)
#undef X
};

int source_make(const struct source_wishes *w, struct source **ret)
{
    int r = 0;
    *ret = NULL;
    for (unsigned i = 0; r == 0 && !*ret && i < ARRAY_SIZE(makers); i++) {
        r = makers[i](w, ret);
    }
    return r;
}

void source_swap(struct source *s, struct ring *ring)
{
    if (s->ops->swap) {
        s->ops->swap(s, ring);
    } else {
        ring_free(ring);
    }
}

void source_renew(struct source *s, struct ring *ring, uint64_t known, struct mono now)
{
    if (s->ops->renew) {
        s->ops->renew(s, ring, known, now);
    } else {
        ring_free(ring);
    }
}

int source_filter(struct source *s, const struct filter_prog *prog)
{
    return s->ops->filter ? s->ops->filter(s, prog) : 0;
}

void source_stop(struct source *s)
{
    if (s->ops->stop) {
        s->ops->stop(s);
    }
}

bool source_drained(struct source *s)
{
    return !s->ops->drained || s->ops->drained(s);
}

void source_count(struct source *s)
{
    if (s->ops->count) {
        s->ops->count(s);
    }
}

uint64_t source_room(const struct source *s)
{
    return s->ops->room ? s->ops->room(s) : 0;
}

int source_error(struct source *s)
{
    return s->ops->error ? s->ops->error(s) : 0;
}

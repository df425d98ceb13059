/* SPDX-License-Identifier: Apache-2.0 */
#include "data/meter/streams.h"

#include <stdlib.h>

#include "base/cleanup.h"

void streams_init(struct streams *s, const struct streams_conf *conf)
{
    *s = (struct streams){.conf = *conf};
}

void streams_done(struct streams *s)
{
    for (; s->n > 0; s->n--) {
        free(TAKE_PTR(s->at[s->used[s->n - 1]]));
    }
}

struct stream *streams_of(struct streams *s, const struct flowrec *r)
{
    const struct streams_conf *c = &s->conf;
    const uint32_t place = c->each ? MIN(r->interface, (uint32_t)POINT_MAX) : 0;
    struct stream *st = s->at[place];
    if (!st) {
        st = calloc(1, sizeof(*st));
        if (!st) {
            return NULL;
        }
        encode_init(&st->encode, c->form, c->each ? place : c->source, c->with);
        st->fresh = true;
        s->at[place] = st;
        s->used[s->n++] = (uint16_t)place;
    }
    return st;
}

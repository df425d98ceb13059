/* SPDX-License-Identifier: Apache-2.0 */
#include "data/meter/streams.h"

#include <stdlib.h>
#include <string.h>

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
    for (size_t i = 0; i < ARRAY_SIZE(s->name); i++) {
        free(TAKE_PTR(s->name[i]));
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

bool streams_new_name(struct streams *s, const struct flowrec *r)
{
    if (!r->point || r->interface >= ARRAY_SIZE(s->name)) {
        return false;
    }
    char **name = &s->name[r->interface];
    if (*name && strcmp(*name, r->point) == 0) {
        return false;
    }
    free(*name);
    *name = strdup(r->point);
    return *name != NULL;
}

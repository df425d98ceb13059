/* SPDX-License-Identifier: Apache-2.0 */
#include "control/objects.h"

#include <errno.h>
#include <stdlib.h>

int objects_keep(struct objects *l, const struct object *o)
{
    if (l->n == l->cap) {
        const size_t cap = l->cap ? 2 * l->cap : 8;
        struct object *at = reallocarray(l->at, cap, sizeof(*at));
        if (!at) {
            return -ENOMEM;
        }
        l->at = at;
        l->cap = cap;
    }
    object_init(&l->at[l->n], o->kind);
    const int r = object_copy(&l->at[l->n], o);
    l->n += r == 0;
    return r;
}

void objects_done(struct objects *l)
{
    for (size_t i = 0; i < l->n; i++) {
        object_done(&l->at[i]);
    }
    free(l->at);
    *l = (struct objects){0};
}

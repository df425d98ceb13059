/* SPDX-License-Identifier: Apache-2.0 */
#include "node/own.h"

/* Where it stands; o->n: nowhere. */
static unsigned at(const struct own *o, int index)
{
    unsigned i = 0;
    while (i < o->n && o->index[i] != index) {
        i++;
    }
    return i;
}

bool own_tell(struct own *o, int index)
{
    if (at(o, index) < o->n || o->n == OWN_TOLD) {
        return false;
    }
    o->index[o->n++] = index;
    return true;
}

void own_forget(struct own *o, int index)
{
    unsigned i = at(o, index);
    if (i < o->n) {
        o->index[i] = o->index[--o->n];
    }
}

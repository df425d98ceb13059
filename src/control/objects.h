/* SPDX-License-Identifier: Apache-2.0
 *
 * Copies of objects that are to be changed once a list of the store has been gone through.
 */
#pragma once

#include "model/kind.h"

struct objects {
    struct object *at; /* owned, and so are they */
    size_t n, cap;
};

/* -ENOMEM. */
int objects_keep(struct objects *l, const struct object *o);
void objects_done(struct objects *l);

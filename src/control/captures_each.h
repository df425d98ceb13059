/* SPDX-License-Identifier: Apache-2.0
 *
 * The captures of a store that have ended, or that have not.
 */
#pragma once

#include "control/store.h"

enum {
    CAPTURES_STATES = 3, /* of each of the two */
};

enum captures_which {
    CAPTURES_ACTIVE, /* scheduled, running, finishing */
    CAPTURES_ENDED,  /* done, failed, cancelled */
};

/* A query of each of their states, with further filters (NULL: none), in the order of ids. It
 * points into itself: it stays where it was made. */
struct captures_queries {
    struct store_query at[CAPTURES_STATES];
    struct value state[CAPTURES_STATES];
    char text[CAPTURES_STATES][16];
};

void captures_queries(enum captures_which which, const struct store_filter *more, unsigned n_more,
                      struct captures_queries *ret);
/* All of them, state by state. As `list` of struct store_ops. */
int captures_each(struct store *s, enum captures_which which, const struct store_filter *more,
                  unsigned n_more, int (*each)(void *user, const struct object *o), void *user,
                  struct error *err);

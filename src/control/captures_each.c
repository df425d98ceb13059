/* SPDX-License-Identifier: Apache-2.0 */
#include "control/captures_each.h"

#include <stdio.h>

#include "model/kinds.h"

void captures_queries(enum captures_which which, const struct store_filter *more, unsigned n_more,
                      struct captures_queries *ret)
{
    static const char *const words[][CAPTURES_STATES] = {
        [CAPTURES_ACTIVE] = {"scheduled", "running", "finishing"},
        [CAPTURES_ENDED] = {"done", "failed", "cancelled"},
    };
    *ret = (struct captures_queries){.at = {{.n_filters = 0}}};
    for (unsigned i = 0; i < CAPTURES_STATES; i++) {
        struct store_query *q = &ret->at[i];
        (void)snprintf(ret->text[i], sizeof(ret->text[i]), "%s", words[which][i]);
        ret->state[i] = (struct value){.set = true, .text = ret->text[i]};
        q->sort = FIELD_OF_ID;
        q->filter[q->n_filters++] = (struct store_filter){CAPTURE_F_STATE, &ret->state[i]};
        for (unsigned k = 0; k < n_more; k++) {
            q->filter[q->n_filters++] = more[k];
        }
    }
}

int captures_each(struct store *s, enum captures_which which, const struct store_filter *more,
                  unsigned n_more, int (*each)(void *user, const struct object *o), void *user,
                  struct error *err)
{
    struct captures_queries q;
    int r = 0;
    captures_queries(which, more, n_more, &q);
    for (unsigned i = 0; r == 0 && i < CAPTURES_STATES; i++) {
        r = s->ops->list(s, &kind_capture, &q.at[i], each, user, err);
    }
    return r;
}

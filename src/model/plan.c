/* SPDX-License-Identifier: Apache-2.0 */
#include "model/plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void plan_init(struct plan *p, uint64_t generation)
{
    *p = (struct plan){.generation = generation, .again_ms = PLAN_AGAIN_MS};
}

static int by_id(const void *a, const void *b)
{
    const struct plan_item *x = a, *y = b;
    const int order = memcmp(x->id, y->id, sizeof(x->id));
    return order != 0 ? order : (x->version > y->version) - (x->version < y->version);
}

static bool are_alike(const struct plan_item *a, const struct plan_item *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (by_id(&a[i], &b[i]) != 0) {
            return false;
        }
    }
    return true;
}

/* The time is never 0, which would be "never". */
static void tell_at(struct plan *p, struct mono at)
{
    p->due = (struct mono){at.ns != 0 ? at.ns : 1};
}

static void tell_anew(struct plan *p, struct mono now)
{
    p->again_ms = PLAN_AGAIN_MS;
    if (p->session) {
        tell_at(p, now);
    }
}

int plan_want(struct plan *p, const struct plan_item *items, size_t n, struct mono now)
{
    struct plan_item sorted[PLAN_MAX];
    if (n > PLAN_MAX) {
        return -E2BIG;
    }
    if (n > 0) {
        memcpy(sorted, items, n * sizeof(*items));
        qsort(sorted, n, sizeof(*sorted), by_id);
    }
    if (n == p->n && are_alike(sorted, p->item, n)) {
        return 0;
    }
    if (n > 0) {
        memcpy(p->item, sorted, n * sizeof(*sorted));
    }
    p->n = n;
    p->generation++;
    p->generation += p->generation == 0;
    tell_anew(p, now);
    return 1;
}

void plan_session(struct plan *p, struct mono now)
{
    p->session = true;
    p->acknowledged = 0;
    tell_anew(p, now);
}

void plan_lost(struct plan *p)
{
    p->session = false;
    p->acknowledged = 0;
    p->due = (struct mono){0};
}

bool plan_due(const struct plan *p, struct mono now)
{
    return mono_due(now, p->due);
}

void plan_told(struct plan *p, struct mono now)
{
    if (!p->session || plan_is_done(p)) {
        return;
    }
    tell_at(p, mono_add_ms(now, p->again_ms));
    p->again_ms = p->again_ms * 2 < PLAN_AGAIN_MAX_MS ? p->again_ms * 2 : PLAN_AGAIN_MAX_MS;
}

void plan_acknowledged(struct plan *p, uint64_t generation)
{
    if (p->session && generation == p->generation) {
        p->acknowledged = generation;
        p->due = (struct mono){0};
    }
}

bool plan_is_done(const struct plan *p)
{
    return p->session && p->acknowledged == p->generation;
}

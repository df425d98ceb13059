/* SPDX-License-Identifier: Apache-2.0 */
#include "model/spans.h"

#include <string.h>

static void remove_at(struct spans *s, unsigned i)
{
    memmove(&s->at[i], &s->at[i + 1], (s->n - i - 1) * sizeof(s->at[0]));
    s->n--;
}

static void insert_at(struct spans *s, unsigned i, struct span v)
{
    memmove(&s->at[i + 1], &s->at[i], (s->n - i) * sizeof(s->at[0]));
    s->at[i] = v;
    s->n++;
}

/* A length may be more than INT64_MAX. */
static uint64_t length(const struct span *v)
{
    return (uint64_t)v->until_ns - (uint64_t)v->from_ns;
}

/* Returns false where the new one is the shortest itself. */
static bool make_room(struct spans *s, const struct span *v)
{
    unsigned shortest = 0;
    if (s->n < SPANS_MAX) {
        return true;
    }
    for (unsigned i = 1; i < s->n; i++) {
        if (length(&s->at[i]) < length(&s->at[shortest])) {
            shortest = i;
        }
    }
    if (length(v) <= length(&s->at[shortest])) {
        return false;
    }
    remove_at(s, shortest);
    return true;
}

/* The place of the first span that does not end before `from`. */
static unsigned place(const struct spans *s, int64_t from_ns)
{
    unsigned i = 0;
    while (i < s->n && s->at[i].until_ns < from_ns) {
        i++;
    }
    return i;
}

bool spans_add(struct spans *s, int64_t from_ns, int64_t until_ns)
{
    struct span v = {from_ns, until_ns};
    if (from_ns >= until_ns) {
        return false;
    }
    const unsigned i = place(s, from_ns);
    if (i < s->n && s->at[i].from_ns <= from_ns && s->at[i].until_ns >= until_ns) {
        return false;
    }
    while (i < s->n && s->at[i].from_ns <= v.until_ns) { /* they touch */
        v.from_ns = s->at[i].from_ns < v.from_ns ? s->at[i].from_ns : v.from_ns;
        v.until_ns = s->at[i].until_ns > v.until_ns ? s->at[i].until_ns : v.until_ns;
        remove_at(s, i);
    }
    if (!make_room(s, &v)) {
        return false;
    }
    insert_at(s, place(s, v.from_ns), v);
    return true;
}

bool spans_gap(const struct spans *s, int64_t from_ns, int64_t until_ns, struct span *ret)
{
    int64_t at = from_ns, end = until_ns;
    for (unsigned i = 0; i < s->n; i++) {
        if (s->at[i].from_ns > at) {
            end = s->at[i].from_ns < until_ns ? s->at[i].from_ns : until_ns;
            break;
        }
        at = s->at[i].until_ns > at ? s->at[i].until_ns : at;
    }
    if (at >= end) {
        return false;
    }
    *ret = (struct span){at, end};
    return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "model/share.h"

#include "base/cleanup.h"

void share_join(struct share *s, struct share_member *m)
{
    *m = (struct share_member){.next = s->first, .served = s->at};
    s->first = m;
}

void share_leave(struct share *s, struct share_member *m)
{
    for (struct share_member **p = &s->first; *p; p = &(*p)->next) {
        if (*p == m) {
            *p = m->next;
            return;
        }
    }
}

static bool is_waited_for(const struct share_member *m, struct mono now)
{
    return m->waits && !mono_due(now, mono_add_ms(m->until, SHARE_LATE_MS));
}

/* A member that waits keeps its place; one that was away has none. */
static uint64_t begins(const struct share *s, const struct share_member *m, struct mono now)
{
    return is_waited_for(m, now) ? m->served : MAX(m->served, s->at);
}

uint64_t share_most(const struct share *s, const struct share_member *m, uint64_t turn,
                    struct mono now)
{
    uint64_t most = UINT64_MAX, own = begins(s, m, now);
    for (const struct share_member *o = s->first; o; o = o->next) {
        if (o != m && is_waited_for(o, now)) {
            uint64_t end = begins(s, o, now) + turn;
            most = MIN(most, end > own ? end - own : 0);
        }
    }
    return most;
}

uint64_t share_ahead(const struct share *s, const struct share_member *m, struct mono now)
{
    uint64_t sum = 0, own = begins(s, m, now);
    for (const struct share_member *o = s->first; o; o = o->next) {
        if (o != m && is_waited_for(o, now)) {
            uint64_t at = begins(s, o, now);
            sum += at < own ? own - at : 0;
        }
    }
    return sum;
}

void share_served(struct share *s, struct share_member *m, uint64_t bytes, struct mono now)
{
    uint64_t from = begins(s, m, now);
    s->at = MAX(s->at, from);
    m->served = from + bytes;
}

void share_returned(struct share_member *m, uint64_t bytes)
{
    m->served -= MIN(bytes, m->served);
}

struct mono share_due(const struct share_member *m)
{
    return m->waits ? m->until : (struct mono){0};
}

void share_wait(struct share *s, struct share_member *m, struct mono until, struct mono now)
{
    m->served = begins(s, m, now);
    m->waits = true;
    m->until = until;
}

void share_done(struct share_member *m)
{
    m->waits = false;
}

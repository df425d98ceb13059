/* SPDX-License-Identifier: Apache-2.0
 *
 * Snapshots that were asked for. A waiter is only a name here: it may be gone, and then its result
 * is forgotten after a while.
 */
#include <errno.h>
#include <string.h>

#include "control/agents_impl.h"

enum {
    SNAP_MS = 10000, /* that one takes, or waits to be asked for */
    ERRNO_MAX = 4095,
};

static void know(struct agents_snap *s, int result)
{
    s->result = result;
    s->wakes = true;
}

void agents_snaps_wake(struct agents *a)
{
    for (size_t i = 0; i < AGENTS_SNAPS; i++) {
        struct agents_snap *s = &a->snap[i];
        if (s->wakes && a->conf.ops->wake) {
            s->wakes = false;
            a->conf.ops->wake(a->conf.user, s->waiter);
        }
    }
}

void agents_snapped(struct agents *a, const struct rolemsg *m)
{
    const int result = m->code <= ERRNO_MAX ? -(int)m->code : -EPROTO;
    for (size_t i = 0; i < AGENTS_SNAPS; i++) {
        struct agents_snap *s = &a->snap[i];
        if (s->waiter && s->result == -EAGAIN && memcmp(s->id, m->id, sizeof(s->id)) == 0) {
            know(s, result == -EAGAIN ? -EPROTO : result);
        }
    }
}

void agents_snaps_lost(struct agents *a)
{
    for (size_t i = 0; i < AGENTS_SNAPS; i++) {
        if (a->snap[i].waiter && a->snap[i].result == -EAGAIN) {
            know(&a->snap[i], -EPIPE);
        }
    }
}

void agents_snaps_expire(struct agents *a, struct mono now)
{
    for (size_t i = 0; i < AGENTS_SNAPS; i++) {
        struct agents_snap *s = &a->snap[i];
        if (!s->waiter || !mono_due(now, s->until)) {
            continue;
        }
        if (s->result == -EAGAIN) {
            s->until = mono_add_ms(now, SNAP_MS);
            know(s, -ETIMEDOUT);
        } else {
            s->waiter = NULL; /* nobody asked */
        }
    }
}

static struct agents_snap *find(struct agents *a, const void *waiter)
{
    for (size_t i = 0; i < AGENTS_SNAPS; i++) {
        if (a->snap[i].waiter == waiter) {
            return &a->snap[i];
        }
    }
    return NULL;
}

static int told(int result, struct error *err)
{
    switch (result) {
    case 0:
        return 0;
    case -EAGAIN:
        return -EAGAIN;
    case -EPIPE:
        return error_set(err, EPIPE, "whoever captures has died; it starts again");
    case -ETIMEDOUT:
        return error_set(err, ETIMEDOUT, "whoever captures did not answer within %d s",
                         SNAP_MS / 1000);
    default:
        return error_sys(err, -result, "the flows of this moment cannot be written");
    }
}

static int ask(struct agents *a, const uint8_t id[WANTED_ID], void *waiter, struct mono now,
               struct error *err)
{
    struct rolemsg m = {.type = ROLEMSG_SNAPSHOT};
    struct agents_snap *s = find(a, NULL);
    memcpy(m.id, id, sizeof(m.id));
    if (!s) {
        return error_set(err, EBUSY, "%d such requests are under way", AGENTS_SNAPS);
    }
    if (a->state != AGENTS_OPEN || agents_send(a, &m) < 0) {
        return error_set(err, EPIPE, "whoever captures cannot be asked now");
    }
    *s = (struct agents_snap){
        .waiter = waiter, .result = -EAGAIN, .until = mono_add_ms(now, SNAP_MS)};
    memcpy(s->id, id, sizeof(s->id));
    return -EAGAIN;
}

int agents_snap(struct agents *a, const uint8_t id[WANTED_ID], void *waiter, struct mono now,
                struct error *err)
{
    struct agents_snap *s = find(a, waiter);
    if (!s) {
        return ask(a, id, waiter, now, err);
    }
    const int result = s->result;
    s->waiter = result == -EAGAIN ? waiter : NULL;
    return told(result, err);
}

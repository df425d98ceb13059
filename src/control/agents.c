/* SPDX-License-Identifier: Apache-2.0
 *
 * One call after the other: the session first, then what came of it into the store, then what is
 * wanted now.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "control/agents.h"
#include "control/agents_impl.h"
#include "sys/loop.h"

enum {
    CLOCK_JUMP_MS = 1000, /* against the clock that never jumps, from one call to the next */
};

int agents_new(const struct agents_conf *conf, struct mono now, struct agents **ret)
{
    struct agents *a = calloc(1, sizeof(*a));
    if (!a) {
        return -ENOMEM;
    }
    a->conf = *conf;
    a->began = a->look_at = a->connect_at = now;
    a->fd = a->watched = -1;
    plan_init(&a->plan, conf->generation != 0 ? conf->generation : 1);
    a->taps.generation = a->plan.generation;
    a->taps.changed = a->taps.leaving = true;
    *ret = a;
    return 0;
}

void agents_free(struct agents *a)
{
    if (!a) {
        return;
    }
    if (a->loop) {
        loop_del_fd(a->loop, a->watch);
        loop_del_timer(a->loop, a->timer);
    }
    if (a->fd >= 0) {
        (void)close(a->fd);
    }
    agents_wants_done(&a->wants);
    agents_taps_done(a);
    free(a);
}

/* Captures that run keep their length when the wall clock is set, as those who carry them out see
 * to it; scheduled ones follow the wall clock. Here it is only noted. */
static void note_clock(struct agents *a, struct mono now, struct wall wall)
{
    const int64_t jump = (wall.ns - a->clock_wall.ns) - mono_diff(now, a->clock_mono);
    const bool is_first = a->clock_mono.ns == 0;
    a->wall = wall;
    a->clock_wall = wall;
    a->clock_mono = now;
    if (!is_first && llabs(jump) >= CLOCK_JUMP_MS * NSEC_PER_MSEC) {
        a->changed = true;
        agents_event(a, "clock.set", NULL,
                     "the wall clock was set by %+" PRId64
                     " ms; running captures keep their length, scheduled ones follow the clock",
                     jump / NSEC_PER_MSEC);
    }
}

static void look(struct agents *a, struct mono now)
{
    if (a->taps.changed) {
        a->taps.changed = false;
        agents_taps_look(a);
    }
    if (a->changed || now.ns >= a->look_at.ns) {
        a->changed = false;
        a->look_at = mono_add_ms(now, AGENTS_LOOK_MS);
        agents_look(a, now);
    }
}

/* Reports are gone that the peer does not repeat in this session; in a new one it tells all. */
static void fail(struct agents *a, struct mono now)
{
    if (a->state == AGENTS_OPEN) {
        a->since = now; /* not at once */
        agents_lose(a, now, "its reports could not be stored");
        (void)agents_commit(a);
    }
}

void agents_work(struct agents *a, struct mono now, struct wall wall)
{
    note_clock(a, now, wall);
    look(a, now); /* reports are heard only of what is wanted */
    agents_session(a, now);
    agents_ports_store(a);
    look(a, now);
    if (a->taps.leaving) {
        agents_taps_reap(a);
    }
    agents_tell(a, now);
    agents_snaps_expire(a, now);
    if (agents_commit(a)) {
        a->ports.n = a->ports.whole ? 0 : a->ports.n;
        a->ports.whole = false;
    } else {
        a->changed = a->taps.changed = a->taps.leaving = true;
        fail(a, now);
    }
    agents_snaps_wake(a);
}

void agents_changed(struct agents *a)
{
    a->changed = a->taps.changed = a->taps.leaving = true;
}

int agents_fd(const struct agents *a)
{
    return a->fd;
}

bool agents_wants_to_write(const struct agents *a)
{
    return a->blocked;
}

struct mono agents_due(const struct agents *a)
{
    struct mono due = a->look_at;
    if (a->changed || a->taps.changed) {
        return a->clock_mono.ns != 0 ? a->clock_mono : a->began; /* {0} would be never */
    }
    if (a->taps.leaving) {
        due = mono_earlier(due, a->taps.leave_at);
    }
    if (a->state == AGENTS_AWAY) {
        due = mono_earlier(due, a->connect_at);
    }
    return a->blocked ? due : mono_earlier(due, a->plan.due);
}

int agents_snapshot(struct agents *a, const uint8_t id[16], void *waiter, struct mono now,
                    struct error *err)
{
    return agents_snap(a, id, waiter, now, err);
}

bool agents_are_settled(const struct agents *a)
{
    return plan_is_done(&a->plan);
}

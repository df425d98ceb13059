/* SPDX-License-Identifier: Apache-2.0 */
#include "model/idle.h"

#include "base/cleanup.h"

enum idle_action idle_step(struct idle *i, const struct idle_conf *conf,
                           const struct idle_seen *seen, struct mono now)
{
    if (conf->max_ms == 0 || !seen->up || !seen->expected) {
        *i = (struct idle){0};
        return IDLE_NOTHING;
    }
    if (i->looked.ns == 0 || seen->frames != i->frames) {
        *i = (struct idle){.looked = now, .frames = seen->frames};
        return IDLE_NOTHING;
    }
    int64_t since = mono_diff(now, i->looked);
    i->looked = now;
    i->ns += MIN(since, IDLE_LOOK_MS * NSEC_PER_MSEC);
    if (i->dead || i->ns < conf->max_ms * NSEC_PER_MSEC) {
        return IDLE_NOTHING;
    }
    if (i->restarts < conf->restarts) {
        return IDLE_REOPEN;
    }
    i->dead = true;
    return IDLE_DEAD;
}

void idle_reopened(struct idle *i)
{
    i->restarts++;
    i->ns = 0;
}

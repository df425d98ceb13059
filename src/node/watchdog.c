/* SPDX-License-Identifier: Apache-2.0 */
#include "node/watchdog.h"

#include <errno.h>

/* "410 s", "1500 ms" */
static void time_words(uint32_t ms, char ret[24])
{
    bool seconds = ms % 1000 == 0;
    snprintf(ret, 24, "%u %s", seconds ? ms / 1000 : ms, seconds ? "s" : "ms");
}

/* The thread has done it: nothing had come until then. */
static void tell_reopened(struct interfaces *all, const struct interface *i,
                          const struct watchdog_conf *conf)
{
    char time[24];
    time_words(conf->idle.max_ms, time);
    interface_event(&all->room, HISTORY_REOPENED, i->name,
                    "no frame came for %s: its capture was opened anew (%u of %u times)", time,
                    i->restart, conf->idle.restarts);
}

static void tell_dead(struct interfaces *all, const struct interface *i,
                      const struct watchdog_conf *conf)
{
    char time[24];
    time_words(conf->idle.max_ms, time);
    interface_event(&all->room, HISTORY_CAPTURE_DEAD, i->name,
                    "no frame came for %s%s: it counts as dead until one comes", time,
                    conf->idle.restarts > 0 ? " after the last time that it was opened anew" : "");
}

/* Tried once more at the next look where it cannot be now, but not for ever. */
static void reopen(struct interfaces *all, struct interface *i, const struct watchdog_conf *conf)
{
    struct error err = {""};
    int r = interface_renew(&all->room, i, i->idle.frames, &err);
    bool soon = r == -EAGAIN || r == -ENODEV || r == -ENOENT;
    if (soon && i->idle.ns < 2 * conf->idle.max_ms * NSEC_PER_MSEC) {
        return;
    }
    idle_reopened(&i->idle);
    i->restart = i->idle.restarts;
    if (r < 0) {
        interface_event(&all->room, HISTORY_IF_REFUSED, i->name,
                        "its capture cannot be opened anew: %s", err.text);
    }
}

static void look(struct interfaces *all, struct interface *i, const struct watchdog_conf *conf,
                 bool expected, struct mono now)
{
    struct interface_counts c;
    all->room.ops->counts(all->room.user, i, &c);
    uint64_t reopened = ledger_get(&c.ledger, LEDGER_RING_REOPENED);
    const struct idle_seen seen = {.frames = ledger_get(&c.ledger, LEDGER_RING_IN),
                                   .up = i->there && i->now.flags & IFF_UP,
                                   .expected = expected};
    if (reopened != i->reopened) {
        i->reopened = reopened;
        tell_reopened(all, i, conf);
    }
    switch (idle_step(&i->idle, &conf->idle, &seen, now)) {
    case IDLE_REOPEN:
        reopen(all, i, conf);
        break;
    case IDLE_DEAD:
        tell_dead(all, i, conf);
        break;
    case IDLE_NOTHING:
        break;
    }
}

bool watchdog_look(struct interfaces *all, const struct watchdog_conf *conf, bool expected,
                   struct mono now)
{
    unsigned dead = 0, alive = 0;
    for (unsigned k = 0; k < all->n; k++) {
        struct interface *i = all->at[k];
        if (i->ending) {
            continue;
        }
        look(all, i, conf, expected, now);
        bool counts = i->there || !i->word->pattern;
        dead += counts && i->idle.dead;
        alive += counts && !i->idle.dead;
    }
    return dead > 0 && alive == 0;
}

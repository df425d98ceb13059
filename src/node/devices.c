/* SPDX-License-Identifier: Apache-2.0 */
#include "node/devices.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "data/sink/device.h"
#include "node/collector_requests.h"
#include "sys/tapdev.h"

enum {
    TRIES = 3,        /* to make a device again, one a look; … */
    AGAIN_MS = 10000, /* … then one in this time, where frames have somewhere else to go */
};

int devices_for_tap(struct devices *all, const char *tap, struct listener_device *ret,
                    struct error *err)
{
    if (!all->outputs->conf.one_each) {
        ret->fd = -1;
        return 0;
    }
    (void)outputs_alive(all->outputs); /* lets go of the devices of taps that are gone */
    int r = collector_request_device(all->broker, tap, ret, err);
    if (r == 0) {
        teller_tell(all->teller, "tap %s is on %s%s", tap, ret->name,
                    ret->cut ? ", as an interface's name cannot hold all of the tap's" : "");
    }
    return r;
}

static void event(const struct devices *all, const struct listener_device *d,
                  enum history_kind kind, const char *words)
{
    outputs_event(all->outputs, all->listener, kind, d->name, words);
}

static void make_again(struct devices *all, const char *tap, struct listener_device *d)
{
    struct error err = {""};
    struct listener_device made;
    int r = collector_request_device(all->broker, tap, &made, &err);
    if (r == 0) {
        r = dup3(made.fd, d->fd, O_CLOEXEC) < 0 ? error_sys(&err, errno, "dup3") : 0;
        close(made.fd);
    }
    if (r == 0) {
        device_sink_renew(all->outputs->device, tap[0] ? tap : NULL, d->fd);
        d->gone = d->down = false;
        d->tries = 0;
        event(all, d, HISTORY_OUTPUT_BACK, "was made again");
        return;
    }
    d->tries++;
    if (d->tries == TRIES) {
        teller_tell(all->teller, "%s cannot be made again: %s", d->name, err.text);
    }
    d->next = mono_add_ms(mono_now(), d->tries < TRIES ? 0 : AGAIN_MS);
}

static void look(struct devices *all, const char *tap, struct listener_device *d)
{
    enum tapdev_state now = tapdev_state(d->fd);
    if (now == TAPDEV_GONE && !d->gone) {
        d->gone = true;
        d->next = mono_now();
        event(all, d, HISTORY_OUTPUT_GONE,
              "was removed: its frames are dropped until it is made again");
    } else if (now != TAPDEV_GONE && d->down != (now == TAPDEV_DOWN)) {
        d->down = now == TAPDEV_DOWN;
        event(all, d, d->down ? HISTORY_OUTPUT_GONE : HISTORY_OUTPUT_BACK,
              d->down ? "is down: its frames are dropped until it is up again" : "is up again");
    }
    if (d->gone && mono_due(mono_now(), d->next)) {
        make_again(all, tap, d);
    }
}

struct trouble {
    struct devices *all;
    bool missed;
    unsigned n;
    char first[64];
};

static void look_at_one(void *user, const char *tap, struct listener_device *d)
{
    struct trouble *t = user;
    look(t->all, tap, d);
    if (t->missed && !d->gone) { /* it was made again while one of its points was on the way */
        device_sink_renew(t->all->outputs->device, tap[0] ? tap : NULL, d->fd);
    }
    if ((d->gone || d->down) && t->n++ == 0) {
        snprintf(t->first, sizeof(t->first), "%s %s", d->name, d->gone ? "was removed" : "is down");
    }
}

void devices_look(struct devices *all)
{
    char words[128] = "";
    struct trouble t = {.all = all};
    if (!all->outputs->device) {
        return;
    }
    t.missed = device_sink_missed(all->outputs->device);
    if (all->outputs->conf.one_each) {
        listener_each_device(all->listener, look_at_one, &t);
    } else {
        look_at_one(&t, "", all->one);
    }
    if (t.n == 1) {
        snprintf(words, sizeof(words), "%s", t.first);
    } else if (t.n > 1) {
        snprintf(words, sizeof(words), "%s, and %u more are not there either", t.first, t.n - 1);
    }
    bool alone = !all->outputs->conf.one_each && outputs_count(all->outputs) == 1;
    device_sink_trouble(all->outputs->device, t.n > 0 ? words : NULL,
                        alone && all->one->gone && all->one->tries >= TRIES);
}

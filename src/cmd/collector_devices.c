/* SPDX-License-Identifier: Apache-2.0
 *
 * The devices that frames are written to: made or taken with privileges, at the start or by the
 * broker, and looked at five times a second by the engine. One that was removed is made again under
 * its name, and its descriptor's number stays, so that who writes to it need not know.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/collector.h"
#include "data/sink/device.h"
#include "proto/link.h"

enum {
    TRIES = 3,        /* to make a device again, one a look; … */
    AGAIN_MS = 10000, /* … then one in this time, where frames have somewhere else to go */
};

/* ---- with privileges ---- */

/* Without it the devices are made all the same, and taps of this host may take them for anybody's.
 */
static void open_list(struct collector *c)
{
    struct error err = {""};
    struct unixsock_dir dir;
    int r = unixsock_dir_for(geteuid(), getenv("XDG_RUNTIME_DIR"), &dir);
    r = r < 0 ? error_sys(&err, -r, "the list of devices") : unixsock_make_dir(&dir, &err);
    r = r < 0 ? r : owndev_new(dir.path, &c->own, &err);
    if (r < 0) {
        say("collector",
            "warning: a tap of this host that taps all interfaces will also tap what is received "
            "here: %s",
            err.text);
    }
}

int collector_open_device(struct collector *c, const char *name, struct tapdev *ret,
                          struct error *err)
{
    struct error heard = {""};
    struct tapdev d = {.fd = -1};
    int r = tapdev_open(name, c->conf.keep_device, &d, err);
    if (r == 0 && c->own) { /* before it is up: taps hear of that */
        r = owndev_add(c->own, d.ifindex, err);
    }
    r = r < 0 ? r : tapdev_set_up(&d, &heard, err);
    if (r < 0) {
        closep(&d.fd);
        return r;
    }
    if (heard.text[0] && !c->told_heard) {
        c->told_heard = true; /* once, where there are many */
        say("collector", "warning: %s", heard.text);
    }
    *ret = d;
    return 0;
}

int collector_open_devices(struct collector *c, struct error *err)
{
    struct tapdev d;
    char name[IFNAMSIZ];
    if (c->one_each) { /* a pattern that cannot be is found now, not with the first tap */
        int r = tapdev_name_expand(c->conf.device, "tap", name, NULL, err);
        if (r < 0) {
            return r;
        }
    }
    open_list(c);
    if (c->one_each) {
        return 0;
    }
    int r = collector_open_device(c, c->conf.device, &d, err);
    if (r == 0) {
        c->device.fd = d.fd;
        snprintf(c->device.name, sizeof(c->device.name), "%s", d.name);
    }
    return r;
}

int collector_device_request(void *ctx, const void *args, size_t len, struct broker_reply *reply)
{
    struct collector *c = ctx;
    struct tapdev d;
    char tap[LINK_NAME_MAX + 1] = "", name[IFNAMSIZ];
    bool cut = false;
    if (!c->conf.device || (c->one_each ? !link_name_ok(args, len) : len > 0)) {
        return error_set(&reply->err, EINVAL, "no device is made for such a tap");
    }
    memcpy(tap, args, len);
    int r = tapdev_name_expand(c->conf.device, tap, name, &cut, &reply->err);
    r = r < 0 ? r : collector_open_device(c, name, &d, &reply->err);
    if (r == 0) {
        struct wr w = wr_make(reply->data, sizeof(reply->data));
        wr_u8(&w, cut);
        wr_copy(&w, name, strlen(name));
        reply->len = wr_len(&w);
        reply->fd = d.fd;
    }
    return r;
}

/* ---- in the engine ---- */

static int ask(struct collector *c, const char *tap, struct listener_device *ret, struct error *err)
{
    uint8_t data[1 + IFNAMSIZ];
    size_t len = sizeof(data);
    int fd = -1;
    int r = broker_call(c->broker, COLLECTOR_DEVICE, tap, strlen(tap), data, &len, &fd, err);
    if (r < 0) {
        return r;
    }
    struct rd rd = rd_make(data, len);
    struct listener_device d = {.fd = fd, .cut = rd_u8(&rd) != 0};
    size_t n = MIN(rd_left(&rd), sizeof(d.name) - 1);
    rd_copy(&rd, d.name, n);
    *ret = d;
    return 0;
}

int collector_device(void *user, const char *tap, struct listener_device *ret, struct error *err)
{
    struct collector *c = user;
    if (!c->one_each) {
        ret->fd = -1;
        return 0;
    }
    (void)collector_outputs_alive(c); /* lets go of the devices of taps that are gone */
    int r = ask(c, tap, ret, err);
    if (r == 0) {
        say("collector", "tap %s is on %s%s", tap, ret->name,
            ret->cut ? ", as an interface's name cannot hold all of the tap's" : "");
    }
    return r;
}

static void event(struct collector *c, const struct listener_device *d, enum history_kind kind,
                  const char *words)
{
    listener_event(c->listener, kind, d->name, words);
    say("collector", "%s %s", d->name, words);
}

static void make_again(struct collector *c, const char *tap, struct listener_device *d)
{
    struct error err = {""};
    struct listener_device made;
    int r = ask(c, tap, &made, &err);
    if (r == 0) {
        r = dup3(made.fd, d->fd, O_CLOEXEC) < 0 ? error_sys(&err, errno, "dup3") : 0;
        close(made.fd);
    }
    if (r == 0) {
        device_sink_renew(c->device_sink, tap[0] ? tap : NULL, d->fd);
        d->gone = d->down = false;
        d->tries = 0;
        event(c, d, HISTORY_OUTPUT_BACK, "was made again");
        return;
    }
    d->tries++;
    if (d->tries == TRIES) {
        say("collector", "%s cannot be made again: %s", d->name, err.text);
    }
    d->next = mono_add_ms(mono_now(), d->tries < TRIES ? 0 : AGAIN_MS);
}

static void look(struct collector *c, const char *tap, struct listener_device *d)
{
    enum tapdev_state now = tapdev_state(d->fd);
    if (now == TAPDEV_GONE && !d->gone) {
        d->gone = true;
        d->next = mono_now();
        event(c, d, HISTORY_OUTPUT_GONE,
              "was removed: its frames are dropped until it is made again");
    } else if (now != TAPDEV_GONE && d->down != (now == TAPDEV_DOWN)) {
        d->down = now == TAPDEV_DOWN;
        event(c, d, d->down ? HISTORY_OUTPUT_GONE : HISTORY_OUTPUT_BACK,
              d->down ? "is down: its frames are dropped until it is up again" : "is up again");
    }
    if (d->gone && mono_due(mono_now(), d->next)) {
        make_again(c, tap, d);
    }
}

struct trouble {
    struct collector *c;
    bool missed;
    unsigned n;
    char first[64];
};

static void look_at_one(void *user, const char *tap, struct listener_device *d)
{
    struct trouble *t = user;
    look(t->c, tap, d);
    if (t->missed && !d->gone) { /* it was made again while one of its points was on the way */
        device_sink_renew(t->c->device_sink, tap[0] ? tap : NULL, d->fd);
    }
    if ((d->gone || d->down) && t->n++ == 0) {
        snprintf(t->first, sizeof(t->first), "%s %s", d->name, d->gone ? "was removed" : "is down");
    }
}

void collector_look_at_devices(struct collector *c)
{
    char words[128] = "";
    struct trouble t = {.c = c};
    if (!c->device_sink) {
        return;
    }
    t.missed = device_sink_missed(c->device_sink);
    if (c->one_each) {
        listener_each_device(c->listener, look_at_one, &t);
    } else {
        look_at_one(&t, "", &c->device);
    }
    if (t.n == 1) {
        snprintf(words, sizeof(words), "%s", t.first);
    } else if (t.n > 1) {
        snprintf(words, sizeof(words), "%s, and %u more are not there either", t.first, t.n - 1);
    }
    bool alone = !c->one_each && c->n_outputs == 1;
    device_sink_trouble(c->device_sink, t.n > 0 ? words : NULL,
                        alone && c->device.gone && c->device.tries >= TRIES);
}

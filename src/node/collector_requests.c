/* SPDX-License-Identifier: Apache-2.0 */
#include "node/collector_requests.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/bytes.h"
#include "node/outputs.h"
#include "proto/link.h"
#include "sys/tapdev.h"
#include "sys/unixsock.h"

/* ---- with privileges ---- */

/* Without it the devices are made all the same, and taps of this host may take them for anybody's.
 */
static void open_list(struct collector_grants *g)
{
    struct error err = {""};
    struct unixsock_dir dir;
    int r = unixsock_dir_for(geteuid(), getenv("XDG_RUNTIME_DIR"), &dir);
    r = r < 0 ? error_sys(&err, -r, "the list of devices") : unixsock_make_dir(&dir, &err);
    r = r < 0 ? r : owndev_new(dir.path, &g->own, &err);
    if (r < 0) {
        teller_tell(g->teller,
                    "warning: a tap of this host that taps all interfaces will also tap what is "
                    "received here: %s",
                    err.text);
    }
}

/* Makes or takes the device of that name. */
static int open_device(struct collector_grants *g, const char *name, struct tapdev *ret,
                       struct error *err)
{
    struct error heard = {""};
    struct tapdev d = {.fd = -1};
    int r = tapdev_open(name, g->keep_device, &d, err);
    if (r == 0 && g->own) { /* before it is up: taps hear of that */
        r = owndev_add(g->own, d.ifindex, err);
    }
    r = r < 0 ? r : tapdev_set_up(&d, &heard, err);
    if (r < 0) {
        closep(&d.fd);
        return r;
    }
    if (heard.text[0] && !g->told_heard) {
        g->told_heard = true; /* once, where there are many */
        teller_tell(g->teller, "warning: %s", heard.text);
    }
    *ret = d;
    return 0;
}

int collector_open_devices(struct collector_grants *g, struct listener_device *ret,
                           struct error *err)
{
    struct tapdev d;
    char name[IFNAMSIZ];
    if (g->one_each) {
        int r = tapdev_name_expand(g->device, "tap", name, NULL, err);
        if (r < 0) {
            return r;
        }
    }
    open_list(g);
    if (g->one_each) {
        return 0;
    }
    int r = open_device(g, g->device, &d, err);
    if (r == 0) {
        ret->fd = d.fd;
        snprintf(ret->name, sizeof(ret->name), "%s", d.name);
    }
    return r;
}

static int make_device(void *ctx, const void *args, size_t len, struct broker_reply *reply)
{
    struct collector_grants *g = ctx;
    struct tapdev d;
    char tap[LINK_NAME_MAX + 1] = "", name[IFNAMSIZ];
    bool cut = false;
    if (!g->device || (g->one_each ? !link_name_ok(args, len) : len > 0)) {
        return error_set(&reply->err, EINVAL, "no device is made for such a tap");
    }
    memcpy(tap, args, len);
    int r = tapdev_name_expand(g->device, tap, name, &cut, &reply->err);
    r = r < 0 ? r : open_device(g, name, &d, &reply->err);
    if (r == 0) {
        struct wr w = wr_make(reply->data, sizeof(reply->data));
        wr_u8(&w, cut);
        wr_copy(&w, name, strlen(name));
        reply->len = wr_len(&w);
        reply->fd = d.fd;
    }
    return r;
}

/* The list of taps, whatever that is now: the engine, which cannot open files, reads and parses it.
 */
static int open_allow(void *ctx, const void *args, size_t len, struct broker_reply *reply)
{
    const struct collector_grants *g = ctx;
    struct stat st;
    (void)args;
    (void)len;
    if (!g->allow) {
        return error_set(&reply->err, EINVAL, "there is no list of taps");
    }
    /* without waiting: it may have become a pipe that nobody writes to */
    _cleanup_(closep) int fd = open(g->allow, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0) {
        return error_sys(&reply->err, errno, "cannot read %s", g->allow);
    }
    if (!S_ISREG(st.st_mode)) {
        return error_set(&reply->err, EINVAL, "cannot read %s again: it is not a regular file",
                         g->allow);
    }
    reply->fd = TAKE_FD(fd);
    return 0;
}

static int open_output(void *ctx, const void *args, size_t len, struct broker_reply *reply)
{
    const struct collector_grants *g = ctx;
    struct rd rd = rd_make(args, len);
    unsigned i = rd_u8(&rd);
    return g->outputs && i < g->outputs->n
               ? outputs_open_one(&g->outputs->spec[i], g->user, &reply->fd, &reply->err)
               : error_set(&reply->err, EINVAL, "there is no such output");
}

static int reload(void *ctx, const void *args, size_t len, struct broker_reply *reply)
{
    (void)args;
    (void)len;
    const struct collector_grants *g = ctx;
    return reload_serve(&g->reload, reply);
}

static int open_export(void *ctx, const void *args, size_t len, struct broker_reply *reply)
{
    return export_serve(&((struct collector_grants *)ctx)->exports, args, len, reply);
}

const struct broker_request collector_requests[COLLECTOR_REQUESTS] = {
    [COLLECTOR_DEVICE] = {"make a device", make_device, 0, LINK_NAME_MAX},
    [COLLECTOR_ALLOW] = {"open the list of taps", open_allow, 0, 0},
    [COLLECTOR_OUTPUT] = {"open an output", open_output, 1, 1},
    [COLLECTOR_EXPORT] = {"connect to a collector of flow records", open_export, 1, 1},
    [COLLECTOR_RELOAD] = {"read the configuration file again", reload, 0, 0},
};

/* ---- in the engine ---- */

int collector_request_device(struct broker *b, const char *tap, struct listener_device *ret,
                             struct error *err)
{
    uint8_t data[1 + IFNAMSIZ];
    size_t len = sizeof(data);
    int fd = -1;
    int r = broker_call(b, COLLECTOR_DEVICE, tap, strlen(tap), data, &len, &fd, err);
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

int collector_request_allow(struct broker *b, int *ret_fd, struct error *err)
{
    return broker_call(b, COLLECTOR_ALLOW, NULL, 0, NULL, NULL, ret_fd, err);
}

int collector_request_output(struct broker *b, unsigned i, int *ret_fd, struct error *err)
{
    uint8_t place = (uint8_t)i;
    return broker_call(b, COLLECTOR_OUTPUT, &place, 1, NULL, NULL, ret_fd, err);
}

int collector_request_export(struct broker *b, unsigned i, int *ret_fd, struct error *err)
{
    return export_ask(b, COLLECTOR_EXPORT, i, ret_fd, err);
}

int collector_request_reload(struct broker *b, int *ret_fd, struct error *err)
{
    return broker_call(b, COLLECTOR_RELOAD, NULL, 0, NULL, NULL, ret_fd, err);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "node/collector.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "node/devices.h"
#include "node/report.h"
#include "sys/crypto/kdf.h"
#include "sys/read_file.h"

enum {
    CHECK_MS = 200,
    RECEIVE_BUFFER = 32 << 20,
};

struct collector {
    struct collector_around around;
    struct outputs outputs;
    struct devices devices;
    struct listener *listener;
    struct loop_timer *timer;
};

/* ---- before the split ---- */

bool collector_one_each(const struct collector_conf *c)
{
    return c->device && strstr(c->device, "%t");
}

static int open_socket(const struct collector_conf *c, int fd[RECEIVER_THREADS], struct error *err)
{
    struct udp_addr a = {0};
    int r = c->bind ? udp_addr_parse(c->bind, &a) : 0;
    if (r == -ENODEV) {
        return error_set(err, ENODEV, "--bind: there is no interface \"%s\"",
                         strchr(c->bind, '%') + 1);
    }
    if (r < 0) {
        return error_set(err, EINVAL, "--bind: \"%s\" is not an IPv4 or IPv6 address", c->bind);
    }
    r = udp_bind_group(a.len ? &a : NULL, c->port, c->threads, fd, err);
    for (unsigned i = 0; r == 0 && i < c->threads; i++) {
        (void)udp_set_buffers(fd[i], RECEIVE_BUFFER, 4 << 20, NULL, NULL);
    }
    return r;
}

int collector_prepare(const struct collector_conf *c, const struct teller *teller,
                      struct collector_opened *ret, struct collector_grants *ret_grants,
                      struct error *err)
{
    *ret = (struct collector_opened){.file = -1, .lock = -1, .device.fd = -1};
    *ret_grants = (struct collector_grants){.device = c->device,
                                            .one_each = collector_one_each(c),
                                            .keep_device = c->keep_device,
                                            .allow = c->allow,
                                            .teller = teller};
    for (unsigned i = 0; i < RECEIVER_THREADS; i++) {
        ret->fd[i] = -1;
    }
    int r = open_socket(c, ret->fd, err);
    if (r == 0 && c->file) {
        r = outputs_open_file(c->file, &ret->file, &ret->lock, err);
    }
    return r == 0 && c->device ? collector_open_devices(ret_grants, &ret->device, err) : r;
}

void collector_opened_done(struct collector_opened *o)
{
    for (unsigned i = 0; i < RECEIVER_THREADS; i++) {
        closep(&o->fd[i]);
    }
    closep(&o->device.fd);
    closep(&o->file);
    closep(&o->lock);
}

/* ---- events ---- */

static int on_device(void *user, const char *tap, struct listener_device *ret, struct error *err)
{
    struct collector *c = user;
    return devices_for_tap(&c->devices, tap, ret, err);
}

static void on_say(void *user, bool error, const char *text)
{
    const struct collector *c = user;
    (void)error;
    teller_tell(c->around.teller, "%s", text);
}

static void on_failed(void *user)
{
    const struct collector *c = user;
    c->around.over(c->around.user, true);
}

static const struct listener_ops listener_ops = {on_device, on_say, on_failed};

static void on_timer(struct loop *l, struct mono now, void *user)
{
    (void)l;
    (void)now;
    struct collector *c = user;
    devices_look(&c->devices);
    if (!outputs_alive(&c->outputs)) {
        c->around.over(c->around.user, false);
    }
}

/* ---- start and end ---- */

static int make_outputs(struct collector *c, struct error *err)
{
    const struct collector_conf *conf = c->around.conf;
    struct collector_opened *opened = c->around.opened;
    const struct outputs_conf oc = {.device = conf->device,
                                    .one_each = collector_one_each(conf),
                                    .file = conf->file,
                                    .os = c->around.os,
                                    .threads = conf->threads,
                                    .order_ms = conf->order_ms,
                                    .queue_bytes = conf->output_queue,
                                    .teller = c->around.teller};
    return outputs_make(&oc, opened->device.fd, &opened->file, &c->outputs, err);
}

static int make_listener(struct collector *c, struct error *err)
{
    struct listener_conf lc = {.handshake = *c->around.handshake,
                               .fd = c->around.opened->fd,
                               .n_threads = c->around.conf->threads,
                               .outputs = c->outputs.writer,
                               .n_outputs = c->outputs.n,
                               .ops = &listener_ops,
                               .user = c};
    int r = listener_new(c->around.loop, &lc, &c->listener, err);
    secure_wipe(&lc.handshake, sizeof(lc.handshake));
    return r;
}

static int begin(struct collector *c, struct error *err)
{
    int r = make_outputs(c, err);
    r = r < 0 ? r : make_listener(c, err);
    if (r < 0) {
        return r;
    }
    c->devices = (struct devices){&c->outputs, c->listener, c->around.broker, c->around.teller,
                                  &c->around.opened->device};
    r = loop_add_timer(c->around.loop, mono_add_ms(mono_now(), CHECK_MS), CHECK_MS * NSEC_PER_MSEC,
                       on_timer, c, &c->timer);
    return r < 0 ? error_sys(err, -r, "cannot start") : 0;
}

int collector_new(const struct collector_around *around, struct collector **ret, struct error *err)
{
    struct collector *c = calloc(1, sizeof(*c));
    if (!c) {
        return error_sys(err, ENOMEM, "cannot start");
    }
    c->around = *around;
    int r = begin(c, err);
    c->around.handshake = NULL;
    if (r < 0) {
        collector_free(c);
        return r;
    }
    *ret = c;
    return 0;
}

void collector_free(struct collector *c)
{
    if (!c) {
        return;
    }
    listener_free(c->listener);
    outputs_done(&c->outputs);
    loop_del_timer(c->around.loop, c->timer);
    free(c);
}

void collector_stop(struct collector *c)
{
    listener_stop(c->listener);
    outputs_finish(&c->outputs);
}

/* ---- the list of taps ---- */

/* Reading and parsing, both bounded, are the engine's. */
static int read_list(struct collector *c, struct allow_list *ret, struct error *err)
{
    _cleanup_(closep) int fd = -1;
    const char *path = c->around.conf->allow;
    char *text = NULL;
    size_t len = 0;
    int r = collector_request_allow(c->around.broker, &fd, err);
    if (r == 0) {
        r = read_open_file(fd, path, ALLOW_FILE_MAX, &text, &len, err);
    }
    if (r == 0) {
        r = allow_parse(text, len, path, ret, err);
        secure_wipe(text, len);
        free(text);
    }
    return r;
}

bool collector_reload(struct collector *c)
{
    _cleanup_(allow_done) struct allow_list list = {0};
    struct listener_allowed done = {0};
    struct error err = {""};
    const struct teller *teller = c->around.teller;
    const char *path = c->around.conf->allow;
    if (!path) {
        teller_tell(teller, "SIGHUP: there is no list of taps (--allow) to read again");
        return false;
    }
    if (read_list(c, &list, &err) < 0) {
        teller_tell(teller, "%s; the list of taps stays as it was", err.text);
        return false;
    }
    listener_set_allow(c->listener, &list, &done);
    teller_tell(teller, "%s was read again: %zu taps, %zu added, %zu removed, %zu changed", path,
                done.taps, done.added, done.removed, done.changed);
    return true;
}

/* ---- told of it ---- */

const struct listener *collector_listener(const struct collector *c)
{
    return c->listener;
}

const struct outputs *collector_outputs(const struct collector *c)
{
    return &c->outputs;
}

json_t *collector_document(void *collector)
{
    const struct collector *c = collector;
    return report_collector(c->around.name, c->listener, c->outputs.output, c->outputs.n);
}

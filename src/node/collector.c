/* SPDX-License-Identifier: Apache-2.0 */
#include "node/collector.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>

#include "node/devices.h"
#include "node/outputs_change.h"
#include "node/report.h"
#include "node/report_mirrors.h"
#include "node/tap_log.h"
#include "sys/crypto/kdf.h"
#include "sys/read_file.h"
#include "sys/sandbox.h"

enum {
    CHECK_MS = 200,
    RECEIVE_BUFFER = 32 << 20,
};

struct collector {
    struct collector_around around;
    struct outputs outputs;
    struct outputs_threads threads; /* that give them frames */
    struct devices devices;
    struct ports ports;
    struct tap_log log;
    struct listener *listener;
    struct mirrors *mirrors; /* NULL: there are none */
    struct meter meter;      /* whose sink is one of the outputs; NULL: there is none */
    struct loop_timer *timer;
};

/* ---- before the split ---- */

bool collector_one_each(const struct collector_conf *c)
{
    return c->device && strstr(c->device, "%t");
}

/* The address of --bind; its length is 0 where there is none. */
static int bound_to(const struct collector_conf *c, struct udp_addr *ret, struct error *err)
{
    int r = c->bind ? udp_addr_parse(c->bind, ret) : 0;
    if (r == -ENODEV) {
        return error_set(err, ENODEV, "--bind: there is no interface \"%s\"",
                         strchr(c->bind, '%') + 1);
    }
    if (r < 0) {
        return error_set(err, EINVAL, "--bind: \"%s\" is not an IPv4 or IPv6 address", c->bind);
    }
    return 0;
}

static int open_socket(const struct collector_conf *c, const struct udp_addr *at,
                       int fd[RECEIVER_THREADS], struct error *err)
{
    int r = udp_bind_group(at, c->port, c->threads, fd, err);
    for (unsigned i = 0; r == 0 && i < c->threads; i++) {
        (void)udp_set_buffers(fd[i], RECEIVE_BUFFER, 4 << 20, NULL, NULL);
    }
    return r;
}

bool collector_meters(const struct collector_conf *c)
{
    return exports_count(&c->meter.exports) > 0;
}

bool collector_has_outputs(const struct collector_conf *c)
{
    return c->outputs.n > 0 || c->reread;
}

/* The socket of an output, and a raw one that reads GRE, could send on any interface, or to
 * anybody, if a call named these: so only the sockets of the link may send to addresses. */
enum sandbox_sends collector_sends(const struct collector_conf *c)
{
    const bool others = collector_has_outputs(c) || collector_meters(c);
    return others || c->mirrors.gre || c->mirrors.erspan ? SANDBOX_SENDS_FIRM
                                                         : SANDBOX_SENDS_ANYWHERE;
}

size_t collector_caps(const struct collector_conf *c, int ret[COLLECTOR_CAPS])
{
    size_t n = 0;
    ret[n++] = CAP_NET_ADMIN;
    if (collector_has_outputs(c)) { /* for ports */
        ret[n++] = CAP_NET_RAW;
    }
    if (c->meter.exports.net.n > 0) { /* to look names up as another user */
        ret[n++] = CAP_SETUID;
        ret[n++] = CAP_SETGID;
    }
    return n;
}

static int make_firm(const struct collector_conf *c, int fd[RECEIVER_THREADS], struct error *err)
{
    int r = 0;
    for (unsigned i = 0; r == 0 && i < c->threads; i++) {
        r = sandbox_firm(&fd[i], err);
    }
    return r;
}

int collector_prepare(const struct collector_conf *c, const struct teller *teller,
                      struct collector_opened *ret, struct collector_grants *ret_grants,
                      struct error *err)
{
    *ret = (struct collector_opened){.watch = -1, .device.fd = -1, .exports = EXPORTS_NOT_OPENED};
    outputs_opened_none(&ret->outputs);
    *ret_grants = (struct collector_grants){.device = c->device,
                                            .one_each = collector_one_each(c),
                                            .keep_device = c->keep_device,
                                            .allow = c->allow,
                                            .outputs = &c->outputs,
                                            .exports = {.list = &c->meter.exports.net},
                                            .user = c->user,
                                            .teller = teller};
    for (unsigned i = 0; i < RECEIVER_THREADS; i++) {
        ret->fd[i] = -1;
    }
    struct udp_addr at = {0};
    int r = bound_to(c, &at, err);
    const struct udp_addr *bound = at.len > 0 ? &at : NULL;
    r = r < 0 ? r : open_socket(c, bound, ret->fd, err);
    r = r < 0 ? r : mirrors_open(&c->mirrors, bound, &ret->mirrors, err);
    if (r == 0 && c->file) {
        r = outputs_open_file(c->file, &ret->outputs.file, &ret->outputs.lock, err);
    }
    r = r < 0 ? r : exports_open(&c->meter.exports, &ret->exports, err);
    r = r < 0 ? r : outputs_open_list(&c->outputs, c->user, ret->outputs.listed, err);
    if (r == 0 && (c->reread || ports_wished(&c->outputs))) {
        r = ifwatch_open(&ret->watch, err);
    }
    if (r == 0 && collector_sends(c) == SANDBOX_SENDS_FIRM) {
        r = make_firm(c, ret->fd, err);
    }
    return r == 0 && c->device ? collector_open_devices(ret_grants, &ret->device, err) : r;
}

void collector_opened_done(struct collector_opened *o)
{
    for (unsigned i = 0; i < RECEIVER_THREADS; i++) {
        closep(&o->fd[i]);
    }
    closep(&o->watch);
    closep(&o->device.fd);
    outputs_opened_done(&o->outputs);
    mirrors_opened_done(&o->mirrors);
    exports_opened_done(&o->exports);
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

/* By data threads: flow records of a tap, which leave as those of our own flows. */
static void on_record(void *user, uint32_t point, const struct flowrec *r)
{
    const struct collector *c = user;
    meter_sink_record(c->meter.sink, point, r);
}

static const struct listener_ops listener_ops = {on_device, on_say, on_failed};

/* Frames of a tap come in order: all that it had up to its last report are here, or lost. */
static void on_peer(void *user, const struct listener_peer *tap)
{
    const struct collector *c = user;
    for (unsigned i = 0; tap->live && i < tap->n_points; i++) {
        meter_sink_heard(c->meter.sink, tap->points[i]->index, tap->heard);
    }
}

static void look_at_meter(struct collector *c, struct mono now)
{
    if (c->meter.sink) {
        listener_each(c->listener, on_peer, c);
        meter_tend(&c->meter, &c->around.conf->meter, collector_request_export, c->around.broker,
                   now);
    }
}

static void on_timer(struct loop *l, struct mono now, void *user)
{
    (void)l;
    struct collector *c = user;
    struct error err = {""};
    look_at_meter(c, now);
    devices_look(&c->devices);
    ports_look(&c->ports, now);
    if (c->mirrors && mirrors_look(c->mirrors, &err) < 0) {
        teller_tell(c->around.teller, "%s", err.text);
        c->around.over(c->around.user, true);
    }
    outputs_step(&c->outputs, c->listener, &c->threads);
    if (!outputs_alive(&c->outputs)) {
        c->around.over(c->around.user, false);
    }
}

/* ---- start and end ---- */

/* Threads that give frames to the outputs: receivers, and one for what is mirrored. */
static unsigned producers(const struct collector_conf *c)
{
    return c->threads + (mirrors_wished(&c->mirrors) ? 1 : 0);
}

static int make_outputs(struct collector *c, struct error *err)
{
    const struct collector_conf *conf = c->around.conf;
    struct collector_opened *opened = c->around.opened;
    const struct outputs_conf oc = {.device = conf->device,
                                    .one_each = collector_one_each(conf),
                                    .file = conf->file,
                                    .list = &conf->outputs,
                                    .meter = c->meter.sink,
                                    .os = c->around.os,
                                    .threads = producers(conf),
                                    .order_ms = conf->order_ms,
                                    .queue_bytes = conf->output_queue,
                                    .teller = c->around.teller};
    return outputs_make(&oc, opened->device.fd, &opened->outputs, &c->outputs, err);
}

static int make_listener(struct collector *c, struct error *err)
{
    struct listener_conf lc = {.handshake = *c->around.handshake,
                               .fd = c->around.opened->fd,
                               .n_threads = c->around.conf->threads,
                               .stages = &c->around.conf->stages,
                               .restage = c->around.conf->reread,
                               .align = c->around.conf->align,
                               .outputs = c->outputs.writer[0],
                               .n_outputs = FAN_SINKS,
                               .ops = &listener_ops,
                               .record = c->meter.sink ? on_record : NULL,
                               .user = c};
    int r = listener_new(c->around.loop, &lc, &c->listener, err);
    secure_wipe(&lc.handshake, sizeof(lc.handshake));
    return r;
}

static int post_output(void *user, unsigned thread, unsigned place, struct sink *sink,
                       _Atomic unsigned *done)
{
    struct collector *c = user;
    return thread < c->around.conf->threads
               ? listener_output(c->listener, thread, place, sink, done)
               : mirrors_output(c->mirrors, place, sink, sink ? c->outputs.output[place] : NULL,
                                done);
}

static void place_output(void *user, unsigned place, struct sink *output)
{
    listener_place(((struct collector *)user)->listener, place, output);
}

static int open_output(void *user, unsigned at, int *ret_fd, struct error *err)
{
    return collector_request_output(((struct collector *)user)->around.broker, at, ret_fd, err);
}

static int make_mirrors(struct collector *c, struct error *err)
{
    const struct collector_conf *conf = c->around.conf;
    const struct mirrors_around around = {.conf = &conf->mirrors,
                                          .opened = &c->around.opened->mirrors,
                                          .outputs = &c->outputs,
                                          .writer = c->outputs.writer[conf->threads],
                                          .stages = &conf->stages,
                                          .restage = conf->reread,
                                          .listener = c->listener};
    return mirrors_wished(&conf->mirrors) ? mirrors_new(&around, &c->mirrors, err) : 0;
}

static int make_meter(struct collector *c, struct error *err)
{
    const struct collector_conf *conf = c->around.conf;
    return collector_meters(conf) ? meter_make(&conf->meter, &c->around.opened->exports,
                                               METER_BY_POINTS, &c->meter, err)
                                  : 0;
}

static int begin(struct collector *c, struct error *err)
{
    int r = make_meter(c, err);
    r = r < 0 ? r : make_outputs(c, err);
    r = r < 0 ? r : make_listener(c, err);
    r = r < 0 ? r : make_mirrors(c, err);
    if (r < 0) {
        return r;
    }
    c->threads = (struct outputs_threads){post_output, place_output, open_output, c};
    c->devices = (struct devices){&c->outputs, c->listener, c->around.broker, c->around.teller,
                                  &c->around.opened->device};
    c->ports = (struct ports){.outputs = &c->outputs,
                              .listener = c->listener,
                              .broker = c->around.broker,
                              .teller = c->around.teller,
                              .loop = c->around.loop,
                              .watch = c->around.opened->watch};
    r = ports_begin(&c->ports, err);
    if (r < 0) {
        return r;
    }
    c->log = (struct tap_log){.loop = c->around.loop,
                              .listener = c->listener,
                              .mirrors = c->mirrors,
                              .teller = c->around.teller,
                              .describe = &c->around.conf->describe};
    r = tap_log_every(&c->log, c->around.conf->log_ms);
    r = r < 0 ? r
              : loop_add_timer(c->around.loop, mono_add_ms(mono_now(), CHECK_MS),
                               CHECK_MS * NSEC_PER_MSEC, on_timer, c, &c->timer);
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
    ports_end(&c->ports);
    tap_log_end(&c->log);
    mirrors_free(c->mirrors);
    listener_free(c->listener);
    outputs_end_all(&c->outputs);
    outputs_done(&c->outputs);
    loop_del_timer(c->around.loop, c->timer);
    free(c);
}

void collector_stop(struct collector *c)
{
    listener_stop(c->listener);
    if (c->mirrors) {
        mirrors_stop(c->mirrors);
    }
    outputs_finish(&c->outputs);
    outputs_end_all(&c->outputs);
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

void collector_become(struct collector *c, const struct collector_conf *conf)
{
    c->around.conf = conf;
    c->log.describe = &conf->describe;
    if (tap_log_every(&c->log, conf->log_ms) < 0) {
        teller_tell(c->around.teller, "--log-interval: there is no memory for it");
    }
    int r = listener_stages(c->listener, &conf->stages);
    r = r == 0 && c->mirrors ? mirrors_stages(c->mirrors, &conf->stages) : r;
    if (r < 0) {
        teller_tell(c->around.teller, "some stages stay as they were, as a thread is stuck");
    }
    outputs_become(&c->outputs, c->listener, &conf->outputs, &c->threads);
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

const struct mirrors *collector_mirrors(const struct collector *c)
{
    return c->mirrors;
}

json_t *collector_document(void *collector)
{
    const struct collector *c = collector;
    json_t *doc = report_collector(c->around.name, c->listener, &c->around.conf->describe,
                                   c->outputs.output, c->outputs.n);
    if (c->mirrors) {
        report_mirrors(doc, c->mirrors, &c->around.conf->describe);
    }
    if (c->meter.sink) {
        json_t *meter = json_object();
        meter_report(&c->meter, meter);
        (void)json_object_set_new(doc, "meter", meter);
    }
    return doc;
}

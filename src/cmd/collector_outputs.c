/* SPDX-License-Identifier: Apache-2.0
 *
 * Where a collector's frames go, and what it opens for that before it gives its privileges up.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "cmd/collector.h"
#include "data/sink/device.h"
#include "data/sink/file/file.h"
#include "data/sink/file/lock.h"
#include "data/sink/queue/queue.h"
#include "proto/link.h"

enum {
    RECEIVE_BUFFER = 32 << 20,
    FILE_CHUNKS_MIN = 8, /* disks pause now and then */
    DEVICE_SHARE = 8, /* of --output-queue: what each device has where there is one for each tap */
};

const struct broker_request collector_requests[COLLECTOR_REQUESTS] = {
    [COLLECTOR_DEVICE] = {"make a device", collector_device_request, 0, LINK_NAME_MAX},
    [COLLECTOR_ALLOW] = {"open the list of taps", collector_allow_request, 0, 0},
};

static int open_socket(struct collector *c, struct error *err)
{
    struct udp_addr a = {0};
    int r = c->conf.bind ? udp_addr_parse(c->conf.bind, &a) : 0;
    if (r == -ENODEV) {
        return error_set(err, ENODEV, "--bind: there is no interface \"%s\"",
                         strchr(c->conf.bind, '%') + 1);
    }
    if (r < 0) {
        return error_set(err, EINVAL, "--bind: \"%s\" is not an IPv4 or IPv6 address",
                         c->conf.bind);
    }
    r = udp_bind_group(a.len ? &a : NULL, c->conf.port, c->conf.threads, c->fd, err);
    for (unsigned i = 0; r == 0 && i < c->conf.threads; i++) {
        (void)udp_set_buffers(c->fd[i], RECEIVE_BUFFER, 4 << 20, NULL, NULL);
    }
    return r;
}

static int open_file(struct collector *c, struct error *err)
{
    if (strcmp(c->conf.file, "-") == 0) {
        if (isatty(STDOUT_FILENO)) {
            return error_set(err, EINVAL,
                             "-w -: standard output is a terminal; pipe it to a program");
        }
        c->file_fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    } else {
        c->file_fd = open(c->conf.file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    }
    return c->file_fd < 0 ? error_sys(err, errno, "cannot open %s", c->conf.file)
                          : file_lock(c->file_fd, c->conf.file, &c->lock_fd, err);
}

int collector_open(struct collector *c, struct error *err)
{
    int r = open_socket(c, err);
    if (r == 0 && c->conf.file) {
        r = open_file(c, err);
    }
    return r == 0 && c->conf.device ? collector_open_devices(c, err) : r;
}

/* The newest output gets a queue before it, with a thread of its own. */
static int queue_output(struct collector *c, struct error *err)
{
    const size_t bytes = c->conf.output_queue > 0 ? c->conf.output_queue : QUEUE_BYTES;
    const struct queue_sink_conf qc = {
        .bytes = bytes / (c->one_each ? DEVICE_SHARE : 1),
        .lanes = c->one_each,
        .order_ns = (int64_t)c->conf.order_ms * NSEC_PER_MSEC,
    };
    struct sink **out = &c->output[c->n_outputs - 1];
    int r = queue_sink_new(*out, c->conf.threads, &qc, out);
    return r < 0 ? error_sys(err, -r, "%s", (*out)->name) : 0;
}

static int make_device(struct collector *c, struct error *err)
{
    int r = device_sink_new(c->conf.device, c->device.fd, &c->output[c->n_outputs]);
    if (r < 0) {
        return error_sys(err, -r, "%s", c->conf.device);
    }
    c->device_sink = c->output[c->n_outputs];
    c->n_outputs++;
    return queue_output(c, err);
}

/* It has chunks and a thread by itself: a queue more is for what those cannot do. */
static int make_file(struct collector *c, struct error *err)
{
    const struct file_sink_conf fc = {
        .path = c->conf.file,
        .os = c->os,
        .app = "farspan " FARSPAN_VERSION,
        .chunks = c->conf.output_queue > 0
                      ? MAX((uint32_t)(c->conf.output_queue / FILE_SINK_CHUNK), FILE_CHUNKS_MIN)
                      : 0};
    int r = file_sink_new(c->file_fd, true, &fc, &c->output[c->n_outputs], err);
    if (r < 0) {
        return r;
    }
    c->file_fd = -1;
    c->n_outputs++;
    return c->conf.order_ms > 0 || c->conf.threads > 1 ? queue_output(c, err) : 0;
}

int collector_make_outputs(struct collector *c, struct error *err)
{
    int r = c->conf.device ? make_device(c, err) : 0;
    return r == 0 && c->conf.file ? make_file(c, err) : r;
}

static void failed(struct collector *c, unsigned i, int r, const struct error *err)
{
    if (c->told[i]) {
        return;
    }
    c->told[i] = true;
    if (r == -EPIPE && c->conf.file && strcmp(c->conf.file, "-") == 0) {
        say("collector", "the program that read standard output has ended");
        return; /* as usual with head(1) and the like: no failure of ours */
    }
    c->status_code = EXIT_FAILURE;
    say("collector", "%s", err->text);
}

bool collector_outputs_alive(struct collector *c)
{
    unsigned alive = 0;
    for (unsigned i = 0; i < c->n_outputs; i++) {
        struct error err = {""};
        int r = c->output[i]->ops->check(c->output[i], &err);
        if (r == 0 || r == -ENETDOWN) { /* a device that is away may come back */
            alive++;
        } else {
            failed(c, i, r, &err);
        }
        if (r > 0 && !c->told_refused[i]) {
            c->told_refused[i] = true;
            say("collector", "%s", err.text);
        }
    }
    return alive > 0;
}

void collector_finish_outputs(struct collector *c)
{
    for (unsigned i = 0; i < c->n_outputs; i++) {
        struct error err = {""};
        int r = c->output[i]->ops->finish(c->output[i], &err);
        if (r < 0 && r != -ENETDOWN) {
            failed(c, i, r, &err);
        }
    }
}

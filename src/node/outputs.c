/* SPDX-License-Identifier: Apache-2.0 */
#include "node/outputs.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "data/sink/device.h"
#include "data/sink/file/file.h"
#include "data/sink/file/lock.h"
#include "data/sink/queue/queue.h"

enum {
    FILE_CHUNKS_MIN = 8, /* disks pause now and then */
    DEVICE_SHARE = 8,    /* of queue_bytes: what each device has where there is one for each tap */
};

int outputs_open_file(const char *path, int *ret_fd, int *ret_lock, struct error *err)
{
    if (strcmp(path, "-") == 0) {
        if (isatty(STDOUT_FILENO)) {
            return error_set(err, EINVAL,
                             "-w -: standard output is a terminal; pipe it to a program");
        }
        *ret_fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    } else {
        *ret_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    }
    return *ret_fd < 0 ? error_sys(err, errno, "cannot open %s", path)
                       : file_lock(*ret_fd, path, ret_lock, err);
}

/* The newest output gets a queue before it, with a thread of its own. */
static int queue_output(struct outputs *o, struct error *err)
{
    const struct outputs_conf *c = &o->conf;
    const size_t bytes = c->queue_bytes > 0 ? c->queue_bytes : QUEUE_BYTES;
    const struct queue_sink_conf qc = {
        .bytes = bytes / (c->one_each ? DEVICE_SHARE : 1),
        .lanes = c->one_each,
        .order_ns = (int64_t)c->order_ms * NSEC_PER_MSEC,
    };
    struct sink **out = &o->output[o->n - 1];
    int r = queue_sink_new(*out, c->threads, &qc, out);
    return r < 0 ? error_sys(err, -r, "%s", (*out)->name) : 0;
}

static int make_device(struct outputs *o, int fd, struct error *err)
{
    int r = device_sink_new(o->conf.device, fd, &o->output[o->n]);
    if (r < 0) {
        return error_sys(err, -r, "%s", o->conf.device);
    }
    o->device = o->output[o->n];
    o->n++;
    return queue_output(o, err);
}

/* It has chunks and a thread by itself: a queue more is for what those cannot do. */
static int make_file(struct outputs *o, int *fd, struct error *err)
{
    const struct outputs_conf *c = &o->conf;
    const struct file_sink_conf fc = {
        .path = c->file,
        .os = c->os,
        .app = "farspan " FARSPAN_VERSION,
        .chunks = c->queue_bytes > 0
                      ? MAX((uint32_t)(c->queue_bytes / FILE_SINK_CHUNK), FILE_CHUNKS_MIN)
                      : 0};
    int r = file_sink_new(*fd, true, &fc, &o->output[o->n], err);
    if (r < 0) {
        return r;
    }
    *fd = -1;
    o->n++;
    return c->order_ms > 0 || c->threads > 1 ? queue_output(o, err) : 0;
}

int outputs_make(const struct outputs_conf *conf, int device, int *file, struct outputs *ret,
                 struct error *err)
{
    struct outputs *o = ret;
    o->conf = *conf;
    int r = conf->device ? make_device(o, device, err) : 0;
    r = r == 0 && conf->file ? make_file(o, file, err) : r;
    for (unsigned i = 0; r == 0 && i < conf->threads * o->n; i++) {
        o->writer[i] = queue_sink_producer(o->output[i % o->n], i / o->n);
    }
    return r;
}

void outputs_done(struct outputs *o)
{
    while (o->n > 0) {
        sink_free(o->output[--o->n]);
    }
}

static void failed(struct outputs *o, unsigned i, int r, const struct error *err)
{
    if (o->told[i]) {
        return;
    }
    o->told[i] = true;
    if (r == -EPIPE && o->conf.file && strcmp(o->conf.file, "-") == 0) {
        teller_tell(o->conf.teller, "the program that read standard output has ended");
        return; /* as usual with head(1) and the like: no failure of ours */
    }
    o->failed = true;
    teller_tell(o->conf.teller, "%s", err->text);
}

bool outputs_alive(struct outputs *o)
{
    unsigned alive = 0;
    for (unsigned i = 0; i < o->n; i++) {
        struct error err = {""};
        int r = o->output[i]->ops->check(o->output[i], &err);
        if (r == 0 || r == -ENETDOWN) { /* a device that is away may come back */
            alive++;
        } else {
            failed(o, i, r, &err);
        }
        if (r > 0 && !o->told_refused[i]) {
            o->told_refused[i] = true;
            teller_tell(o->conf.teller, "%s", err.text);
        }
    }
    return alive > 0;
}

void outputs_finish(struct outputs *o)
{
    for (unsigned i = 0; i < o->n; i++) {
        struct error err = {""};
        int r = o->output[i]->ops->finish(o->output[i], &err);
        if (r < 0 && r != -ENETDOWN) {
            failed(o, i, r, &err);
        }
    }
}

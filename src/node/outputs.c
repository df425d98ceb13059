/* SPDX-License-Identifier: Apache-2.0 */
#include "node/outputs.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "data/outputs.h"
#include "data/sink/file/lock.h"
#include "data/sink/queue/queue.h"

enum {
    DEVICE_SHARE = 8, /* of queue_bytes: what each device has where there is one for each tap */
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

static int (*const makers[OUTPUT_KINDS])(const struct output_wishes *w, struct sink **ret,
                                         struct error *err) = {
#define X(ID, name) [OUTPUT_##ID] = name##_output,
    OUTPUT_LIST(X)
#undef X
};

/* A queue before the newest output, with a thread of its own. */
static int put_queue(struct outputs *o, struct error *err)
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

/* An output that does not wait needs a queue for order, and where several threads receive. */
static int make(struct outputs *o, enum output_kind kind, struct output_wishes *w,
                struct error *err)
{
    struct sink *s = NULL;
    int r = makers[kind](w, &s, err);
    if (r < 0 || !s) {
        return r;
    }
    w->file_fd = kind == OUTPUT_FILE ? -1 : w->file_fd;
    o->device = kind == OUTPUT_DEVICE ? s : o->device;
    o->output[o->n++] = s;
    return s->ops->waits || o->conf.order_ms > 0 || o->conf.threads > 1 ? put_queue(o, err) : 0;
}

int outputs_make(const struct outputs_conf *conf, int device, int *file, struct outputs *ret,
                 struct error *err)
{
    struct outputs *o = ret;
    struct output_wishes w = {.device = conf->device,
                              .device_fd = device,
                              .file = conf->file,
                              .file_fd = *file,
                              .os = conf->os,
                              .bytes = conf->queue_bytes};
    int r = 0;
    o->conf = *conf;
    for (unsigned kind = 0; r == 0 && kind < OUTPUT_KINDS; kind++) {
        r = make(o, (enum output_kind)kind, &w, err);
    }
    *file = w.file_fd;
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
        if (r >= 0 || r == -ENETDOWN) { /* a device that is away may come back */
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

/* SPDX-License-Identifier: Apache-2.0 */
#include "node/outputs.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "data/outputs.h"
#include "data/sink/file/lock.h"
#include "data/sink/queue/queue.h"
#include "sys/broker.h"

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

void outputs_opened_none(struct outputs_opened *o)
{
    *o = (struct outputs_opened){.file = -1, .lock = -1};
    for (unsigned i = 0; i < OUTPUT_LIST_MAX; i++) {
        o->listed[i] = -1;
    }
}

void outputs_opened_done(struct outputs_opened *o)
{
    for (unsigned i = 0; i < OUTPUT_LIST_MAX; i++) {
        closep(&o->listed[i]);
    }
    closep(&o->file);
    closep(&o->lock);
}

int outputs_open_one(const struct output_spec *s, const char *user, int *ret_fd, struct error *err)
{
    struct resolve_conf names = {.lookup = NULL};
    int r = geteuid() == 0 ? broker_find_user(user, &names.child, err) : 0;
    return r < 0 ? r : output_list_open(s, &names, ret_fd, err);
}

int outputs_open_list(const struct output_list *list, const char *user, int ret[OUTPUT_LIST_MAX],
                      struct error *err)
{
    int r = 0;
    for (unsigned i = 0; r == 0 && i < list->n; i++) {
        r = outputs_open_one(&list->spec[i], user, &ret[i], err);
        if (r < 0) {
            error_prefix(err, "-o %s", list->spec[i].text);
        }
    }
    return r;
}

static output_make *const makers[OUTPUT_KINDS] = {
#define OWN(X, ID, name) [OUTPUT_##ID] = name##_output,
#define USER(X, ID, name, scheme, form, help) [OUTPUT_##ID] = name##_output,
    OUTPUT_LIST(OWN, USER, )
#undef OWN
#undef USER
};

static int free_place(const struct outputs *o)
{
    for (int i = 0; i < FAN_SINKS; i++) {
        if (!o->output[i]) {
            return i;
        }
    }
    return -ENOSPC;
}

/* A queue before the output, with a thread of its own. */
static int put_queue(const struct outputs *o, uint64_t own, struct sink **out, struct error *err)
{
    const struct outputs_conf *c = &o->conf;
    const size_t bytes = own > 0 ? own : c->queue_bytes > 0 ? c->queue_bytes : QUEUE_BYTES;
    const struct queue_sink_conf qc = {
        .bytes = bytes / (c->one_each ? DEVICE_SHARE : 1),
        .lanes = c->one_each,
        .order_ns = (int64_t)c->order_ms * NSEC_PER_MSEC,
    };
    int r = queue_sink_new(*out, c->threads, &qc, out);
    return r < 0 ? error_sys(err, -r, "%s", (*out)->name) : 0;
}

/* Puts the output, which is taken, into a place that is free. One that does not wait needs a queue
 * for order, and where several threads give frames. */
static int put(struct outputs *o, int at, struct sink *s, uint64_t bytes, struct error *err)
{
    struct sink *inner = s;
    int r = 0;
    if (s->ops->waits || o->conf.order_ms > 0 || o->conf.threads > 1) {
        r = put_queue(o, bytes, &s, err);
    }
    if (r < 0) {
        sink_free(s);
        return r;
    }
    o->output[at] = s;
    o->n = MAX(o->n, (unsigned)at + 1);
    o->place[at] = (struct output_place){.sink = inner, .posted = o->conf.threads};
    atomic_store(&o->place[at].done, o->conf.threads);
    for (unsigned t = 0; t < o->conf.threads; t++) {
        o->writer[t][at] = queue_sink_producer(s, t);
    }
    return at;
}

/* Its place, or -errno. `shown`: its name for people, NULL: its own. */
static int make(struct outputs *o, const struct output_wish *w, const char *shown,
                struct error *err)
{
    struct sink *s = NULL;
    const int at = free_place(o);
    int fd = w->fd, r = 0;
    if (at < 0) {
        if (w->kind != OUTPUT_DEVICE) {
            closep(&fd);
        }
        return error_set(err, ENOSPC, "outputs of before are not at their end yet: try again");
    }
    r = makers[w->kind](w, &s, err);
    if (r < 0) {
        return r;
    }
    if (shown) {
        snprintf(s->name, sizeof(s->name), "%s", shown);
    }
    return put(o, at, s, w->bytes, err);
}

static int make_own(struct outputs *o, int device, struct outputs_opened *opened, struct error *err)
{
    const struct outputs_conf *c = &o->conf;
    struct output_wish w = {.fd = -1, .os = c->os, .bytes = c->queue_bytes};
    int r = 0;
    if (c->device) {
        w.kind = OUTPUT_DEVICE;
        w.name = c->device;
        w.fd = device;
        r = make(o, &w, NULL, err);
        o->device = r < 0 ? NULL : o->place[r].sink;
    }
    if (r >= 0 && c->file) {
        w.kind = OUTPUT_FILE;
        w.name = c->file;
        w.fd = TAKE_FD(opened->file);
        r = make(o, &w, NULL, err);
    }
    return r < 0 ? r : 0;
}

int outputs_make_one(struct outputs *o, const struct output_spec *spec, unsigned at, int fd,
                     struct error *err)
{
    const struct output_wish w = {.kind = spec->kind,
                                  .name = spec->text,
                                  .own = spec->own,
                                  .fd = fd,
                                  .os = o->conf.os,
                                  .bytes = spec->queue > 0 ? spec->queue : o->conf.queue_bytes};
    const int place = make(o, &w, spec->name, err);
    if (place >= 0) {
        o->place[place].spec = spec;
        o->place[place].at = at;
    }
    return place;
}

int outputs_make(const struct outputs_conf *conf, int device, struct outputs_opened *opened,
                 struct outputs *ret, struct error *err)
{
    struct outputs *o = ret;
    o->conf = *conf;
    int r = conf->meter ? put(o, free_place(o), conf->meter, 0, err) : 0;
    r = r < 0 ? r : make_own(o, device, opened, err);
    for (unsigned i = 0; conf->list && r >= 0 && i < conf->list->n; i++) {
        r = outputs_make_one(o, &conf->list->spec[i], i, TAKE_FD(opened->listed[i]), err);
    }
    return r < 0 ? r : 0;
}

unsigned outputs_count(const struct outputs *o)
{
    unsigned n = 0;
    for (unsigned i = 0; i < o->n; i++) {
        n += o->output[i] ? 1 : 0;
    }
    return n;
}

void outputs_done(struct outputs *o)
{
    for (; o->n > 0; o->n--) {
        sink_free(TAKE_PTR(o->output[o->n - 1]));
    }
}

void outputs_event(const struct outputs *o, struct listener *l, enum history_kind kind,
                   const char *name, const char *words)
{
    listener_event(l, kind, name, words);
    teller_tell(o->conf.teller, "%s %s", name, words);
}

static void failed(struct outputs *o, unsigned i, int r, const struct error *err)
{
    if (o->place[i].told) {
        return;
    }
    o->place[i].told = true;
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
        int r = o->output[i] ? o->output[i]->ops->check(o->output[i], &err) : 0;
        if (!o->output[i] || o->place[i].leaves) {
            continue;
        }
        if (r >= 0 || r == -ENETDOWN) { /* a device that is away may come back */
            alive++;
        } else {
            failed(o, i, r, &err);
        }
        if (r > 0 && !o->place[i].told_refused) {
            o->place[i].told_refused = true;
            teller_tell(o->conf.teller, "%s", err.text);
        }
    }
    return alive > 0;
}

void outputs_finish(struct outputs *o)
{
    for (unsigned i = 0; i < o->n; i++) {
        struct error err = {""};
        int r = o->output[i] ? o->output[i]->ops->finish(o->output[i], &err) : 0;
        if (r < 0 && r != -ENETDOWN) {
            failed(o, i, r, &err);
        }
    }
}

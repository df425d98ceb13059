/* SPDX-License-Identifier: Apache-2.0 */
#include "node/meter_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "data/meter/meter.h"
#include "data/pipeline.h"
#include "data/source/file.h"
#include "data/thread.h"
#include "node/meter_requests.h"
#include "node/report.h"
#include "node/report_parts.h"
#include "proto/packet.h"

enum {
    BATCHES = 16,   /* between two looks at what else there is to do */
    SLEEP_MS = 250, /* of a pipe; what exporters have in part leaves within a second */
    TEND_MS = 500,
};

struct meter_file {
    struct meter_file_around around;
    struct ledger ledger; /* of the file; data thread */
    struct pipeline pipeline;
    uint16_t linktype[POINT_MAX];          /* by point */
    struct meter meter;                    /* whose sink is the pipeline's */
    const struct meter_file_filter *unfit; /* the last whose link type the filter does not know */
    struct thread *thread;
    struct wake over;
    bool ended; /* the thread has come to the end of the file */
    struct loop_fd *watch;
    struct loop_timer *timer;
};

/* ---- files ---- */

static int open_file(const char *path, struct error *err)
{
    int fd = strcmp(path, "-") == 0 ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
                                    : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    return fd < 0 ? error_sys(err, errno, "cannot open %s", path) : fd;
}

static int open_files(const struct meter_file_conf *conf, struct meter_file_opened *ret,
                      struct error *err)
{
    ret->file = open_file(conf->file, err);
    return ret->file < 0 ? ret->file : exports_open(&conf->meter.exports, &ret->exports, err);
}

/* For every link type, as the file's is not known yet. An expression that Ethernet does not take is
 * none: others take less. */
static int compile(const char *expr, struct meter_file_opened *ret, struct error *err)
{
    size_t n = 0;
    const uint16_t *links = packet_links(&n);
    for (size_t i = 0; i < n && i < METER_LINKS; i++) {
        struct meter_file_filter *f = &ret->filter[ret->n_filters++];
        *f = (struct meter_file_filter){.linktype = links[i]};
        const int r = filter_compile_linktype(expr, links[i], &f->prog, &f->why);
        if (r < 0 && links[i] == PACKET_ETHERNET) {
            *err = f->why;
            return r;
        }
    }
    return 0;
}

int meter_file_open(const struct meter_file_conf *conf, struct meter_file_opened *ret,
                    struct error *err)
{
    const int r = conf->filter ? compile(conf->filter, ret, err) : 0;
    return r < 0 ? r : open_files(conf, ret, err);
}

void meter_file_opened_done(struct meter_file_opened *o)
{
    closep(&o->file);
    exports_opened_done(&o->exports);
    for (; o->n_filters > 0; o->n_filters--) {
        filter_done(&o->filter[o->n_filters - 1].prog);
    }
}

/* ---- the data thread ---- */

static int thread_fd(const void *owner)
{
    const struct source *s = ((const struct meter_file *)owner)->pipeline.source;
    return s->ops->fd(s);
}

static int thread_run(void *owner, short revents)
{
    struct meter_file *m = owner;
    (void)revents;
    if (thread_stopping(m->thread)) {
        return THREAD_END;
    }
    const int r = pipeline_run(&m->pipeline, BATCHES, mono_now());
    if (file_source_ended(m->pipeline.source)) {
        meter_sink_end(m->pipeline.sink);
        return THREAD_END;
    }
    if (r != SOURCE_MORE) {
        pipeline_flush(&m->pipeline);
    }
    return r == SOURCE_MORE ? 0 : SLEEP_MS;
}

static void thread_end(void *owner, int error)
{
    (void)error;
    wake_signal(&((struct meter_file *)owner)->over);
}

static const struct thread_ops thread_ops = {
    .fd = thread_fd,
    .run = thread_run,
    .end = thread_end,
};

static void on_over(struct loop *l, int fd, uint32_t events, void *user)
{
    struct meter_file *m = user;
    (void)l;
    (void)fd;
    (void)events;
    (void)wake_clear(&m->over);
    m->ended = true;
    m->around.over(m->around.user);
}

static void on_timer(struct loop *l, struct mono now, void *user)
{
    struct meter_file *m = user;
    (void)l;
    meter_tend(&m->meter, &m->around.conf->meter, meter_request_export, m->around.broker, now);
}

/* ---- its life ---- */

static int offer_point(void *user, const struct point_offer *offer)
{
    struct meter_file *m = user;
    struct sink *s = m->pipeline.sink;
    struct error err;
    if (offer->index < POINT_MAX) {
        m->linktype[offer->index] = offer->linktype;
    }
    return s->ops->point_add(s, offer, &err);
}

/* The filter for frames of that link type; without one, none of them counts. */
static int take_filter(void *user, uint16_t linktype, struct filter_prog *ret)
{
    struct meter_file *m = user;
    struct meter_file_opened *o = m->around.opened;
    for (unsigned i = 0; i < o->n_filters; i++) {
        struct meter_file_filter *f = &o->filter[i];
        if (f->linktype == linktype && f->prog.insns) {
            *ret = f->prog;
            f->prog = (struct filter_prog){0};
            return 0;
        }
        if (f->linktype == linktype) {
            m->unfit = f;
            return -EINVAL;
        }
    }
    return o->n_filters > 0 ? -ENOTSUP : 0; /* nobody can read that one */
}

static int make_pipeline(struct meter_file *m, struct error *err)
{
    const struct meter_file_conf *c = m->around.conf;
    const struct file_source_conf fc = {.fd = m->around.opened->file,
                                        .name =
                                            strcmp(c->file, "-") == 0 ? "standard input" : c->file,
                                        .ledger = &m->ledger,
                                        .point = offer_point,
                                        .filter = take_filter,
                                        .user = m};
    const struct pass pass = {.common = &m->ledger, .linktype = m->linktype};
    int r = meter_make(&c->meter, &m->around.opened->exports, METER_BY_FRAMES, &m->meter, err);
    if (r < 0) {
        return r;
    }
    m->pipeline.sink = m->meter.sink;
    m->around.opened->file = -1;
    r = file_source_new(&fc, &m->pipeline.source);
    r = r < 0 ? r
              : pipeline_init(&m->pipeline, STAGE_AT_FILE, &(struct stage_conf){.list = c->stages},
                              &pass);
    return r < 0 ? error_sys(err, -r, "cannot start") : 0;
}

static int start(struct meter_file *m, struct error *err)
{
    const struct thread_conf tc = {"meter", &thread_ops, m, .posts = 1};
    int r = wake_init(&m->over);
    r = r < 0 ? r : loop_add_fd(m->around.loop, m->over.fd, EPOLLIN, on_over, m, &m->watch);
    r = r < 0 ? r
              : loop_add_timer(m->around.loop, mono_add_ms(mono_now(), TEND_MS),
                               TEND_MS * NSEC_PER_MSEC, on_timer, m, &m->timer);
    r = r < 0 ? r : thread_start(&tc, &m->thread);
    return r < 0 ? error_sys(err, -r, "cannot start") : 0;
}

int meter_file_new(const struct meter_file_around *around, struct meter_file **ret,
                   struct error *err)
{
    struct meter_file *m = calloc(1, sizeof(*m));
    if (!m) {
        return error_sys(err, ENOMEM, "cannot start");
    }
    m->around = *around;
    m->over.fd = -1;
    int r = make_pipeline(m, err);
    r = r < 0 ? r : start(m, err);
    if (r < 0) {
        meter_file_free(m);
        return r;
    }
    *ret = m;
    return 0;
}

int meter_file_stop(struct meter_file *m, struct error *err)
{
    struct error more = {""};
    thread_stop(m->thread);
    if (!m->ended) {
        meter_sink_hurry(m->pipeline.sink); /* the thread may wait for a collector */
    }
    thread_free(m->thread); /* the thread looks at the pointer until it has ended */
    m->thread = NULL;
    int r = file_source_check(m->pipeline.source, err);
    const int failed = m->pipeline.sink->ops->finish(m->pipeline.sink, &more);
    if (r == 0 && m->unfit) {
        r = error_set(err, EINVAL, "%s: frames of link type %u cannot be filtered: %s",
                      m->around.conf->file, m->unfit->linktype, m->unfit->why.text);
    }
    if (r == 0 && failed < 0) {
        r = failed;
        *err = more;
    }
    return r;
}

void meter_file_free(struct meter_file *m)
{
    if (!m) {
        return;
    }
    if (m->thread) {
        thread_stop(m->thread);
        thread_free(m->thread);
    }
    loop_del_timer(m->around.loop, m->timer);
    loop_del_fd(m->around.loop, m->watch);
    wake_done(&m->over);
    pipeline_done(&m->pipeline);
    free(m);
}

json_t *meter_file_document(const struct meter_file *m)
{
    json_t *o = report_head("meter", m->around.conf->file);
    struct ledger all = {0};
    for (enum ledger_id id = 0; id < LEDGER_COUNT; id++) {
        ledger_set(&all, id, ledger_get(&m->ledger, id));
    }
    sink_total(m->pipeline.sink, &all);
    (void)json_object_set_new(o, "stages", report_stages(&all, &m->pipeline.way));
    meter_report(&m->meter, o);
    return o;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "node/mirrors.h"

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "data/pipeline.h"
#include "data/thread.h"
#include "model/bucket.h"
#include "sys/dgram.h"

enum {
    ROUNDS = 16, /* of reading all sockets, between two looks at commands */
    IDLE_MS = 200,
    POSTS = 16,
    POST_WAIT_MS = 100,
    PAST_END_MS = 2000, /* for which packets that have come are still read at the end */
    TOLD = 1,           /* sentences about senders: a second, … */
    TOLD_BURST = 32,    /* … and at once */
};

/* An event of a stage, on its way from the data thread to the control thread. */
struct stage_event {
    pthread_mutex_t lock;
    enum history_kind kind; /* HISTORY_NONE: there is none */
    char words[HISTORY_WORDS + 1];
};

struct mirrors {
    struct mirrors_around around;
    struct pipeline pipeline;
    struct thread *thread;
    struct ledger *ledger[POINT_MAX];
    struct ledger nobodys; /* of frames of other points: there are none */
    struct stage_event event;
    _Atomic int failed; /* 0 or -errno */
    bool told;
    struct mono end; /* once it is to stop: when that must be */
    struct bucket telling;
    unsigned untold; /* sentences that were too many */
    /* Of each place of a point: whose it was, and the state that it had, at the last look. */
    struct {
        uint64_t sender;
        enum decap_carrier carrier;
        uint32_t id;
        int state;
    } seen[POINT_MIRRORS];
};

/* ---- with privileges ---- */

bool mirrors_wished(const struct mirrors_conf *c)
{
    return c->n_vxlan > 0 || c->gre || c->erspan || c->tzsp != 0 || c->ivtap != 0;
}

int mirrors_allowed(const struct mirrors_conf *c, struct error *err)
{
    return c->from.n > 0 || !mirrors_wished(c)
               ? 0
               : error_set(err, EINVAL,
                           "mirrored frames come in the clear: say whose are taken, such as "
                           "--from 10.0.0.0/8");
}

static int open_udp(struct mirrors_opened *o, enum mirror_kind kind, const char *option,
                    uint16_t port, const struct udp_addr *at, struct error *err)
{
    struct mirror_socket *s = &o->socket[o->n];
    int r = dgram_open_udp(at, port, &s->fd, err);
    if (r == -EADDRINUSE) {
        return error_set(err, EADDRINUSE,
                         "%s %u: another program, or a %s device of this host, has that port%s",
                         option, port, kind == MIRROR_VXLAN ? "vxlan" : "network",
                         kind == MIRROR_VXLAN ? ": see \"ip -d link show type vxlan\"" : "");
    }
    if (r < 0) {
        error_prefix(err, "%s", option);
        return r;
    }
    s->kind = kind;
    s->port = port;
    o->n++;
    return 0;
}

static int open_raw(struct mirrors_opened *o, int family, const char *option,
                    const struct udp_addr *at, struct error *err)
{
    struct mirror_socket *s = &o->socket[o->n];
    int r = dgram_open_raw(family, IPPROTO_GRE, at, &s->fd, err);
    if (r < 0) {
        error_prefix(err, "%s", option);
        return r;
    }
    s->kind = MIRROR_GRE;
    s->port = 0;
    o->n++;
    return 0;
}

/* GRE over both families, as far as the host has them and the address is of one. */
static int open_gre(const struct mirrors_conf *c, const struct udp_addr *at,
                    struct mirrors_opened *o, struct error *err)
{
    const char *option = c->erspan ? "--erspan" : "--gre";
    const bool six = !at || at->sa.sa_family == AF_INET6;
    int r = !at || at->sa.sa_family == AF_INET ? open_raw(o, AF_INET, option, at, err) : 0;
    if (r == 0 && six) {
        r = open_raw(o, AF_INET6, option, at, err);
        r = r == -EAFNOSUPPORT && !at ? 0 : r;
    }
    return r;
}

int mirrors_open(const struct mirrors_conf *c, const struct udp_addr *at,
                 struct mirrors_opened *ret, struct error *err)
{
    int r = mirrors_allowed(c, err);
    for (unsigned i = 0; r == 0 && i < c->n_vxlan; i++) {
        r = open_udp(ret, MIRROR_VXLAN, "--vxlan", c->vxlan[i], at, err);
    }
    if (r == 0 && (c->gre || c->erspan)) {
        r = open_gre(c, at, ret, err);
    }
    if (r == 0 && c->tzsp) {
        r = open_udp(ret, MIRROR_TZSP, "--tzsp", c->tzsp, at, err);
    }
    if (r == 0 && c->ivtap) {
        r = open_udp(ret, MIRROR_IVTAP, "--ivtap", c->ivtap, at, err);
    }
    return r;
}

void mirrors_opened_done(struct mirrors_opened *o)
{
    while (o->n > 0) {
        closep(&o->socket[--o->n].fd);
    }
}

/* ---- the thread ---- */

static int thread_fd(const void *owner)
{
    const struct source *s = ((const struct mirrors *)owner)->pipeline.source;
    return s->ops->fd(s);
}

/* Packets that have come before it was asked to stop are still read. */
static bool may_end(struct mirrors *m, bool more, struct mono now)
{
    if (!thread_stopping(m->thread)) {
        return false;
    }
    m->end = m->end.ns ? m->end : mono_add_ms(now, PAST_END_MS);
    return !more || mono_due(now, m->end);
}

static int thread_run(void *owner, short revents)
{
    struct mirrors *m = owner;
    const struct mono now = mono_now();
    (void)revents; /* an error of a socket's is read from it */
    while (thread_next(m->thread)) {
    }
    const int r = pipeline_run(&m->pipeline, ROUNDS, now);
    const bool more = r == SOURCE_MORE;
    source_count(m->pipeline.source);
    if (!more) {
        pipeline_flush(&m->pipeline);
    }
    if (r < 0) {
        m->failed = r;
    }
    return r < 0 || may_end(m, more, now) ? THREAD_END
           : more                         ? 0
                                          : pipeline_wait(&m->pipeline, now, IDLE_MS);
}

static void thread_end(void *owner, int error)
{
    struct mirrors *m = owner;
    if (error != 0) {
        m->failed = -error;
    }
    while (thread_next(m->thread)) {
    }
    mirror_points_remove(mirror_source_points(m->pipeline.source));
    pipeline_flush(&m->pipeline);
}

static const struct thread_ops thread_ops = {
    .fd = thread_fd,
    .run = thread_run,
    .end = thread_end,
};

/* The newest of a stage's events that nobody has taken yet. */
static void on_stage_event(void *user, enum history_kind kind, const char *words)
{
    struct stage_event *e = &((struct mirrors *)user)->event;
    pthread_mutex_lock(&e->lock);
    e->kind = kind;
    snprintf(e->words, sizeof(e->words), "%s", words);
    pthread_mutex_unlock(&e->lock);
}

static void do_stages(void *owner, void *list)
{
    struct mirrors *m = owner;
    (void)pipeline_restage(&m->pipeline, STAGE_AT_COLLECTOR, list);
}

struct output_change {
    unsigned place;
    struct sink *sink, *output;
    _Atomic unsigned *done;
};

static void do_output(void *owner, void *arg)
{
    struct mirrors *m = owner;
    const struct output_change *c = arg;
    fan_set(m->pipeline.sink, c->place, c->sink);
    mirror_points_output(mirror_source_points(m->pipeline.source), c->place, c->output);
    atomic_fetch_add_explicit(c->done, 1, memory_order_release);
}

/* ---- the control thread ---- */

static int make_pipeline(struct mirrors *m)
{
    const struct mirrors_around *a = &m->around;
    int r = fan_new(a->writer, FAN_SINKS, &m->pipeline.sink);
    if (r < 0) {
        return r;
    }
    const struct mirror_conf conf = {.socket = a->opened->socket,
                                     .n_sockets = a->opened->n,
                                     .from = &a->conf->from,
                                     .gre = a->conf->gre,
                                     .erspan = a->conf->erspan,
                                     .points = {.sink = m->pipeline.sink,
                                                .ledgers = m->ledger,
                                                .outputs = a->outputs->output,
                                                .n_outputs = FAN_SINKS}};
    r = mirror_source_new(&conf, &m->pipeline.source);
    return r < 0 ? r
                 : pipeline_init(&m->pipeline, STAGE_AT_COLLECTOR,
                                 &(struct stage_conf){.list = a->stages, .restage = a->restage},
                                 &(struct pass){mono_now(), m->ledger, POINT_MAX, &m->nobodys,
                                                on_stage_event, m});
}

int mirrors_new(const struct mirrors_around *around, struct mirrors **ret, struct error *err)
{
    struct mirrors *m = calloc(1, sizeof(*m));
    if (!m) {
        return error_sys(err, ENOMEM, "cannot read mirrored frames");
    }
    m->around = *around;
    bucket_init(&m->telling, TOLD_BURST, mono_now());
    pthread_mutex_init(&m->event.lock, NULL);
    int r = make_pipeline(m);
    r = r < 0 ? r
              : thread_start(&(struct thread_conf){.name = "mirrors",
                                                   .ops = &thread_ops,
                                                   .owner = m,
                                                   .posts = POSTS,
                                                   .wait_ms = POST_WAIT_MS},
                             &m->thread);
    if (r < 0) {
        mirrors_free(m);
        return error_sys(err, -r, "cannot read mirrored frames");
    }
    *ret = m;
    return 0;
}

void mirrors_stop(struct mirrors *m)
{
    if (m->thread) {
        thread_stop(m->thread);
        thread_free(m->thread); /* until its end it looks at it */
        m->thread = NULL;
    }
}

void mirrors_free(struct mirrors *m)
{
    if (!m) {
        return;
    }
    mirrors_stop(m);
    pipeline_done(&m->pipeline);
    pthread_mutex_destroy(&m->event.lock);
    free(m);
}

int mirrors_stages(struct mirrors *m, const struct stage_list *stages)
{
    return m->thread ? thread_post(m->thread, do_stages, (void *)stages, NULL) : 0;
}

int mirrors_output(struct mirrors *m, unsigned place, struct sink *sink, struct sink *output,
                   _Atomic unsigned *done)
{
    struct output_change *c = malloc(sizeof(*c));
    if (!c) {
        return -ENOMEM;
    }
    *c = (struct output_change){place, sink, output, done};
    return thread_post(m->thread, do_output, c, free);
}

static const char *state_words(int state)
{
    switch (state) {
    case 0:
        return "ivTAP's client says that it is well";
    case 1:
        return "ivTAP's client says that more came than its limit allows";
    case 2:
        return "ivTAP's client says that it has opened its capture anew, as it was idle";
    case -1:
        return "ivTAP's client says that it has stopped, as its limit was passed too often";
    case -2:
        return "ivTAP's client says that it has stopped, as its captures stayed idle";
    default:
        return "ivTAP's client says something that is not known";
    }
}

/* Anyone who may send can make up senders: what is said of them is bounded. */
static void tell(struct mirrors *m, enum history_kind kind, const struct point *p,
                 const char *words)
{
    char subject[HISTORY_SUBJECT + 1];
    if (!bucket_take(&m->telling, TOLD, TOLD_BURST, mono_now())) {
        m->untold++;
        return;
    }
    if (m->untold > 0) {
        teller_tell(m->around.outputs->conf.teller, "%u sentences about senders were left out",
                    m->untold);
        m->untold = 0;
    }
    snprintf(subject, sizeof(subject), "%.40s %.20s", p->tap, p->ifname);
    outputs_event(m->around.outputs, m->around.listener, kind, subject, words);
}

static void look_at(void *user, const struct mirror_point *at)
{
    struct mirrors *m = user;
    const unsigned place = at->point.index - POINT_COUNT - 1;
    const int state = at->word.words > 0 ? at->word.state : 0;
    if (m->seen[place].sender != at->point.tap_number ||
        m->seen[place].carrier != at->key.carrier || m->seen[place].id != at->key.id) {
        m->seen[place].sender = at->point.tap_number;
        m->seen[place].carrier = at->key.carrier;
        m->seen[place].id = at->key.id;
        m->seen[place].state = 0;
        tell(m, HISTORY_SENDER_NEW, &at->point, "sends frames");
    }
    if (m->seen[place].state != state) {
        m->seen[place].state = state;
        tell(m, HISTORY_SENDER_STATE, &at->point, state_words(state));
    }
}

int mirrors_look(struct mirrors *m, struct error *err)
{
    struct stage_event *e = &m->event;
    mirror_points_each(mirror_source_points(m->pipeline.source), look_at, m, NULL);
    pthread_mutex_lock(&e->lock);
    if (e->kind != HISTORY_NONE) {
        listener_event(m->around.listener, e->kind, "mirrored", e->words);
        e->kind = HISTORY_NONE;
    }
    pthread_mutex_unlock(&e->lock);
    if (m->failed == 0 || m->told) {
        return 0;
    }
    m->told = true;
    return error_sys(err, -m->failed, "mirrored frames cannot be read any more");
}

const struct source *mirrors_source(const struct mirrors *m)
{
    return m->pipeline.source;
}

const struct mirrors_around *mirrors_around(const struct mirrors *m)
{
    return &m->around;
}

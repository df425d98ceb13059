/* SPDX-License-Identifier: Apache-2.0 */
#include "data/worker.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/queue.h"
#include "base/time.h"
#include "data/pipeline.h"
#include "data/source/ring.h"
#include "data/stage/cut.h"
#include "data/stage/tunnel.h"

enum {
    IDLE_MS = 500,  /* how often an idle thread looks after its counts */
    DRAIN_MS = 20,  /* poll while the ring is emptied at the end */
    RING_MS = 3000, /* for that */
    COMMANDS = 64,
};

enum op { OP_SESSION, OP_REKEY, OP_SIZE, OP_DOWN, OP_FILTER, OP_RING };

struct command {
    enum op op;
    struct link_tx_key key;
    uint32_t serial, datagram;
    struct filter_prog prog;
    struct ring *ring;
    bool has_flow;
    struct ether_flow flow;
};

struct worker {
    pthread_t thread;
    char name[16]; /* of the thread */
    bool started, stopping;
    bool swapping; /* the ring is emptied, and `next` comes after it */
    struct ring *next;
    struct mono ring_end, backlog_end; /* not waited for longer */
    bool held;                         /* as the sink was told */
    uint32_t reports_seen;
    struct wake wake;
    const struct wake *control;
    struct queue *commands;
    struct pipeline pipeline;
    struct ledger counting; /* the thread's own; published after each run */
    struct ledger ledger;
    uint32_t serial; /* of the thread's session */
    _Atomic uint32_t published_serial;
    _Atomic uint64_t frames, datagrams;
    _Atomic int error;
    _Atomic bool stop, done; /* the end is no command: it must not find the queue full */
    _Atomic bool wants_hold, refused;
    _Atomic uint64_t accounted, lost;
    _Atomic uint32_t reports;
};

static void command_free(struct command *c)
{
    if (c) {
        link_tx_key_done(&c->key);
        filter_done(&c->prog);
        ring_free(c->ring);
        free(c);
    }
}

static void publish(struct worker *w)
{
    ring_source_count(w->pipeline.source);
    ledger_publish(&w->ledger, &w->counting);
    struct link_tx_progress p = link_tx_progress(w->pipeline.sink);
    atomic_store_explicit(&w->frames, p.frames, memory_order_relaxed);
    atomic_store_explicit(&w->datagrams, p.datagrams, memory_order_relaxed);
    atomic_store_explicit(&w->published_serial, w->serial, memory_order_release);
}

static void set_filter(struct worker *w, struct command *c)
{
    struct ring *ring = ring_source_ring(w->pipeline.source);
    int r = ring ? ring_set_filter(ring, c->prog.insns, c->prog.n, NULL) : 0;
    if (r < 0) {
        atomic_store(&w->error, -r);
        wake_signal(w->control);
    }
    tunnel_stage_set(w->pipeline.stage[0], c->has_flow ? &c->flow : NULL);
}

/* From now on nothing new comes into the ring. */
static void close_ring(struct worker *w)
{
    struct ring *ring = ring_source_ring(w->pipeline.source);
    w->ring_end = mono_add_ms(mono_now(), RING_MS);
    if (ring) {
        ring_stop(ring);
    }
}

/* True once all that was accepted is read, or will never be. */
static bool ring_emptied(struct worker *w)
{
    struct ring *ring = ring_source_ring(w->pipeline.source);
    return !ring || ring_drained(ring) || mono_due(mono_now(), w->ring_end);
}

static void carry_out(struct worker *w, struct command *c)
{
    switch (c->op) {
    case OP_SESSION:
        atomic_store_explicit(&w->published_serial, 0, memory_order_relaxed);
        link_tx_session(w->pipeline.sink, &c->key);
        c->key = (struct link_tx_key){.fd = -1};
        w->serial = c->serial;
        break;
    case OP_REKEY:
        link_tx_rekey(w->pipeline.sink, &c->key);
        c->key = (struct link_tx_key){.fd = -1};
        break;
    case OP_SIZE:
        link_tx_size(w->pipeline.sink, c->datagram);
        break;
    case OP_DOWN:
        link_tx_down(w->pipeline.sink);
        w->serial = 0;
        break;
    case OP_FILTER:
        set_filter(w, c);
        break;
    case OP_RING:
        close_ring(w);
        w->next = TAKE_PTR(c->ring);
        w->swapping = true;
        break;
    }
}

static void carry_out_all(struct worker *w)
{
    for (struct command *c; !w->swapping && (c = queue_pop(w->commands)) != NULL; command_free(c)) {
        carry_out(w, c);
    }
    if (!w->swapping && !w->stopping && atomic_load_explicit(&w->stop, memory_order_acquire)) {
        close_ring(w);
        w->stopping = true;
        w->backlog_end = mono_add_ms(mono_now(), WORKER_DRAIN_MS);
    }
}

/* What the control thread has published rather than commanded. */
static void look(struct worker *w)
{
    bool held = atomic_load_explicit(&w->wants_hold, memory_order_relaxed);
    uint32_t reports = atomic_load_explicit(&w->reports, memory_order_acquire);
    if (held != w->held) {
        link_tx_hold(w->pipeline.sink, held);
        w->held = held;
    }
    if (reports != w->reports_seen) {
        link_tx_reported(w->pipeline.sink,
                         atomic_load_explicit(&w->accounted, memory_order_relaxed),
                         atomic_load_explicit(&w->lost, memory_order_relaxed));
        w->reports_seen = reports;
    }
}

/* When stopping: is the ring empty, and what waits gone or past hope? */
static bool finished(struct worker *w)
{
    return ring_emptied(w) &&
           (!link_tx_may_send(w->pipeline.sink) || mono_due(mono_now(), w->backlog_end));
}

static int timeout(const struct worker *w, bool more, int drain)
{
    int ms = more ? 0 : w->stopping || w->swapping ? DRAIN_MS : IDLE_MS;
    return drain >= 0 ? MIN(ms, drain) : ms;
}

/* One run of the pipeline, then what waits. Returns the milliseconds to the next look at that, -1:
 * none is needed; *ret_more: the source has more. */
static int move(struct worker *w, bool *ret_more)
{
    int error = 0;
    look(w);
    *ret_more = pipeline_run(&w->pipeline, &error);
    int drain = link_tx_waits(w->pipeline.sink) ? link_tx_drain(w->pipeline.sink) : -1;
    publish(w);
    if (link_tx_take_refused(w->pipeline.sink)) {
        atomic_store_explicit(&w->refused, true, memory_order_relaxed);
        wake_signal(w->control);
    }
    return drain;
}

static void *run(void *arg)
{
    struct worker *w = arg;
    pthread_setname_np(pthread_self(), w->name); /* another's name would need /proc */
    struct pollfd p[2] = {
        {.fd = w->pipeline.source->ops->fd(w->pipeline.source), .events = POLLIN},
        {.fd = w->wake.fd, .events = POLLIN},
    };
    bool more = false;
    int drain = -1;
    for (;;) {
        if (poll(p, 2, timeout(w, more, drain)) < 0 && errno != EINTR) {
            break;
        }
        if (p[0].revents & (POLLERR | POLLHUP)) {
            int e = ring_error(ring_source_ring(w->pipeline.source));
            atomic_store(&w->error, -e);
            wake_signal(w->control);
        }
        if (p[1].revents) {
            wake_clear(&w->wake);
            carry_out_all(w);
        }
        drain = move(w, &more);
        if (w->swapping && !more && ring_emptied(w)) {
            ring_source_swap(w->pipeline.source, TAKE_PTR(w->next));
            w->swapping = false;
            p[0].fd = w->pipeline.source->ops->fd(w->pipeline.source);
            publish(w);
            carry_out_all(w);
        } else if (w->stopping && !more && finished(w)) {
            break;
        }
    }
    link_tx_give_up(w->pipeline.sink);
    publish(w);
    struct ring *ring = ring_source_ring(w->pipeline.source);
    if (ring &&
        ring_drained(ring)) { /* closing takes the kernel a while: here, many do it at once */
        ring_source_swap(w->pipeline.source, NULL);
    }
    atomic_store_explicit(&w->done, true, memory_order_release);
    wake_signal(w->control);
    return NULL;
}

static int build(struct worker *w, struct ring *ring, const struct worker_conf *conf)
{
    int r = ring_source_new(ring, &w->counting, &w->pipeline.source);
    if (r == 0) {
        r = tunnel_stage_new(&w->counting, &w->pipeline.stage[0]);
    }
    if (r == 0) {
        r = cut_stage_new(!conf->keep_super, conf->snaplen, &w->counting, &w->pipeline.stage[1]);
    }
    if (r == 0) {
        r = link_tx_new(conf->stream, &w->counting, conf->backlog, &w->pipeline.sink);
    }
    w->commands = queue_new(COMMANDS);
    return r == 0 && !w->commands ? -ENOMEM : r;
}

int worker_start(struct ring *ring, const struct worker_conf *conf, struct worker **ret,
                 struct error *err)
{
    struct worker *w = calloc(1, sizeof(*w));
    if (!w) {
        ring_free(ring);
        return error_sys(err, ENOMEM, "cannot watch %s", conf->name);
    }
    w->control = conf->control;
    snprintf(w->name, sizeof(w->name), "tap %.11s", conf->name);
    w->wake.fd = -1;
    int r = build(w, ring, conf);
    if (r == 0) {
        r = wake_init(&w->wake);
    }
    if (r == 0) {
        r = -pthread_create(&w->thread, NULL, run, w);
        w->started = r == 0;
    }
    if (r < 0) {
        worker_free(w);
        return error_sys(err, -r, "cannot start the thread of %s", conf->name);
    }
    *ret = w;
    return 0;
}

void worker_free(struct worker *w)
{
    if (!w) {
        return;
    }
    if (w->started) {
        worker_stop(w);
        pthread_join(w->thread, NULL);
    }
    for (struct command *c; w->commands && (c = queue_pop(w->commands)) != NULL;) {
        command_free(c);
    }
    queue_free(w->commands);
    ring_free(w->next);
    if (w->pipeline.source) {
        w->pipeline.source->ops->free(w->pipeline.source);
    }
    for (unsigned i = 0; i < PIPELINE_STAGES && w->pipeline.stage[i]; i++) {
        w->pipeline.stage[i]->ops->free(w->pipeline.stage[i]);
    }
    sink_free(w->pipeline.sink);
    wake_done(&w->wake);
    free(w);
}

static int command(struct worker *w, const struct command *from)
{
    struct command *c = malloc(sizeof(*c));
    if (c) {
        *c = *from;
    }
    if (!c || !queue_push(w->commands, c)) {
        struct command undo = *from;
        link_tx_key_done(&undo.key);
        filter_done(&undo.prog);
        ring_free(undo.ring);
        free(c);
        return -EAGAIN;
    }
    wake_signal(&w->wake);
    return 0;
}

int worker_session(struct worker *w, const struct link_tx_key *key, uint32_t serial)
{
    return command(w, &(struct command){.op = OP_SESSION, .key = *key, .serial = serial});
}

int worker_rekey(struct worker *w, const struct link_tx_key *key)
{
    return command(w, &(struct command){.op = OP_REKEY, .key = *key});
}

int worker_size(struct worker *w, uint32_t datagram)
{
    return command(w, &(struct command){.op = OP_SIZE, .key.fd = -1, .datagram = datagram});
}

int worker_down(struct worker *w)
{
    return command(w, &(struct command){.op = OP_DOWN, .key.fd = -1});
}

int worker_filter(struct worker *w, struct filter_prog *prog, const struct ether_flow *flow)
{
    struct command c = {.op = OP_FILTER, .key.fd = -1, .prog = *prog, .has_flow = flow != NULL};
    if (flow) {
        c.flow = *flow;
    }
    *prog = (struct filter_prog){0};
    return command(w, &c);
}

int worker_ring(struct worker *w, struct ring *ring)
{
    return command(w, &(struct command){.op = OP_RING, .key.fd = -1, .ring = ring});
}

void worker_hold(struct worker *w, bool held)
{
    atomic_store_explicit(&w->wants_hold, held, memory_order_relaxed);
    wake_signal(&w->wake);
}

void worker_reported(struct worker *w, uint64_t accounted, uint64_t lost)
{
    atomic_store_explicit(&w->accounted, accounted, memory_order_relaxed);
    atomic_store_explicit(&w->lost, lost, memory_order_relaxed);
    atomic_fetch_add_explicit(&w->reports, 1, memory_order_release);
}

void worker_stop(struct worker *w)
{
    atomic_store_explicit(&w->stop, true, memory_order_release);
    wake_signal(&w->wake);
}

const struct ledger *worker_ledger(const struct worker *w)
{
    return &w->ledger;
}

bool worker_take_refused(struct worker *w)
{
    return atomic_exchange_explicit(&w->refused, false, memory_order_relaxed);
}

bool worker_done(const struct worker *w)
{
    return atomic_load_explicit(&w->done, memory_order_acquire);
}

int worker_take_error(struct worker *w)
{
    return atomic_exchange(&w->error, 0);
}

bool worker_progress(const struct worker *w, uint32_t serial, struct link_tx_progress *ret)
{
    if (atomic_load_explicit(&w->published_serial, memory_order_acquire) != serial) {
        return false;
    }
    ret->frames = atomic_load_explicit(&w->frames, memory_order_relaxed);
    ret->datagrams = atomic_load_explicit(&w->datagrams, memory_order_relaxed);
    return true;
}

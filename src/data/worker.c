/* SPDX-License-Identifier: Apache-2.0 */
#include "data/worker.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/queue.h"
#include "base/time.h"
#include "data/link/send/tx.h"
#include "data/pipeline.h"
#include "data/source/ring.h"
#include "data/stage/cut.h"
#include "data/stage/tunnel.h"
#include "model/amplify.h"

enum {
    IDLE_MS = 500,  /* how often an idle thread looks after its counts */
    DRAIN_MS = 20,  /* poll while the ring is emptied at the end */
    RING_MS = 3000, /* for that */
    COMMANDS = 64,
    TEST_MS = 2,      /* poll in an experiment: within a bin of the model's */
    TEST_BATCHES = 8, /* in one run then, so that a slot's end is not missed */
    ENTRY_HEAD = 128, /* bytes that the kernel writes beside a frame, about */
};

enum op { OP_SESSION, OP_REKEY, OP_SIZE, OP_DOWN, OP_FILTER, OP_RING };

struct command {
    enum op op;
    struct link_sender_key key;
    uint32_t serial, datagram;
    uint64_t accounted;
    struct filter_prog prog;
    struct ring *ring;
    bool has_flow;
    struct ether_flow flow;
};

struct worker {
    struct link_sender sender; /* first: the dialer has only that */
    pthread_t thread;
    char name[16]; /* of the thread */
    bool started, stopping;
    bool swapping; /* the ring is emptied, and `next` comes after it */
    struct ring *next;
    struct mono ring_end, backlog_end; /* not waited for longer */
    bool held;                         /* as the sink was told */
    uint32_t reports_seen;
    struct awake ran;    /* when the thread last woke */
    uint32_t stood_told; /* the control thread's: how often, as it was told */
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
    _Atomic uint32_t stood, stood_known; /* how often it stood still; how much of it is known */
    struct amplify amplify;
    _Atomic bool amplified;
    _Atomic uint64_t accounted, lost;
    _Atomic uint32_t reports;
};

static void command_free(struct command *c)
{
    if (c) {
        link_sender_key_done(&c->key);
        filter_done(&c->prog);
        ring_free(c->ring);
        free(c);
    }
}

static void publish(struct worker *w)
{
    ring_source_count(w->pipeline.source);
    ledger_publish(&w->ledger, &w->counting);
    struct link_sender_progress p = link_tx_progress(w->pipeline.sink);
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
        link_tx_settle(w->pipeline.sink, c->accounted);
        c->key = (struct link_sender_key){.fd = -1};
        w->serial = c->serial;
        break;
    case OP_REKEY:
        link_tx_rekey(w->pipeline.sink, &c->key);
        c->key = (struct link_sender_key){.fd = -1};
        break;
    case OP_SIZE:
        link_tx_size(w->pipeline.sink, c->datagram);
        break;
    case OP_DOWN:
        link_tx_down(w->pipeline.sink);
        link_tx_settle(w->pipeline.sink, c->accounted);
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
        w->backlog_end = mono_add_ms(mono_now(), LINK_SENDER_DRAIN_MS);
    }
}

/* What the control thread has published rather than commanded. */
static void look(struct worker *w)
{
    bool stood = atomic_load_explicit(&w->stood, memory_order_relaxed) !=
                 atomic_load_explicit(&w->stood_known, memory_order_acquire);
    bool held = stood || atomic_load_explicit(&w->wants_hold, memory_order_relaxed);
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

/* Half of the ring is full, about. */
static bool is_pressed(struct worker *w, uint64_t waiting)
{
    struct ring *ring = ring_source_ring(w->pipeline.source);
    uint64_t frames = ledger_get(&w->counting, LEDGER_RING_OUT);
    uint64_t each = frames ? ledger_get(&w->counting, LEDGER_RING_BYTES) / frames : 0;
    return ring && waiting * (each + ENTRY_HEAD) > ring_size(ring) / 2;
}

/* Do frames come because frames were sent? True when nothing is to be read or sent, so that it can
 * be told. */
static bool pauses(struct worker *w)
{
    struct stage *tunnel = w->pipeline.stage[0];
    struct amplify *a = &w->amplify;
    const struct ledger *l = &w->counting;
    if (amplify_testing(a)) { /* else as counted after the last run */
        ring_source_count(w->pipeline.source);
    }
    struct amplify_seen seen = {
        .frames = ledger_get(l, LEDGER_RING_IN),
        .dropped = ledger_get(l, LEDGER_RING_FULL) + ledger_get(l, LEDGER_RING_OFFLOAD),
        .read = ledger_get(l, LEDGER_RING_OUT) + ledger_get(l, LEDGER_RING_GONE),
        .long_bytes = tunnel_stage_long(tunnel, amplify_long_from(a)),
        .datagrams = ledger_get(l, LEDGER_TX_DATAGRAMS),
        .sent_bytes = ledger_get(l, LEDGER_TX_WIRE_BYTES),
    };
    seen.pressed = is_pressed(w, seen.frames - seen.dropped - seen.read);
    bool was = amplify_told(a);
    amplify_step(a, &seen, mono_now());
    tunnel_stage_drop(tunnel, amplify_drops(a));
    w->pipeline.most = amplify_testing(a) ? TEST_BATCHES : 0;
    if (amplify_told(a) != was) {
        atomic_store_explicit(&w->amplified, !was, memory_order_release);
        wake_signal(w->control);
    }
    return amplify_pauses(a) && !w->stopping && !w->swapping;
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
    ms = amplify_testing(&w->amplify) ? MIN(ms, TEST_MS) : ms;
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

/* Nothing is sent under a session of before until the control thread has looked at it. */
static void look_at_clock(struct worker *w)
{
    if (awake_jumped(&w->ran, LINK_SENDER_STOOD_MS)) {
        atomic_fetch_add_explicit(&w->stood, 1, memory_order_relaxed);
        wake_signal(w->control);
    }
}

static void *run(void *arg)
{
    struct worker *w = arg;
    pthread_setname_np(pthread_self(), w->name); /* another's name would need /proc */
    struct pollfd p[2] = {
        {.fd = w->pipeline.source->ops->fd(w->pipeline.source), .events = POLLIN},
        {.fd = w->wake.fd, .events = POLLIN},
    };
    bool more = false, paused = false;
    int drain = -1;
    for (;;) {
        p[0].revents = 0;
        if (poll(p + paused, 2 - (nfds_t)paused, paused ? TEST_MS : timeout(w, more, drain)) < 0 &&
            errno != EINTR) {
            break;
        }
        look_at_clock(w);
        if (p[0].revents & (POLLERR | POLLHUP)) {
            int e = ring_error(ring_source_ring(w->pipeline.source));
            atomic_store(&w->error, -e);
            wake_signal(w->control);
        }
        if (p[1].revents) {
            wake_clear(&w->wake);
            carry_out_all(w);
        }
        paused = pauses(w);
        if (paused) {
            publish(w);
            continue;
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

/* ---- from the control thread ---- */

static int command(struct worker *w, const struct command *from)
{
    struct command *c = malloc(sizeof(*c));
    if (c) {
        *c = *from;
    }
    if (!c || !queue_push(w->commands, c)) {
        struct command undo = *from;
        link_sender_key_done(&undo.key);
        filter_done(&undo.prog);
        ring_free(undo.ring);
        free(c);
        return -EAGAIN;
    }
    wake_signal(&w->wake);
    return 0;
}

/* ---- the same for the dialer ---- */

static struct worker *of(struct link_sender *s)
{
    return (struct worker *)s;
}

static int sender_session(struct link_sender *s, const struct link_sender_key *key, uint32_t serial,
                          uint64_t accounted)
{
    return command(
        of(s),
        &(struct command){.op = OP_SESSION, .key = *key, .serial = serial, .accounted = accounted});
}

static int sender_rekey(struct link_sender *s, const struct link_sender_key *key)
{
    return command(of(s), &(struct command){.op = OP_REKEY, .key = *key});
}

static int sender_size(struct link_sender *s, uint32_t datagram)
{
    return command(of(s), &(struct command){.op = OP_SIZE, .key.fd = -1, .datagram = datagram});
}

static int sender_down(struct link_sender *s, uint64_t accounted)
{
    return command(of(s), &(struct command){.op = OP_DOWN, .key.fd = -1, .accounted = accounted});
}

static void sender_hold(struct link_sender *s, bool held)
{
    struct worker *w = of(s);
    atomic_store_explicit(&w->wants_hold, held, memory_order_relaxed);
    wake_signal(&w->wake);
}

static void sender_reported(struct link_sender *s, uint64_t accounted, uint64_t lost)
{
    struct worker *w = of(s);
    atomic_store_explicit(&w->accounted, accounted, memory_order_relaxed);
    atomic_store_explicit(&w->lost, lost, memory_order_relaxed);
    atomic_fetch_add_explicit(&w->reports, 1, memory_order_release);
}

static void sender_stop(struct link_sender *s)
{
    worker_stop(of(s));
}

static bool sender_done(const struct link_sender *s)
{
    const struct worker *w = (const struct worker *)s;
    return atomic_load_explicit(&w->done, memory_order_acquire);
}

static bool sender_progress(const struct link_sender *s, uint32_t serial,
                            struct link_sender_progress *ret)
{
    const struct worker *w = (const struct worker *)s;
    if (atomic_load_explicit(&w->published_serial, memory_order_acquire) != serial) {
        return false;
    }
    ret->frames = atomic_load_explicit(&w->frames, memory_order_relaxed);
    ret->datagrams = atomic_load_explicit(&w->datagrams, memory_order_relaxed);
    return true;
}

static bool sender_take_refused(struct link_sender *s)
{
    return atomic_exchange_explicit(&of(s)->refused, false, memory_order_relaxed);
}

static bool sender_take_stood(struct link_sender *s)
{
    struct worker *w = of(s);
    uint32_t before = w->stood_told;
    w->stood_told = atomic_load_explicit(&w->stood, memory_order_relaxed);
    return w->stood_told != before;
}

static void sender_stood_known(struct link_sender *s)
{
    struct worker *w = of(s);
    atomic_store_explicit(&w->stood_known, w->stood_told, memory_order_release);
    wake_signal(&w->wake);
}

static const struct ledger *sender_ledger(const struct link_sender *s)
{
    return worker_ledger((const struct worker *)s);
}

static const struct link_sender_ops sender_ops = {
    .session = sender_session,
    .rekey = sender_rekey,
    .size = sender_size,
    .down = sender_down,
    .hold = sender_hold,
    .reported = sender_reported,
    .stop = sender_stop,
    .done = sender_done,
    .progress = sender_progress,
    .ledger = sender_ledger,
    .take_refused = sender_take_refused,
    .take_stood = sender_take_stood,
    .stood_known = sender_stood_known,
};

/* ---- its life ---- */

static int build(struct worker *w, struct ring *ring, const struct worker_conf *conf)
{
    int r = ring_source_new(ring, &w->counting, &w->pipeline.source);
    if (r == 0) {
        r = tunnel_stage_new(conf->take_links, &w->counting, &w->pipeline.stage[0]);
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
    w->sender.ops = &sender_ops;
    w->control = conf->control;
    amplify_init(&w->amplify, conf->seed, mono_now());
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

void worker_stop(struct worker *w)
{
    atomic_store_explicit(&w->stop, true, memory_order_release);
    wake_signal(&w->wake);
}

void worker_look(struct worker *w)
{
    wake_signal(&w->wake);
}

const struct ledger *worker_ledger(const struct worker *w)
{
    return &w->ledger;
}

bool worker_amplified(const struct worker *w)
{
    return atomic_load_explicit(&w->amplified, memory_order_acquire);
}

int worker_take_error(struct worker *w)
{
    return atomic_exchange(&w->error, 0);
}

struct link_sender *worker_sender(struct worker *w)
{
    return &w->sender;
}

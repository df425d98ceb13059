/* SPDX-License-Identifier: Apache-2.0 */
#include "node/capture.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/queue.h"
#include "base/time.h"
#include "data/link/send/tx.h"
#include "data/pipeline.h"
#include "data/sources.h"
#include "data/stage/tunnel.h"
#include "data/thread.h"
#include "model/amplify.h"

enum {
    IDLE_MS = 500,    /* how often an idle thread looks after its counts */
    DRAIN_MS = 20,    /* poll while the source is emptied at the end */
    SOURCE_MS = 3000, /* for that */
    COMMANDS = 64,
    EVENTS = 16,      /* that the control thread has not taken yet */
    TEST_MS = 2,      /* poll in an experiment: within a bin of the model's */
    TEST_BATCHES = 8, /* in one run then, so that a slot's end is not missed */
    ENTRY_HEAD = 128, /* bytes that the kernel writes beside a frame, about */
};

struct command {
    struct link_sender_key key;
    uint32_t serial, datagram;
    uint64_t accounted;
    struct filter_prog prog;
    struct ring *ring;
    bool has_flow;
    struct ether_flow flow;
};

struct capture {
    struct link_sender sender; /* first: the dialer has only that */
    struct thread *thread;
    bool stopping; /* takes no more frames, and ends when it has sent what it has */
    bool paused;   /* nothing is read or sent, so that it can be told whether frames fall away */
    bool swapping; /* the source is emptied, and the ring `next` comes after it */
    struct ring *next;
    struct mono source_end, backlog_end; /* not waited for longer */
    bool held;                           /* as the sink was told */
    uint32_t reports_seen;
    struct awake ran;    /* when the thread last woke */
    uint32_t stood_told; /* the control thread's: how often, as it was told */
    const struct wake *control;
    struct pipeline pipeline;
    struct tunnel_conf tunnel; /* as that stage is set */
    struct ledger counting;    /* the thread's own; published after each run */
    struct ledger ledger;
    uint32_t serial; /* of the thread's session */
    _Atomic uint32_t published_serial;
    _Atomic uint64_t frames, datagrams;
    _Atomic int error;
    _Atomic bool done;
    _Atomic bool wants_hold, refused;
    _Atomic uint32_t stood, stood_known; /* how often it stood still; how much of it is known */
    struct amplify amplify;
    struct queue *told; /* events for the control thread */
    _Atomic uint64_t accounted, lost;
    _Atomic uint32_t reports;
};

static void publish(struct capture *cap)
{
    source_count(cap->pipeline.source);
    ledger_publish(&cap->ledger, &cap->counting, &cap->pipeline.way);
    struct link_sender_progress p = link_tx_progress(cap->pipeline.sink);
    atomic_store_explicit(&cap->frames, p.frames, memory_order_relaxed);
    atomic_store_explicit(&cap->datagrams, p.datagrams, memory_order_relaxed);
    atomic_store_explicit(&cap->published_serial, cap->serial, memory_order_release);
}

/* From now on the source takes nothing new. */
static void close_source(struct capture *cap)
{
    cap->source_end = mono_add_ms(mono_now(), SOURCE_MS);
    source_stop(cap->pipeline.source);
}

/* True once all that was accepted is read, or will never be. */
static bool source_emptied(struct capture *cap)
{
    return source_drained(cap->pipeline.source) || mono_due(mono_now(), cap->source_end);
}

static void fail(struct capture *cap, int e)
{
    atomic_store(&cap->error, e);
    wake_signal(cap->control);
}

/* ---- commands, in the thread ---- */

static void take_session(void *owner, void *arg)
{
    struct capture *cap = owner;
    struct command *c = arg;
    atomic_store_explicit(&cap->published_serial, 0, memory_order_relaxed);
    link_tx_session(cap->pipeline.sink, &c->key);
    link_tx_settle(cap->pipeline.sink, c->accounted);
    c->key = (struct link_sender_key){.fd = -1};
    cap->serial = c->serial;
}

static void take_key(void *owner, void *arg)
{
    struct capture *cap = owner;
    struct command *c = arg;
    link_tx_rekey(cap->pipeline.sink, &c->key);
    c->key = (struct link_sender_key){.fd = -1};
}

static void take_size(void *owner, void *arg)
{
    struct capture *cap = owner;
    link_tx_size(cap->pipeline.sink, ((const struct command *)arg)->datagram);
}

static void go_down(void *owner, void *arg)
{
    struct capture *cap = owner;
    link_tx_down(cap->pipeline.sink);
    link_tx_settle(cap->pipeline.sink, ((const struct command *)arg)->accounted);
    cap->serial = 0;
}

static void take_filter(void *owner, void *arg)
{
    struct capture *cap = owner;
    struct command *c = arg;
    int r = source_filter(cap->pipeline.source, &c->prog);
    if (r < 0) {
        fail(cap, -r);
    }
    cap->tunnel.has_flow = c->has_flow;
    cap->tunnel.flow = c->flow;
    (void)pipeline_set(&cap->pipeline, STAGE_TUNNEL, &cap->tunnel);
}

static void take_ring(void *owner, void *arg)
{
    struct capture *cap = owner;
    close_source(cap);
    cap->next = TAKE_PTR(((struct command *)arg)->ring);
    cap->swapping = true;
}

/* A command that follows a ring's waits until that is in use. */
static void carry_out_all(struct capture *cap)
{
    while (!cap->swapping && thread_next(cap->thread)) {
    }
    if (!cap->swapping && !cap->stopping && thread_stopping(cap->thread)) {
        close_source(cap);
        cap->stopping = true;
        cap->backlog_end = mono_add_ms(mono_now(), LINK_SENDER_DRAIN_MS);
    }
}

/* ---- runs ---- */

/* Looks at the values that the control thread has published rather than commanded. */
static void look(struct capture *cap)
{
    bool stood = atomic_load_explicit(&cap->stood, memory_order_relaxed) !=
                 atomic_load_explicit(&cap->stood_known, memory_order_acquire);
    bool held = stood || atomic_load_explicit(&cap->wants_hold, memory_order_relaxed);
    uint32_t reports = atomic_load_explicit(&cap->reports, memory_order_acquire);
    if (held != cap->held) {
        link_tx_hold(cap->pipeline.sink, held);
        cap->held = held;
    }
    if (reports != cap->reports_seen) {
        link_tx_reported(cap->pipeline.sink,
                         atomic_load_explicit(&cap->accounted, memory_order_relaxed),
                         atomic_load_explicit(&cap->lost, memory_order_relaxed));
        cap->reports_seen = reports;
    }
}

/* An event for the history, from a stage or from the thread itself. */
static void tell(void *user, enum history_kind kind, const char *words)
{
    struct capture *cap = user;
    struct history_event *e = calloc(1, sizeof(*e));
    if (e) {
        e->kind = (uint8_t)kind;
        snprintf(e->words, sizeof(e->words), "%s", words);
    }
    if (e && queue_push(cap->told, e)) {
        wake_signal(cap->control);
    } else {
        free(e);
    }
}

/* Half of the room for frames that wait is full, about. */
static bool is_pressed(struct capture *cap, uint64_t waiting)
{
    uint64_t room = source_room(cap->pipeline.source);
    uint64_t frames = ledger_get(&cap->counting, LEDGER_RING_OUT);
    uint64_t each = frames ? ledger_get(&cap->counting, LEDGER_RING_BYTES) / frames : 0;
    return room > 0 && waiting * (each + ENTRY_HEAD) > room / 2;
}

/* Do frames come because frames were sent? True when nothing is to be read or sent, so that it can
 * be told. */
static bool pauses(struct capture *cap)
{
    struct amplify *a = &cap->amplify;
    const struct ledger *l = &cap->counting;
    if (amplify_testing(a)) { /* else as counted after the last run */
        source_count(cap->pipeline.source);
    }
    struct amplify_seen seen = {
        .frames = ledger_get(l, LEDGER_RING_IN),
        .dropped = ledger_get(l, LEDGER_RING_FULL) + ledger_get(l, LEDGER_RING_OFFLOAD),
        .read = ledger_get(l, LEDGER_RING_OUT) + ledger_get(l, LEDGER_RING_GONE),
        .long_bytes = tunnel_stage_long(pipeline_stage(&cap->pipeline, STAGE_TUNNEL)),
        .datagrams = ledger_get(l, LEDGER_TX_DATAGRAMS),
        .sent_bytes = ledger_get(l, LEDGER_TX_WIRE_BYTES),
    };
    seen.pressed = is_pressed(cap, seen.frames - seen.dropped - seen.read);
    bool was = amplify_told(a);
    cap->tunnel.long_from = amplify_long_from(a);
    amplify_step(a, &seen, mono_now());
    cap->tunnel.drop = amplify_drops(a);
    (void)pipeline_set(&cap->pipeline, STAGE_TUNNEL, &cap->tunnel);
    if (amplify_told(a) && !was) {
        tell(cap, HISTORY_AMPLIFIED,
             "frames come because frames are sent: what goes to the collector passes here again, "
             "wrapped; its frames are dropped until that is over");
    } else if (!amplify_told(a) && was) {
        tell(cap, HISTORY_AMPLIFIED_OVER,
             "frames do not come because of what is sent any more: they are carried again");
    }
    return amplify_pauses(a) && !cap->stopping && !cap->swapping;
}

/* When stopping: is the ring empty, and what waits gone or past hope? */
static bool finished(struct capture *cap)
{
    return source_emptied(cap) &&
           (!link_tx_may_send(cap->pipeline.sink) || mono_due(mono_now(), cap->backlog_end));
}

static int timeout(const struct capture *cap, bool more, int drain)
{
    int ms = more ? 0 : cap->stopping || cap->swapping ? DRAIN_MS : IDLE_MS;
    ms = pipeline_wait(&cap->pipeline, mono_now(), ms);
    ms = amplify_testing(&cap->amplify) ? MIN(ms, TEST_MS) : ms;
    return drain >= 0 ? MIN(ms, drain) : ms;
}

/* One run of the pipeline, then what waits. Returns the milliseconds to the next look at that, -1:
 * none is needed; *ret_more: the source has more. */
static int move(struct capture *cap, bool *ret_more)
{
    look(cap);
    unsigned most = amplify_testing(&cap->amplify) ? TEST_BATCHES : PIPELINE_BATCHES;
    int r = pipeline_run(&cap->pipeline, most, mono_now());
    if (r < 0) {
        fail(cap, -r);
    }
    *ret_more = r == SOURCE_MORE;
    pipeline_flush(&cap->pipeline);
    int drain = link_tx_waits(cap->pipeline.sink) ? link_tx_drain(cap->pipeline.sink) : -1;
    publish(cap);
    if (link_tx_take_refused(cap->pipeline.sink)) {
        atomic_store_explicit(&cap->refused, true, memory_order_relaxed);
        wake_signal(cap->control);
    }
    return drain;
}

/* Nothing is sent under a session of before until the control thread has looked at it. */
static void look_at_clock(struct capture *cap)
{
    if (awake_jumped(&cap->ran, LINK_SENDER_STOOD_MS)) {
        atomic_fetch_add_explicit(&cap->stood, 1, memory_order_relaxed);
        wake_signal(cap->control);
    }
}

static int capture_fd(const void *owner)
{
    const struct capture *cap = owner;
    return cap->paused ? -1 : cap->pipeline.source->ops->fd(cap->pipeline.source);
}

static void look_at_error(struct capture *cap, short revents)
{
    if (revents & (POLLERR | POLLHUP)) {
        fail(cap, -source_error(cap->pipeline.source));
    }
}

static int capture_run(void *owner, short revents)
{
    struct capture *cap = owner;
    bool more = false;
    look_at_clock(cap);
    look_at_error(cap, revents);
    carry_out_all(cap);
    cap->paused = pauses(cap);
    if (cap->paused) {
        publish(cap);
        return TEST_MS;
    }
    int drain = move(cap, &more);
    if (cap->swapping && !more && source_emptied(cap)) {
        source_swap(cap->pipeline.source, TAKE_PTR(cap->next));
        cap->swapping = false;
        publish(cap);
        carry_out_all(cap);
    } else if (cap->stopping && !more && finished(cap)) {
        return THREAD_END;
    }
    return timeout(cap, more, drain);
}

static void capture_end(void *owner, int error)
{
    struct capture *cap = owner;
    (void)error; /* what follows is the same */
    link_tx_give_up(cap->pipeline.sink);
    publish(cap);
    if (source_drained(cap->pipeline.source)) { /* closing takes the kernel a while: here, many do
                                                 * it at once */
        source_swap(cap->pipeline.source, NULL);
    }
    atomic_store_explicit(&cap->done, true, memory_order_release);
    wake_signal(cap->control);
}

static const struct thread_ops thread_ops = {
    .fd = capture_fd,
    .run = capture_run,
    .end = capture_end,
};

/* ---- from the control thread ---- */

static void command_free(void *arg)
{
    struct command *c = arg;
    link_sender_key_done(&c->key);
    filter_done(&c->prog);
    ring_free(c->ring);
    free(c);
}

static int command(struct capture *cap, void (*fn)(void *owner, void *arg), struct command from)
{
    struct command *c = malloc(sizeof(*c));
    if (!c) {
        link_sender_key_done(&from.key);
        filter_done(&from.prog);
        ring_free(from.ring);
        return -ENOMEM;
    }
    *c = from;
    return thread_post(cap->thread, fn, c, command_free);
}

/* ---- the same for the dialer ---- */

static struct capture *of(struct link_sender *s)
{
    return (struct capture *)s;
}

static int sender_session(struct link_sender *s, const struct link_sender_key *key, uint32_t serial,
                          uint64_t accounted)
{
    return command(of(s), take_session,
                   (struct command){.key = *key, .serial = serial, .accounted = accounted});
}

static int sender_rekey(struct link_sender *s, const struct link_sender_key *key)
{
    return command(of(s), take_key, (struct command){.key = *key});
}

static int sender_size(struct link_sender *s, uint32_t datagram)
{
    return command(of(s), take_size, (struct command){.key.fd = -1, .datagram = datagram});
}

static int sender_down(struct link_sender *s, uint64_t accounted)
{
    return command(of(s), go_down, (struct command){.key.fd = -1, .accounted = accounted});
}

static void sender_hold(struct link_sender *s, bool held)
{
    struct capture *cap = of(s);
    atomic_store_explicit(&cap->wants_hold, held, memory_order_relaxed);
    thread_wake(cap->thread);
}

static void sender_reported(struct link_sender *s, uint64_t accounted, uint64_t lost)
{
    struct capture *cap = of(s);
    atomic_store_explicit(&cap->accounted, accounted, memory_order_relaxed);
    atomic_store_explicit(&cap->lost, lost, memory_order_relaxed);
    atomic_fetch_add_explicit(&cap->reports, 1, memory_order_release);
}

static void sender_stop(struct link_sender *s)
{
    capture_stop(of(s));
}

static bool sender_done(const struct link_sender *s)
{
    const struct capture *cap = (const struct capture *)s;
    return atomic_load_explicit(&cap->done, memory_order_acquire);
}

static bool sender_progress(const struct link_sender *s, uint32_t serial,
                            struct link_sender_progress *ret)
{
    const struct capture *cap = (const struct capture *)s;
    if (atomic_load_explicit(&cap->published_serial, memory_order_acquire) != serial) {
        return false;
    }
    ret->frames = atomic_load_explicit(&cap->frames, memory_order_relaxed);
    ret->datagrams = atomic_load_explicit(&cap->datagrams, memory_order_relaxed);
    return true;
}

static bool sender_take_refused(struct link_sender *s)
{
    return atomic_exchange_explicit(&of(s)->refused, false, memory_order_relaxed);
}

static bool sender_take_stood(struct link_sender *s)
{
    struct capture *cap = of(s);
    uint32_t before = cap->stood_told;
    cap->stood_told = atomic_load_explicit(&cap->stood, memory_order_relaxed);
    return cap->stood_told != before;
}

static void sender_stood_known(struct link_sender *s)
{
    struct capture *cap = of(s);
    atomic_store_explicit(&cap->stood_known, cap->stood_told, memory_order_release);
    thread_wake(cap->thread);
}

static const struct ledger *sender_ledger(const struct link_sender *s)
{
    return capture_ledger((const struct capture *)s);
}

static const struct ledger_way *sender_way(const struct link_sender *s)
{
    return capture_way((const struct capture *)s);
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
    .way = sender_way,
    .take_refused = sender_take_refused,
    .take_stood = sender_take_stood,
    .stood_known = sender_stood_known,
};

/* ---- its life ---- */

static int build(struct capture *cap, const struct capture_conf *conf)
{
    const struct source_wishes interface = {.name = conf->name, .ledger = &cap->counting};
    int r = source_make(&interface, &cap->pipeline.source);
    if (r == 0) {
        r = link_tx_new(conf->stream, &cap->counting, conf->backlog, &cap->pipeline.sink);
    }
    if (r == 0) {
        const struct stage_conf wishes = {.take_links = conf->take_links,
                                          .keep_super = conf->keep_super,
                                          .snaplen = conf->snaplen};
        r = pipeline_init(&cap->pipeline, STAGE_AT_TAP, &wishes,
                          &(struct pass){.common = &cap->counting, .event = tell, .user = cap});
    }
    return r;
}

int capture_start(const struct capture_conf *conf, struct capture **ret, struct error *err)
{
    struct capture *cap = calloc(1, sizeof(*cap));
    if (!cap) {
        return error_sys(err, ENOMEM, "cannot watch %s", conf->name);
    }
    cap->sender.ops = &sender_ops;
    cap->control = conf->control;
    amplify_init(&cap->amplify, conf->seed, mono_now());
    cap->told = queue_new(EVENTS);
    int r = build(cap, conf);
    r = r == 0 && !cap->told ? -ENOMEM : r;
    if (r == 0) {
        char name[16];
        snprintf(name, sizeof(name), "tap %.11s", conf->name);
        r = thread_start(
            &(struct thread_conf){
                .name = name, .ops = &thread_ops, .owner = cap, .posts = COMMANDS},
            &cap->thread);
    }
    if (r < 0) {
        capture_free(cap);
        return error_sys(err, -r, "cannot start the thread of %s", conf->name);
    }
    *ret = cap;
    return 0;
}

void capture_free(struct capture *cap)
{
    if (!cap) {
        return;
    }
    if (cap->thread) {
        capture_stop(cap);
        thread_free(cap->thread);
    }
    for (struct history_event *e; cap->told && (e = queue_pop(cap->told)) != NULL;) {
        free(e);
    }
    queue_free(cap->told);
    ring_free(cap->next);
    pipeline_done(&cap->pipeline);
    free(cap);
}

int capture_filter(struct capture *cap, struct filter_prog *prog, const struct ether_flow *flow)
{
    struct command c = {.key.fd = -1, .prog = *prog, .has_flow = flow != NULL};
    if (flow) {
        c.flow = *flow;
    }
    *prog = (struct filter_prog){0};
    return command(cap, take_filter, c);
}

int capture_ring(struct capture *cap, struct ring *ring)
{
    return command(cap, take_ring, (struct command){.key.fd = -1, .ring = ring});
}

void capture_stop(struct capture *cap)
{
    thread_stop(cap->thread);
}

void capture_look(struct capture *cap)
{
    thread_wake(cap->thread);
}

const struct ledger *capture_ledger(const struct capture *cap)
{
    return &cap->ledger;
}

const struct ledger_way *capture_way(const struct capture *cap)
{
    return &cap->pipeline.way;
}

struct history_event *capture_take_event(struct capture *cap)
{
    return queue_pop(cap->told);
}

int capture_take_error(struct capture *cap)
{
    return atomic_exchange(&cap->error, 0);
}

struct link_sender *capture_sender(struct capture *cap)
{
    return &cap->sender;
}

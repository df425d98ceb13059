/* SPDX-License-Identifier: Apache-2.0 */
#include "node/capture.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/queue.h"
#include "base/time.h"
#include "data/link/send/tx.h"
#include "data/sources.h"
#include "node/capture_impl.h"

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

static void take_filter(void *owner, void *arg)
{
    struct capture *cap = owner;
    struct capture_command *c = arg;
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
    cap->next = TAKE_PTR(((struct capture_command *)arg)->ring);
    cap->swapping = true;
}

static void take_renewal(void *owner, void *arg)
{
    struct capture *cap = owner;
    struct capture_command *c = arg;
    source_renew(cap->pipeline.source, TAKE_PTR(c->ring), c->known, mono_now());
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
    const struct limit_view *limit = link_tx_limit(cap->pipeline.sink);
    seen.limited = limit && limit->waiting > 0;
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

/* ---- its life ---- */

static int build(struct capture *cap, const struct capture_conf *conf)
{
    const struct source_wishes interface = {.name = conf->name, .ledger = &cap->counting};
    int r = source_make(&interface, &cap->pipeline.source);
    if (r == 0) {
        r = link_tx_new(conf->stream, &cap->counting, conf->shared, &cap->pipeline.sink);
    }
    if (r == 0) {
        const struct stage_conf wishes = {.take_links = conf->take_links,
                                          .keep_super = conf->keep_super,
                                          .snaplen = conf->snaplen,
                                          .list = conf->stages,
                                          .restage = conf->restage,
                                          .limit = link_tx_limit(cap->pipeline.sink)};
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
    cap->sender.ops = &capture_sender_ops;
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
    struct capture_command c = {.key.fd = -1, .prog = *prog, .has_flow = flow != NULL};
    if (flow) {
        c.flow = *flow;
    }
    *prog = (struct filter_prog){0};
    return capture_command(cap, take_filter, c);
}

int capture_ring(struct capture *cap, struct ring *ring)
{
    return capture_command(cap, take_ring, (struct capture_command){.key.fd = -1, .ring = ring});
}

int capture_renew(struct capture *cap, struct ring *ring, uint64_t known)
{
    return capture_command(cap, take_renewal,
                           (struct capture_command){.key.fd = -1, .ring = ring, .known = known});
}

int capture_stages(struct capture *cap, const struct stage_list *stages)
{
    return capture_command(cap, capture_take_stages,
                           (struct capture_command){.key.fd = -1, .stages = stages});
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

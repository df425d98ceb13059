/* SPDX-License-Identifier: Apache-2.0 */
#include "node/tap_capture.h"

#include <errno.h>
#include <stdlib.h>

#include "node/tap_capture_impl.h"

enum {
    TEST_MS = 2,      /* poll in an experiment: within a bin of the model's */
    TEST_BATCHES = 8, /* in one run then, so that a slot's end is not missed */
    ENTRY_HEAD = 128, /* bytes that the kernel writes beside a frame, about */
};

static struct sink *sink_of(const struct tap_capture *t)
{
    return t->capture->pipeline.sink;
}

/* ---- runs ---- */

/* Nothing is sent under a session of before until the control thread has looked at it. */
static void on_woke(void *part)
{
    struct tap_capture *t = part;
    if (awake_jumped(&t->ran, LINK_SENDER_STOOD_MS)) {
        atomic_fetch_add_explicit(&t->stood, 1, memory_order_relaxed);
        wake_signal(t->conf.control);
    }
}

/* Half of the room for frames that wait is full, about. */
static bool is_pressed(const struct tap_capture *t, uint64_t waiting)
{
    uint64_t room = source_room(t->capture->pipeline.source);
    uint64_t frames = ledger_get(t->counting, LEDGER_RING_OUT);
    uint64_t each = frames ? ledger_get(t->counting, LEDGER_RING_BYTES) / frames : 0;
    return room > 0 && waiting * (each + ENTRY_HEAD) > room / 2;
}

/* The numbers out of which the model makes whether frames come because frames were sent. */
static struct amplify_seen look_at_counts(const struct tap_capture *t)
{
    const struct ledger *l = t->counting;
    struct amplify_seen seen = {
        .frames = ledger_get(l, LEDGER_RING_IN),
        .dropped = ledger_get(l, LEDGER_RING_FULL) + ledger_get(l, LEDGER_RING_OFFLOAD),
        .read = ledger_get(l, LEDGER_RING_OUT) + ledger_get(l, LEDGER_RING_GONE),
        .long_bytes = tunnel_stage_long(pipeline_stage(&t->capture->pipeline, STAGE_TUNNEL)),
        .datagrams = ledger_get(l, LEDGER_TX_DATAGRAMS),
        .sent_bytes = ledger_get(l, LEDGER_TX_WIRE_BYTES),
    };
    const struct limit_view *limit = link_tx_limit(sink_of(t));
    seen.limited = limit && limit->waiting > 0;
    seen.pressed = is_pressed(t, seen.frames - seen.dropped - seen.read);
    return seen;
}

/* Do frames come because frames were sent? Where nothing is to be read or sent, so that it can be
 * told, it pauses. */
static int pauses(void *part)
{
    struct tap_capture *t = part;
    struct amplify *a = &t->amplify;
    if (amplify_testing(a)) { /* else as counted after the last run */
        source_count(t->capture->pipeline.source);
    }
    const struct amplify_seen seen = look_at_counts(t);
    bool was = amplify_told(a);
    t->tunnel.long_from = amplify_long_from(a);
    amplify_step(a, &seen, mono_now());
    t->tunnel.drop = amplify_drops(a);
    (void)pipeline_set(&t->capture->pipeline, STAGE_TUNNEL, &t->tunnel);
    if (amplify_told(a) && !was) {
        capture_tell(t->capture, HISTORY_AMPLIFIED,
                     "frames come because frames are sent: what goes to the collector passes here "
                     "again, wrapped; its frames are dropped until that is over");
    } else if (!amplify_told(a) && was) {
        capture_tell(t->capture, HISTORY_AMPLIFIED_OVER,
                     "frames do not come because of what is sent any more: they are carried "
                     "again");
    }
    return amplify_pauses(a) ? TEST_MS : -1;
}

/* Makes what flow records need, once they are a step of the ladder. */
static void look_at_flows(struct tap_capture *t)
{
    struct limit_view *v = link_tx_limit(sink_of(t));
    if (t->flows || t->no_flows || !v || !v->plan ||
        !atomic_load_explicit(&v->plan->flows, memory_order_relaxed)) {
        return;
    }
    if (tap_flows_new(t->counting, &t->flows) < 0) {
        t->no_flows = true;
        capture_tell(t->capture, HISTORY_LIMIT_RUNG,
                     "no memory for flow records: frames are counted only, where these are the "
                     "step of --on-limit");
        return;
    }
    v->meter = tap_flows_meter(t->flows);
}

/* Looks at the values that the control thread has published rather than commanded. */
static unsigned begins(void *part)
{
    struct tap_capture *t = part;
    bool stood = atomic_load_explicit(&t->stood, memory_order_relaxed) !=
                 atomic_load_explicit(&t->stood_known, memory_order_acquire);
    bool held = stood || atomic_load_explicit(&t->wants_hold, memory_order_relaxed);
    uint32_t reports = atomic_load_explicit(&t->reports, memory_order_acquire);
    if (held != t->held) {
        link_tx_hold(sink_of(t), held);
        t->held = held;
    }
    if (reports != t->reports_seen) {
        link_tx_reported(sink_of(t), atomic_load_explicit(&t->accounted, memory_order_relaxed),
                         atomic_load_explicit(&t->lost, memory_order_relaxed));
        t->reports_seen = reports;
    }
    look_at_flows(t);
    return amplify_testing(&t->amplify) ? TEST_BATCHES : PIPELINE_BATCHES;
}

/* Sends of what waits. */
static int ran(void *part, bool more)
{
    struct tap_capture *t = part;
    if (t->flows) {
        tap_flows_ran(t->flows, !more, wall_now().ns, sink_of(t));
    }
    int ms = link_tx_waits(sink_of(t)) ? link_tx_drain(sink_of(t)) : -1;
    if (amplify_testing(&t->amplify)) {
        ms = ms < 0 ? TEST_MS : MIN(ms, TEST_MS);
    }
    return ms;
}

static void published(void *part)
{
    struct tap_capture *t = part;
    struct link_sender_progress p = link_tx_progress(sink_of(t));
    atomic_store_explicit(&t->frames, p.frames, memory_order_relaxed);
    atomic_store_explicit(&t->datagrams, p.datagrams, memory_order_relaxed);
    atomic_store_explicit(&t->published_serial, t->serial, memory_order_release);
    if (link_tx_take_refused(sink_of(t))) {
        atomic_store_explicit(&t->refused, true, memory_order_relaxed);
        wake_signal(t->conf.control);
    }
}

static void stops(void *part)
{
    ((struct tap_capture *)part)->backlog_end = mono_add_ms(mono_now(), LINK_SENDER_DRAIN_MS);
}

/* The last flows end once, and then have their turn in the next run. */
static bool flows_are_sent(struct tap_capture *t)
{
    return !t->flows || (!tap_flows_end(t->flows) && !tap_flows_waits(t->flows));
}

/* All that waits has gone or is past hope. */
static bool finished(void *part)
{
    struct tap_capture *t = part;
    const bool all = flows_are_sent(t);
    return (all && !link_tx_may_send(sink_of(t))) || mono_due(mono_now(), t->backlog_end);
}

static void over(void *part)
{
    struct tap_capture *t = part;
    if (t->flows) {
        tap_flows_give_up(t->flows);
    }
    link_tx_give_up(sink_of(t));
}

static void tap_capture_done(void *part)
{
    struct tap_capture *t = part;
    tap_flows_free(t->flows);
    free(t);
}

/* ---- its life ---- */

static int make_sink(void *part, struct capture *cap, struct sink **ret, struct stage_conf *wishes)
{
    struct tap_capture *t = part;
    t->capture = cap;
    t->counting = &cap->counting;
    int r = link_tx_new(t->conf.stream, t->counting, t->conf.shared, ret);
    if (r == 0) {
        wishes->limit = link_tx_limit(*ret);
    }
    return r;
}

static const struct capture_ops ops = {
    .sink = make_sink,
    .woke = on_woke,
    .pauses = pauses,
    .begins = begins,
    .ran = ran,
    .published = published,
    .stops = stops,
    .finished = finished,
    .over = over,
    .free = tap_capture_done,
};

int tap_capture_start(const struct tap_capture_conf *conf, struct capture **ret, struct error *err)
{
    char name[16];
    struct tap_capture *t = calloc(1, sizeof(*t));
    if (!t) {
        return error_sys(err, ENOMEM, "cannot watch %s", conf->name);
    }
    t->sender.ops = &tap_sender_ops;
    t->conf = *conf;
    amplify_init(&t->amplify, conf->seed, mono_now());
    snprintf(name, sizeof(name), "tap %.11s", conf->name);
    return capture_start(&(struct capture_conf){.name = conf->name,
                                                .thread = name,
                                                .control = conf->control,
                                                .ops = &ops,
                                                .part = t,
                                                .end = STAGE_AT_TAP,
                                                .wishes = {.take_links = conf->take_links,
                                                           .keep_super = conf->keep_super,
                                                           .snaplen = conf->snaplen,
                                                           .list = conf->stages,
                                                           .restage = conf->restage}},
                         ret, err);
}

struct link_sender *tap_capture_sender(struct capture *cap)
{
    return &((struct tap_capture *)cap->part)->sender;
}

/* ---- the filter, with the own flow ---- */

struct filter_command {
    struct filter_prog prog;
    bool has_flow;
    struct ether_flow flow;
};

static void take_filter(void *owner, void *arg)
{
    struct capture *cap = owner;
    struct tap_capture *t = cap->part;
    const struct filter_command *c = arg;
    capture_use_filter(cap, &c->prog);
    t->tunnel.has_flow = c->has_flow;
    t->tunnel.flow = c->flow;
    (void)pipeline_set(&cap->pipeline, STAGE_TUNNEL, &t->tunnel);
}

static void drop_filter(void *arg)
{
    struct filter_command *c = arg;
    filter_done(&c->prog);
    free(c);
}

int tap_capture_filter(struct capture *cap, struct filter_prog *prog, const struct ether_flow *flow)
{
    struct filter_command *c = calloc(1, sizeof(*c));
    if (!c) {
        filter_done(prog);
        return -ENOMEM;
    }
    c->prog = *prog;
    *prog = (struct filter_prog){0};
    c->has_flow = flow != NULL;
    if (flow) {
        c->flow = *flow;
    }
    return capture_post(cap, take_filter, c, drop_filter);
}

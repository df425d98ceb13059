/* SPDX-License-Identifier: Apache-2.0 */
#include "node/tap.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "node/memory.h"
#include "node/report.h"
#include "node/tap_edges.h"
#include "sys/crypto/kdf.h"
#include "sys/zone.h"

enum {
    TICK_MS = 500,
    QUEUES = 4, /* the memory of what waits for a rate, as so many of its queues, … */
};

#define QUEUE_MOST (UINT64_C(64) << 20) /* … and at most that */

struct tap {
    struct tap_around around;
    struct tap_edges edges;
    struct wake wake; /* signalled by captures */
    struct loop_fd *wake_event;
    struct loop_timer *timer;
    struct dialer *dialer;
    struct link_tx_shared shared; /* among the captures; owned */
    struct memory memory;
    struct history history;
    struct limiter *limiter; /* owned; NULL: nothing is limited */
    struct loop_timer *limit_timer;
    struct watchdog_conf watch;
    bool ending;
    enum link_close ended; /* why by itself */
};

/* ---- before the split ---- */

int tap_prepare(struct tap_conf *c, struct tap_grants *ret, struct error *err)
{
    *ret = (struct tap_grants){.collector = &c->collector, .user = c->user};
    const int r = interface_grants_prepare(&c->select, &ret->interfaces, err);
    return r < 0 ? r : zone_load(c->zone, err);
}

void tap_conf_done(struct tap_conf *c)
{
    selection_done(&c->select);
    filter_done(&c->limiter.keep);
}

/* ---- what the link asks for ---- */

static int on_connect(void *user, enum dialer_where where, int *ret_fd, struct error *err)
{
    struct tap *t = user;
    return tap_request_connect(t->around.broker, where, ret_fd, err);
}

static void on_say(void *user, bool error, const char *text)
{
    const struct tap *t = user;
    (void)error;
    teller_tell(t->around.teller, "%s", text);
}

static void on_stopped(void *user)
{
    const struct tap *t = user;
    t->around.stopped(t->around.user);
}

static void on_flow(void *user, const struct ether_flow *flow)
{
    struct tap *t = user;
    interfaces_flow(&t->edges.common.interfaces, flow);
}

static void on_stream_ended(void *user, uint16_t id)
{
    struct tap *t = user;
    interfaces_stream_ended(&t->edges.common.interfaces, id);
}

static const struct dialer_ops dialer_ops = {on_connect, on_flow, on_say, on_stream_ended,
                                             on_stopped};

/* ---- events ---- */

static void on_wake(struct loop *l, int fd, uint32_t events, void *user)
{
    (void)l;
    (void)fd;
    (void)events;
    struct tap *t = user;
    wake_clear(&t->wake);
    interface_edges_woke(&t->edges.common);
    dialer_senders_changed(t->dialer);
}

static void look_at_memory(struct tap *t, struct mono now)
{
    char words[HISTORY_WORDS + 1];
    const struct memory_look m = memory_look(&t->memory, t->shared.backlog, now);
    for (unsigned k = 0; m.shrunk && k < t->edges.common.interfaces.n; k++) {
        capture_look(t->edges.common.interfaces.at[k]->capture);
    }
    if (m.tell) {
        snprintf(words, sizeof(words),
                 "memory is short: the oldest frames that wait are dropped, %" PRIu64
                 " KiB may wait for now; a smaller --backlog, or more memory, avoids that",
                 m.may_wait >> 10);
        interface_edges_tell(&t->edges.common, HISTORY_MEMORY_SHORT, "backlog", words);
    }
}

/* Does anything come? */
static void look_at_idle(struct tap *t)
{
    const struct zone_time z = zone_local(wall_now());
    bool expected = calendar_is_open(&t->watch.hours, z.weekday, z.second);
    if (t->watch.idle.max_ms > 0 && !t->ending &&
        watchdog_look(&t->edges.common.interfaces, &t->watch, expected, mono_now())) {
        tap_end(t, LINK_CLOSE_IDLE,
                "no frame comes to any interface any more (--max-idle): the tap ends");
    }
}

/* How much detail is sent, and is it too much? */
static void on_limit(struct loop *l, struct mono now, void *user)
{
    (void)l;
    struct tap *t = user;
    struct budget_figures f = {0};
    struct timespec cpu = {0};
    struct dialer_status st;
    dialer_status(t->dialer, &st);
    if (st.up) {
        limiter_set_flows(t->limiter, st.flows);
    }
    if (t->shared.budget) {
        budget_figures(t->shared.budget, &f);
    }
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
    const uint32_t waited = (uint32_t)MIN(budget_waited(&f), (int64_t)UINT32_MAX);
    if (!t->ending &&
        limiter_tick(t->limiter, t->shared.budget ? &f : NULL, waited,
                     (uint64_t)cpu.tv_sec * NSEC_PER_SEC + (uint64_t)cpu.tv_nsec, now)) {
        tap_end(t, LINK_CLOSE_LIMIT, NULL);
    }
}

static void on_limit_event(void *user, enum history_kind kind, const char *words)
{
    const struct tap *t = user;
    interface_edges_tell(&t->edges.common, kind, "limit", words);
}

static void on_timer(struct loop *l, struct mono now, void *user)
{
    (void)l;
    struct tap *t = user;
    interfaces_tick(&t->edges.common.interfaces, mono_now());
    look_at_memory(t, now);
    look_at_idle(t);
    if (t->shared.budget) {
        budget_tick(t->shared.budget);
    }
}

/* ---- start and end ---- */

static int make_dialer(struct tap *t, struct error *err)
{
    const struct tap_conf *c = t->around.conf;
    struct dialer_conf dc = {.handshake = *t->around.handshake,
                             .name = c->name,
                             .host = t->around.host,
                             .software = "farspan " FARSPAN_VERSION,
                             .collector = c->collector_text,
                             .mtu = c->mtu,
                             .budget = t->shared.budget,
                             .history = &t->history,
                             .ops = &dialer_ops,
                             .user = t};
    int r = dialer_new(t->around.loop, &dc, &t->dialer, err);
    secure_wipe(&dc.handshake, sizeof(dc.handshake));
    return r;
}

static int make_limiter(struct tap *t)
{
    const struct tap_conf *c = t->around.conf;
    if (!limiter_limits(&c->limiter, &c->limit)) {
        return 0;
    }
    t->limiter = calloc(1, sizeof(*t->limiter));
    int r =
        t->limiter ? limiter_init(t->limiter, &c->limiter, &c->limit, on_limit_event, t) : -ENOMEM;
    if (r == 0) {
        t->shared.plan = &t->limiter->plan;
        r = loop_add_timer(t->around.loop, mono_add_ms(mono_now(), LADDER_TICK_MS),
                           LADDER_TICK_MS * NSEC_PER_MSEC, on_limit, t, &t->limit_timer);
    }
    return r;
}

static int make_shared(struct tap *t, struct error *err)
{
    const struct tap_conf *c = t->around.conf;
    struct link_tx_shared *s = &t->shared;
    bool has_rate = c->limit.rate.bits > 0;
    s->backlog = c->backlog_bytes > 0 ? backlog_pool_new(c->backlog_bytes) : NULL;
    int r = has_rate ? budget_new(&c->limit, &s->budget) : 0;
    r = r < 0 ? r : make_limiter(t);
    if (r == 0 && has_rate && !s->backlog) {
        s->queue = backlog_pool_new(MIN(budget_queue(s->budget) * QUEUES, QUEUE_MOST));
    }
    if (r < 0 || (c->backlog_bytes > 0 && !s->backlog) || (has_rate && !s->backlog && !s->queue)) {
        return error_sys(err, ENOMEM, "cannot start");
    }
    return random_bytes(&t->edges.seed, sizeof(t->edges.seed)) < 0
               ? error_set(err, EIO, "cannot start: no random numbers")
               : 0;
}

static int take_interfaces(struct tap *t, struct error *err)
{
    const struct tap_conf *c = t->around.conf;
    int r = interfaces_start(&t->edges.common.interfaces, c->collector_text, mono_now(), err);
    if (r == 0) {
        teller_tell(t->around.teller, "%s",
                    c->select.take_links
                        ? "datagrams of farspan links are taken, but for this tap's own"
                        : "datagrams of farspan links are left out (--take-links)");
        interface_edges_settle(&t->edges.common);
    }
    return r;
}

static int begin(struct tap *t, struct error *err)
{
    struct loop *l = t->around.loop;
    int r = wake_init(&t->wake);
    r = r < 0 ? r : loop_add_fd(l, t->wake.fd, EPOLLIN, on_wake, t, &t->wake_event);
    if (r < 0) {
        return error_sys(err, -r, "cannot start");
    }
    r = make_shared(t, err);
    r = r < 0 ? r : make_dialer(t, err);
    t->edges.dialer = t->dialer;
    t->edges.shared = t->shared;
    r = r < 0 ? r : take_interfaces(t, err);
    if (r == 0) {
        r = loop_add_timer(l, mono_add_ms(mono_now(), TICK_MS), TICK_MS * NSEC_PER_MSEC, on_timer,
                           t, &t->timer);
        r = r < 0 ? error_sys(err, -r, "cannot start") : 0;
    }
    return r;
}

int tap_new(const struct tap_around *around, struct tap **ret, struct error *err)
{
    struct tap *t = calloc(1, sizeof(*t));
    if (!t) {
        return error_sys(err, ENOMEM, "cannot start");
    }
    t->around = *around;
    t->wake.fd = -1;
    t->watch = around->conf->watch;
    history_init(&t->history, HISTORY_MAX);
    tap_edges_init(&t->edges, &around->conf->select);
    t->edges.common.loop = around->loop;
    t->edges.common.broker = around->broker;
    t->edges.common.teller = around->teller;
    t->edges.common.wake = &t->wake;
    t->edges.common.history = &t->history;
    int r = begin(t, err);
    t->around.handshake = NULL;
    if (r < 0) {
        tap_free(t);
        return r;
    }
    *ret = t;
    return 0;
}

void tap_free(struct tap *t)
{
    if (!t) {
        return;
    }
    dialer_free(t->dialer);
    interface_edges_done(&t->edges.common);
    budget_free(t->shared.budget);
    free(t->limiter);
    backlog_pool_free(t->shared.backlog);
    backlog_pool_free(t->shared.queue);
    loop_del_timer(t->around.loop, t->timer);
    loop_del_timer(t->around.loop, t->limit_timer);
    loop_del_fd(t->around.loop, t->wake_event);
    wake_done(&t->wake);
    history_done(&t->history);
    free(t);
}

void tap_start(struct tap *t)
{
    dialer_start(t->dialer);
}

void tap_stop(struct tap *t)
{
    t->ending = true;
    dialer_stop(t->dialer);
}

void tap_end(struct tap *t, enum link_close why, const char *words)
{
    if (!t->ending) {
        t->ending = true;
        t->ended = why;
        if (words) {
            interface_edges_tell(&t->edges.common, HISTORY_TAP_STOPPED, t->around.conf->name,
                                 words);
        }
        dialer_end(t->dialer, why);
    }
}

static void set_watch(struct tap *t, const struct watchdog_conf *conf)
{
    t->watch = *conf;
    if (conf->idle.max_ms == 0) { /* nothing is idle or dead then */
        (void)watchdog_look(&t->edges.common.interfaces, conf, false, mono_now());
    }
}

int tap_may_become(const struct tap_conf *from, const struct tap_conf *to, struct error *err)
{
    if ((from->limit.rate.bits > 0) != (to->limit.rate.bits > 0)) {
        return error_set(err, EBUSY,
                         "rate where there was none, or none any more, needs a restart");
    }
    return limiter_limits(&from->limiter, &from->limit) != limiter_limits(&to->limiter, &to->limit)
               ? error_set(err, EBUSY,
                           "cpu-limit where nothing was limited, or nothing any more, needs a "
                           "restart")
               : 0;
}

void tap_become(struct tap *t, const struct tap_conf *conf)
{
    t->around.conf = conf;
    t->edges.common.select = &conf->select;
    for (unsigned k = 0; k < t->edges.common.interfaces.n; k++) {
        struct interface *i = t->edges.common.interfaces.at[k];
        if (capture_stages(i->capture, &conf->select.stages) < 0) {
            teller_tell(t->around.teller, "%s: its stages stay, as its thread is stuck", i->name);
        }
    }
    if (t->shared.budget) {
        budget_set(t->shared.budget, &conf->limit);
    }
    if (t->limiter) {
        limiter_set(t->limiter, &conf->limiter, &conf->limit);
    }
    set_watch(t, &conf->watch);
    interfaces_select(&t->edges.common.interfaces, &conf->select, mono_now());
}

enum link_close tap_ended(const struct tap *t)
{
    return t->ended;
}

/* ---- told of it ---- */

const struct interfaces *tap_interfaces(const struct tap *t)
{
    return &t->edges.common.interfaces;
}

const struct dialer *tap_dialer(const struct tap *t)
{
    return t->dialer;
}

json_t *tap_document(void *tap)
{
    const struct tap *t = tap;
    const struct interfaces_gone *g = &t->edges.common.interfaces.gone;
    const struct interface_said *s = &g->counts.said;
    const struct report_gone gone = {
        g->n, g->counts.ledger, {s->confirmed, s->reported_lost, s->unconfirmed}};
    struct report_tap_interface list[INTERFACES_MAX];
    for (unsigned k = 0; k < t->edges.common.interfaces.n; k++) {
        const struct interface *i = t->edges.common.interfaces.at[k];
        list[k] = (struct report_tap_interface){
            .name = i->name,
            .state = interface_edges_state(i),
            .stream = i->stream,
            .capture = i->capture,
            .idle = t->watch.idle.max_ms > 0 ? &i->idle : NULL,
        };
    }
    const struct report_tap_parts parts = {.name = t->around.conf->name,
                                           .dialer = t->dialer,
                                           .budget = t->shared.budget,
                                           .limiter = t->limiter,
                                           .interfaces = list,
                                           .n = t->edges.common.interfaces.n,
                                           .gone = &gone,
                                           .history = &t->history};
    return report_tap(&parts);
}

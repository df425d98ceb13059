/* SPDX-License-Identifier: Apache-2.0 */
#include "node/tap.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "node/memory.h"
#include "node/report.h"
#include "node/tap_edges.h"
#include "sys/crypto/kdf.h"

enum {
    TICK_MS = 500,
    SETTLE_MS = 3000, /* for the first answer, before the link is begun */
};

struct tap {
    struct tap_around around;
    struct tap_edges edges;
    struct wake wake; /* signalled by captures */
    struct loop_fd *wake_event;
    struct loop_timer *timer;
    struct dialer *dialer;
    struct backlog_pool *backlog; /* NULL: none */
    struct memory memory;
    struct history history;
};

/* ---- before the split ---- */

int tap_prepare(struct tap_conf *c, struct tap_grants *ret, struct error *err)
{
    *ret = (struct tap_grants){.select = &c->select, .collector = &c->collector, .user = c->user};
    int r = ring_may_capture(err);
    r = r < 0 ? r : selection_compile(&c->select, err);
    if (r == 0 && c->select.netns) {
        r = netns_open(c->select.netns, &ret->netns, err);
        r = r < 0 ? r : netns_enter(ret->netns, err);
    }
    if (r == 0) {
        r = selection_check(&c->select, err);
        if (ret->netns) {
            netns_leave(ret->netns);
        }
    }
    return r;
}

void tap_conf_done(struct tap_conf *c)
{
    selection_done(&c->select);
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
    interfaces_flow(&t->edges.interfaces, flow);
}

static void on_stream_ended(void *user, uint16_t id)
{
    struct tap *t = user;
    interfaces_stream_ended(&t->edges.interfaces, id);
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
    for (unsigned k = 0; k < t->edges.interfaces.n; k++) {
        const struct interface *i = t->edges.interfaces.at[k];
        int e = capture_take_error(i->capture);
        if (e != 0 && e != ENETDOWN) { /* of that one the kernel tells more */
            teller_tell(t->around.teller, "%s: %s", i->name, strerror(e));
        }
    }
    interfaces_tell(&t->edges.interfaces);
    dialer_senders_changed(t->dialer);
}

static void look_at_memory(struct tap *t, struct mono now)
{
    char words[HISTORY_WORDS + 1];
    const struct memory_look m = memory_look(&t->memory, t->backlog, now);
    for (unsigned k = 0; m.shrunk && k < t->edges.interfaces.n; k++) {
        capture_look(t->edges.interfaces.at[k]->capture);
    }
    if (m.tell) {
        snprintf(words, sizeof(words),
                 "memory is short: the oldest frames that wait are dropped, %" PRIu64
                 " KiB may wait for now; a smaller --backlog, or more memory, avoids that",
                 m.may_wait >> 10);
        tap_edges_event(&t->edges, HISTORY_MEMORY_SHORT, "backlog", words);
    }
}

static void on_timer(struct loop *l, struct mono now, void *user)
{
    (void)l;
    struct tap *t = user;
    interfaces_tick(&t->edges.interfaces, mono_now());
    look_at_memory(t, now);
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
                             .history = &t->history,
                             .ops = &dialer_ops,
                             .user = t};
    int r = dialer_new(t->around.loop, &dc, &t->dialer, err);
    secure_wipe(&dc.handshake, sizeof(dc.handshake));
    return r;
}

static int make_backlog(struct tap *t, struct error *err)
{
    uint64_t bytes = t->around.conf->backlog_bytes;
    t->backlog = bytes > 0 ? backlog_pool_new(bytes) : NULL;
    if (bytes > 0 && !t->backlog) {
        return error_sys(err, ENOMEM, "cannot start");
    }
    return random_bytes(&t->edges.seed, sizeof(t->edges.seed)) < 0
               ? error_set(err, EIO, "cannot start: no random numbers")
               : 0;
}

/* Until it is known which interfaces there are. */
static void settle(struct tap *t)
{
    struct mono end = mono_add_ms(mono_now(), SETTLE_MS);
    while (!interfaces_settled(&t->edges.interfaces) && !mono_due(mono_now(), end)) {
        struct pollfd p = {t->edges.watch, POLLIN, 0};
        if (poll(&p, 1, 100) > 0) {
            tap_edges_read(&t->edges);
        }
    }
    interfaces_say_waiting(&t->edges.interfaces);
}

static int take_interfaces(struct tap *t, struct error *err)
{
    const struct tap_conf *c = t->around.conf;
    int r = interfaces_start(&t->edges.interfaces, c->collector_text, mono_now(), err);
    if (r == 0) {
        teller_tell(t->around.teller, "%s",
                    c->select.take_links
                        ? "datagrams of farspan links are taken, but for this tap's own"
                        : "datagrams of farspan links are left out (--take-links)");
        settle(t);
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
    r = make_dialer(t, err);
    r = r < 0 ? r : make_backlog(t, err);
    t->edges.dialer = t->dialer;
    t->edges.backlog = t->backlog;
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
    history_init(&t->history, HISTORY_MAX);
    tap_edges_init(&t->edges, &around->conf->select);
    t->edges.loop = around->loop;
    t->edges.broker = around->broker;
    t->edges.teller = around->teller;
    t->edges.wake = &t->wake;
    t->edges.history = &t->history;
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
    tap_edges_done(&t->edges);
    backlog_pool_free(t->backlog);
    loop_del_timer(t->around.loop, t->timer);
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
    dialer_stop(t->dialer);
}

/* ---- told of it ---- */

const struct interfaces *tap_interfaces(const struct tap *t)
{
    return &t->edges.interfaces;
}

const struct dialer *tap_dialer(const struct tap *t)
{
    return t->dialer;
}

static const char *state_of(const struct interface *i)
{
    bool down = i->now.index != 0 && !(i->now.flags & IFF_UP);
    return !i->there ? "gone" : down ? "down" : "up";
}

json_t *tap_document(void *tap)
{
    const struct tap *t = tap;
    const struct interfaces_gone *g = &t->edges.interfaces.gone;
    const struct report_gone gone = {g->n, g->counts.ledger, g->counts.said};
    struct report_tap_interface list[INTERFACES_MAX];
    for (unsigned k = 0; k < t->edges.interfaces.n; k++) {
        const struct interface *i = t->edges.interfaces.at[k];
        list[k] = (struct report_tap_interface){i->name, state_of(i), i->stream, i->capture};
    }
    return report_tap(t->around.conf->name, t->dialer, list, t->edges.interfaces.n, &gone,
                      &t->history);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "node/meter_live.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/text.h"
#include "node/meter_edges.h"
#include "node/meter_requests.h"
#include "node/report.h"
#include "node/report_parts.h"

enum {
    TICK_MS = 500,
    SNAPLEN = 512, /* bytes of a frame in which its headers are looked for */
};

struct meter_live {
    struct meter_live_around around;
    struct meter meter; /* whose sink is owned here */
    struct meter_edges edges;
    struct wake wake; /* signalled by captures */
    struct loop_fd *wake_event;
    struct loop_timer *timer;
    struct history history;
    bool stopping, stopped;
};

/* A packet's headers are enough, and packets count as the card makes them: nothing is cut. */
void meter_live_select(struct selection *s)
{
    s->snaplen = SNAPLEN;
    s->keep_super = true;
    s->take_links = true;
    s->metered = true;
}

/* ---- events ---- */

/* Once every capture has ended. */
static void look_at_end(struct meter_live *m)
{
    const struct interfaces *all = &m->edges.common.interfaces;
    unsigned n = 0;
    while (n < all->n && capture_done(all->at[n]->capture)) {
        n++;
    }
    if (n == all->n && !m->stopped) {
        m->stopped = true;
        m->around.stopped(m->around.user);
    }
}

static void on_wake(struct loop *l, int fd, uint32_t events, void *user)
{
    struct meter_live *m = user;
    (void)l;
    (void)fd;
    (void)events;
    wake_clear(&m->wake);
    interface_edges_woke(&m->edges.common);
    meter_edges_look(&m->edges);
    if (m->stopping) {
        look_at_end(m);
    }
}

static void on_timer(struct loop *l, struct mono now, void *user)
{
    struct meter_live *m = user;
    (void)l;
    if (!m->stopping) {
        interfaces_tick(&m->edges.common.interfaces, now);
        meter_tend(&m->meter, m->around.conf, meter_request_export, m->around.broker, now);
    }
}

/* ---- its life ---- */

static int begin(struct meter_live *m, struct error *err)
{
    struct loop *l = m->around.loop;
    int r = wake_init(&m->wake);
    r = r < 0 ? r : loop_add_fd(l, m->wake.fd, EPOLLIN, on_wake, m, &m->wake_event);
    if (r < 0) {
        return error_sys(err, -r, "cannot start");
    }
    r = meter_make(m->around.conf, m->around.opened, METER_BY_READS, &m->meter, err);
    m->edges.meter = m->meter.sink;
    r = r < 0 ? r : interfaces_start(&m->edges.common.interfaces, NULL, mono_now(), err);
    if (r < 0) {
        return r;
    }
    interface_edges_settle(&m->edges.common);
    r = loop_add_timer(l, mono_add_ms(mono_now(), TICK_MS), TICK_MS * NSEC_PER_MSEC, on_timer, m,
                       &m->timer);
    return r < 0 ? error_sys(err, -r, "cannot start") : 0;
}

int meter_live_new(const struct meter_live_around *around, struct meter_live **ret,
                   struct error *err)
{
    struct meter_live *m = calloc(1, sizeof(*m));
    if (!m) {
        return error_sys(err, ENOMEM, "cannot start");
    }
    m->around = *around;
    m->wake.fd = -1;
    history_init(&m->history, HISTORY_MAX);
    meter_edges_init(&m->edges, around->select);
    struct interface_edges *e = &m->edges.common;
    e->loop = around->loop;
    e->broker = around->broker;
    e->teller = around->teller;
    e->wake = &m->wake;
    e->history = &m->history;
    m->edges.stages = around->stages;
    int r = begin(m, err);
    if (r < 0) {
        meter_live_free(m);
        return r;
    }
    *ret = m;
    return 0;
}

void meter_live_stop(struct meter_live *m)
{
    const struct interfaces *all = &m->edges.common.interfaces;
    m->stopping = true;
    for (unsigned k = 0; k < all->n; k++) {
        capture_stop(all->at[k]->capture);
    }
    look_at_end(m); /* there may be none */
}

int meter_live_finish(struct meter_live *m, struct error *err)
{
    return m->meter.sink->ops->finish(m->meter.sink, err);
}

void meter_live_free(struct meter_live *m)
{
    if (!m) {
        return;
    }
    interface_edges_done(&m->edges.common);
    sink_free(m->meter.sink);
    loop_del_timer(m->around.loop, m->timer);
    loop_del_fd(m->around.loop, m->wake_event);
    wake_done(&m->wake);
    history_done(&m->history);
    free(m);
}

/* ---- its document ---- */

/* The same for all interfaces, also where there are none any more. */
static const struct ledger_way *way_of(const struct meter_live *m)
{
    static const struct ledger_way ways[] = {
        {3, {LEDGER_RING, LEDGER_SELECT, LEDGER_METER}},
        {4, {LEDGER_RING, LEDGER_SELECT, LEDGER_STAGES, LEDGER_METER}}};
    return &ways[m->edges.stages->n > 0];
}

static json_t *interface_document(const struct meter_live *m, const struct interface *i)
{
    char name[TEXT_ESCAPE * IFNAMSIZ];
    struct ledger l;
    json_t *o = json_object();
    meter_edges_counts(&m->edges, i, &l);
    text_name(name, sizeof(name), i->name, strlen(i->name));
    report_set_str(o, "name", name);
    report_set_str(o, "state", interface_edges_state(i));
    (void)json_object_set_new(o, "stages", report_stages(&l, capture_way(i->capture)));
    return o;
}

json_t *meter_live_document(void *meter)
{
    const struct meter_live *m = meter;
    const struct interfaces *all = &m->edges.common.interfaces;
    json_t *doc = report_head("meter", m->around.name), *list = json_array();
    for (unsigned k = 0; k < all->n; k++) {
        (void)json_array_append_new(list, interface_document(m, all->at[k]));
    }
    (void)json_object_set_new(doc, "interfaces", list);
    if (all->gone.n > 0) {
        json_t *o = json_object();
        report_set_int(o, "count", all->gone.n);
        (void)json_object_set_new(o, "stages", report_stages(&all->gone.counts.ledger, way_of(m)));
        (void)json_object_set_new(doc, "gone_interfaces", o);
    }
    meter_report(&m->meter, doc);
    report_set_history(doc, &m->history);
    return doc;
}

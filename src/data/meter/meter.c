/* SPDX-License-Identifier: Apache-2.0 */
#include "data/meter/meter.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "data/meter/impl.h"
#include "data/thread.h"

enum {
    TICK_MS = 200, /* between two ticks of exporters */
};

/* A frame is read so long after it was captured: blocks of a ring are closed after 22 ms. */
#define LATE_NS (100 * NSEC_PER_MSEC)
/* And one that was sent here so long after, without being lost. */
#define LATE_SENT_NS (1000 * NSEC_PER_MSEC)
/* By points: the flows of one that has gone are kept for so long, where none is idle by then. */
#define GONE_NS (60 * NSEC_PER_SEC)

static struct meter *of(struct sink *s)
{
    return (struct meter *)s;
}

/* ---- points ---- */

/* Of a tap's interface both names: "web1:eth0". */
static void name_point(char ret[METER_NAME], bool by_points, const struct point_offer *point)
{
    if (by_points) {
        (void)snprintf(ret, METER_NAME, "%s:%s", point->tap, point->ifname);
    } else {
        (void)snprintf(ret, METER_NAME, "%s", point->ifname);
    }
}

/* It is known under the index, or known to be another one from now on. Of a tap's interface that
 * comes back the flows go on. */
static void know(struct meter *m, const struct point_offer *point, uint16_t linktype)
{
    char name[METER_NAME];
    struct meter_point *p = &m->at[point->index];
    name_point(name, m->conf.time == METER_BY_POINTS, point);
    const bool same =
        p->known && !point->fresh && p->tap == point->tap_number && strcmp(p->name, name) == 0;
    if (!same) {
        const bool known = p->known;
        flows_end_point(m->flows, (uint16_t)point->index);
        *p = (struct meter_point){.tap = point->tap_number, .known = known};
        p->newest_ns = p->read_ns = wall_now().ns;
        memcpy(p->name, name, sizeof(name));
    }
    if (!p->known) {
        p->known = true;
        m->known[m->n_known++] = (uint16_t)point->index;
    }
    p->linktype = linktype;
    p->is = true;
}

/* All its flows leave. `k` is its place among those that are known. */
static void forget(struct meter *m, unsigned k)
{
    const uint16_t index = m->known[k];
    m->known[k] = m->known[--m->n_known];
    m->at[index].known = false;
    flows_end_point(m->flows, index);
}

static int meter_point_add(struct sink *s, const struct point_offer *point, struct error *err)
{
    struct ledger *l;
    const bool by_points = of(s)->conf.time == METER_BY_POINTS;
    const uint16_t linktype = by_points ? PACKET_ETHERNET : point->linktype;
    if (!packet_knows_link(linktype)) {
        return error_set(err, ENOTSUP, "%s: link type %u is none that the meter can read",
                         point->ifname, linktype);
    }
    struct meter *m = of(s);
    (void)pthread_mutex_lock(&m->lock);
    int r = sink_point_open(s, point, &l, err);
    if (r == 0) {
        know(m, point, linktype);
    }
    (void)pthread_mutex_unlock(&m->lock);
    return r;
}

/* By points it may come back: its flows are kept for as long as they may be idle. */
static void leave(struct meter *m, uint32_t index)
{
    struct meter_point *p = &m->at[index];
    unsigned k = 0;
    p->is = false;
    p->arrived = p->arrived.ns ? mono_now() : p->arrived;
    p->heard = (struct mono){0};
    while (m->known[k] != index) {
        k++;
    }
    if (m->conf.time != METER_BY_POINTS || !p->arrived.ns) {
        forget(m, k);
    }
}

static void meter_point_remove(struct sink *s, uint32_t index)
{
    struct meter *m = of(s);
    (void)pthread_mutex_lock(&m->lock);
    if (index < POINT_MAX && m->at[index].is) {
        leave(m, index);
        sink_point_close(s, index);
    }
    (void)pthread_mutex_unlock(&m->lock);
}

/* ---- exporters ---- */

static void tick(struct meter *m, struct mono now, bool last)
{
    struct ledger all = {0};
    sink_total(&m->sink, &all);
    const struct exporter_news news = {now, ledger_get(&all, m->counts->bad_ip), m->bad_octets,
                                       m->conf.time != METER_BY_FRAMES, last};
    m->ticked = now;
    for (unsigned k = 0; k < m->conf.n_exporters; k++) {
        struct exporter *x = m->conf.exporter[k];
        if (x->ops->tick) {
            x->ops->tick(x, &news);
        }
    }
}

/* By points: each one's time goes on from its newest frame, to where it was heard of. */
static void move_times(struct meter *m, struct mono now)
{
    const int64_t most = m->conf.idle_ns ? m->conf.idle_ns : GONE_NS;
    for (unsigned k = m->n_known; k-- > 0;) { /* the last may come into its place */
        const uint16_t i = m->known[k];
        const struct meter_point *p = &m->at[i];
        const int64_t passed = mono_diff(p->heard.ns ? p->heard : now, p->arrived) - LATE_SENT_NS;
        if (p->arrived.ns) {
            flows_until(m->flows, i, p->newest_ns + passed);
        }
        if (!p->is && passed >= most) {
            forget(m, k);
        }
    }
}

static void tick_if_due(struct meter *m, struct mono now)
{
    if (mono_diff(now, m->ticked) < TICK_MS * NSEC_PER_MSEC) {
        return;
    }
    if (m->conf.time == METER_BY_POINTS) {
        move_times(m, now);
    }
    tick(m, now, false);
}

void meter_sink_tick(struct sink *s, struct mono now)
{
    struct meter *m = of(s);
    (void)pthread_mutex_lock(&m->lock);
    tick_if_due(m, now);
    (void)pthread_mutex_unlock(&m->lock);
}

void meter_sink_hurry(struct sink *s)
{
    const struct meter *m = of(s); /* without the lock, which is held by who waits */
    for (unsigned k = 0; k < m->conf.n_exporters; k++) {
        struct exporter *x = m->conf.exporter[k];
        if (x->ops->hurry) {
            x->ops->hurry(x);
        }
    }
}

/* ---- the sink ---- */

void meter_sink_end(struct sink *s)
{
    struct meter *m = of(s);
    (void)pthread_mutex_lock(&m->lock);
    flows_end(m->flows);
    (void)pthread_mutex_unlock(&m->lock);
}

void meter_sink_show(struct sink *s, void (*begin)(void *user), void *user, struct exporter *to)
{
    struct meter *m = of(s);
    (void)pthread_mutex_lock(&m->lock);
    tick(m, mono_now(), false);
    begin(user);
    meter_show(m, to);
    (void)pthread_mutex_unlock(&m->lock);
}

static void meter_write(struct sink *s, const struct batch *b)
{
    struct meter *m = of(s);
    (void)pthread_mutex_lock(&m->lock);
    meter_take_batch(m, b);
    tick_if_due(m, mono_now());
    (void)pthread_mutex_unlock(&m->lock);
}

static void meter_flush(struct sink *s)
{
    meter_sink_tick(s, mono_now());
}

/* An exporter that finishes, in a thread of its own if there can be one. */
struct finishing {
    struct exporter *exporter;
    pthread_t thread;
    bool has_thread;
    int r;
    struct error err;
};

static void *finish_one(void *arg)
{
    struct finishing *f = arg;
    f->r = f->exporter->ops->finish(f->exporter, &f->err);
    return NULL;
}

/* All at once: one that has to wait for its collector takes no time from the others. */
static int finish_exporters(struct meter *m, struct error *err)
{
    struct finishing all[EXPORTERS_MAX] = {0};
    int r = 0;
    for (unsigned k = 0; k < m->conf.n_exporters; k++) {
        struct finishing *f = &all[k];
        f->exporter = m->conf.exporter[k];
        f->has_thread =
            m->conf.n_exporters > 1 && thread_start_masked(finish_one, f, &f->thread) == 0;
        if (!f->has_thread) {
            (void)finish_one(f);
        }
    }
    for (unsigned k = 0; k < m->conf.n_exporters; k++) {
        const struct finishing *f = &all[k];
        if (f->has_thread) {
            (void)pthread_join(f->thread, NULL);
        }
        if (f->r < 0 && r == 0) {
            r = f->r;
            *err = f->err;
        }
    }
    return r;
}

static int meter_finish(struct sink *s, struct error *err)
{
    struct meter *m = of(s);
    (void)pthread_mutex_lock(&m->lock);
    tick(m, mono_now(), true);
    flows_end(m->flows);
    const int r = finish_exporters(m, err);
    (void)pthread_mutex_unlock(&m->lock);
    return r;
}

static void meter_free(struct sink *s)
{
    struct meter *m = of(s);
    flows_free(m->flows);
    outers_free(m->outers);
    for (unsigned k = 0; k < m->conf.n_exporters; k++) {
        exporter_free(m->conf.exporter[k]);
    }
    sink_done(s);
    (void)pthread_mutex_destroy(&m->lock);
    free(m);
}

static void meter_point_stats(struct sink *s, uint32_t index, const struct ledger *figures)
{
    (void)s;
    (void)index;
    (void)figures;
}

/* A file that takes no more is told at the end, and its records count. */
static int meter_check(struct sink *s, struct error *err)
{
    return sink_check_refused(s, 0, err);
}

#define OPS(stage)                                                                                 \
    {                                                                                              \
        .kind = "meter", .counts = stage, .point_add = meter_point_add,                            \
        .point_stats = meter_point_stats, .point_remove = meter_point_remove,                      \
        .write = meter_write, .flush = meter_flush, .check = meter_check, .finish = meter_finish,  \
        .free = meter_free                                                                         \
    }
static const struct sink_ops ops = OPS(LEDGER_METER), output_ops = OPS(LEDGER_SINK);
static const struct meter_counts counts = {LEDGER_MET_IN, LEDGER_MET_NOT_IP, LEDGER_MET_BAD_IP,
                                           LEDGER_MET_OUT},
                                 output_counts = {LEDGER_SINK_IN, LEDGER_SINK_NOT_IP,
                                                  LEDGER_SINK_BAD_IP, LEDGER_SINK_OUT};

int meter_sink_new(const struct meter_sink_conf *conf, struct sink **ret)
{
    const bool by_points = conf->time == METER_BY_POINTS;
    struct meter *m = calloc(1, sizeof(*m));
    if (!m) {
        for (unsigned k = 0; k < conf->n_exporters; k++) {
            exporter_free(conf->exporter[k]);
        }
        return -ENOMEM;
    }
    m->conf = *conf;
    m->counts = by_points ? &output_counts : &counts;
    (void)pthread_mutex_init(&m->lock, NULL);
    const struct flows_conf fc = {
        conf->flows, conf->idle_ns, conf->active_ns, by_points ? POINT_MAX : 0, meter_tell, m};
    int r = sink_init(&m->sink, by_points ? &output_ops : &ops, "meter");
    r = r < 0 ? r : flows_new(&fc, &m->flows);
    r = r < 0 ? r : outers_new(&m->outers);
    r = r < 0 ? r : random_bytes(m->key, sizeof(m->key)) < 0 ? -EIO : 0;
    if (r < 0) {
        meter_free(&m->sink);
        return r;
    }
    *ret = &m->sink;
    return 0;
}

/* The time up to which all frames of every point are written. */
static int64_t read_up_to(const struct meter *m)
{
    int64_t until = INT64_MAX;
    for (unsigned k = 0; k < m->n_known; k++) {
        until = MIN(until, m->at[m->known[k]].read_ns);
    }
    return until;
}

void meter_sink_read(struct sink *s, uint32_t point, bool all, int64_t now_ns)
{
    struct meter *m = of(s);
    (void)pthread_mutex_lock(&m->lock);
    m->at[point].read_ns = all ? now_ns - LATE_NS : m->at[point].newest_ns;
    flows_until(m->flows, 0, read_up_to(m));
    tick_if_due(m, mono_now());
    (void)pthread_mutex_unlock(&m->lock);
}

void meter_sink_heard(struct sink *s, uint32_t point, struct mono at)
{
    struct meter *m = of(s);
    (void)pthread_mutex_lock(&m->lock);
    if (point < POINT_MAX && m->at[point].is) {
        m->at[point].heard = at;
    }
    (void)pthread_mutex_unlock(&m->lock);
}

void meter_sink_record(struct sink *s, uint32_t point, const struct flowrec *r)
{
    struct meter *m = of(s);
    (void)pthread_mutex_lock(&m->lock);
    if (point < POINT_MAX && m->at[point].known) {
        meter_give(m, point, r);
    }
    (void)pthread_mutex_unlock(&m->lock);
}

void meter_sink_figures(const struct sink *s, struct meter_sink_figures *ret)
{
    struct meter *m = (struct meter *)s; /* for the lock */
    (void)pthread_mutex_lock(&m->lock);
    *ret = (struct meter_sink_figures){flows_now(m->flows), flows_evicted(m->flows)};
    (void)pthread_mutex_unlock(&m->lock);
}

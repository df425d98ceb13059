/* SPDX-License-Identifier: Apache-2.0 */
#include "node/engine_points.h"

#include "base/text.h"
#include "node/engine_output.h"

void engine_points_init(struct engine_points *p, struct engine_ports *ports,
                        const struct wanted *wanted, const struct engine_output *output,
                        const struct filter_prog *filter)
{
    *p = (struct engine_points){
        .ports = ports, .wanted = wanted, .output = output, .filter = filter};
    atomic_store(&p->budget, engine_output_left(output, wanted->most_frames));
}

static struct spread_want wish(struct engine_points *p, unsigned i)
{
    const struct wanted *w = p->wanted;
    return (struct spread_want){.sink = engine_output_sink(p->output, i),
                                .point = i,
                                .filter = p->filter->n > 0 ? p->filter : NULL,
                                .dir = (enum frame_dir)w->dir,
                                .vlans = w->has_vlans ? &w->vlans : NULL,
                                .snaplen = w->snaplen,
                                .start_ns = w->start_ns,
                                .stop_ns = w->stop_ns,
                                .budget = w->most_frames > 0 ? &p->budget : NULL,
                                .counts = &p->at[i].counts};
}

static uint64_t ring_losses(const struct engine_port *port)
{
    return ledger_sum(engine_port_ledger(port), NULL, LEDGER_RING).dropped;
}

/* The port that it has a place in; NULL: it has none, or none any more. */
static struct engine_port *port_of(struct engine_points *p, struct engine_point *k)
{
    struct engine_port *port = k->port > 0 ? engine_ports_get(p->ports, k->port) : NULL;
    k->port = port ? k->port : 0;
    return port;
}

static void take_place(struct engine_points *p, unsigned i)
{
    struct engine_point *k = &p->at[i];
    char name[IFNAMSIZ];
    struct engine_port *port = text_name_read(name, sizeof(name), p->wanted->point[i]) > 0
                                   ? engine_ports_find(p->ports, name)
                                   : NULL;
    if (!port) {
        return;
    }
    const struct spread_want w = wish(p, i);
    k->at = 0;
    const int place = engine_port_add(port, &w, p->wanted->kind == WANTED_NETFLOW, &k->at);
    if (place >= 0) {
        k->port = engine_port_number(port);
        k->place = (unsigned)place;
        k->ring_lost = ring_losses(port);
        k->gone = k->leaving = k->stale = false;
    }
}

static void count_losses(struct engine_point *k, const struct engine_port *port)
{
    const uint64_t lost = ring_losses(port);
    k->lost += lost - k->ring_lost;
    k->ring_lost = lost;
}

static void tell_change(struct engine_points *p, unsigned i, struct engine_port *port)
{
    struct engine_point *k = &p->at[i];
    const struct spread_want w = wish(p, i);
    k->stale = engine_port_change(port, k->place, &w) < 0;
}

/* Another ring begins anew: what was between is a gap. */
static void cover(const struct engine_points *p, struct engine_point *k,
                  const struct engine_port *port)
{
    const int64_t since = engine_port_since(port), at = k->at, stop = p->wanted->stop_ns;
    if (since == 0 || at == 0) {
        return;
    }
    if (since != k->ring_since) {
        k->ring_since = since;
        k->from_ns = MIN(MAX(p->wanted->start_ns, MAX(since, at)), stop);
        k->until_ns = k->from_ns;
        k->ever = true;
    }
    k->until_ns = MAX(k->until_ns, MIN(engine_port_read(port), stop));
}

void engine_points_look(struct engine_points *p)
{
    for (unsigned i = 0; i < p->wanted->n_points; i++) {
        struct engine_point *k = &p->at[i];
        struct engine_port *port = port_of(p, k);
        if (!port) {
            take_place(p, i);
            engine_output_idle(p->output, i);
            continue;
        }
        count_losses(k, port);
        cover(p, k, port);
        if (k->stale) {
            tell_change(p, i, port);
        }
    }
}

void engine_points_change(struct engine_points *p)
{
    for (unsigned i = 0; i < p->wanted->n_points; i++) {
        p->at[i].stale = p->at[i].port > 0;
    }
    engine_points_look(p);
}

void engine_points_shift(struct engine_points *p, int64_t ns)
{
    for (unsigned i = 0; i < p->wanted->n_points; i++) {
        struct engine_point *k = &p->at[i];
        k->ring_since = k->ring_since > 0 ? MAX(k->ring_since + ns, INT64_C(1)) : 0;
        if (ns < 0) { /* else it is complete for what never was, too */
            k->from_ns = MAX(k->from_ns + ns, INT64_C(0));
            k->until_ns = MAX(k->until_ns + ns, k->from_ns);
        }
    }
}

bool engine_points_spent(const struct engine_points *p)
{
    return p->wanted->most_frames > 0 && atomic_load(&p->budget) == 0;
}

bool engine_points_read(struct engine_points *p)
{
    bool all = true;
    for (unsigned i = 0; i < p->wanted->n_points; i++) {
        struct engine_point *k = &p->at[i];
        const struct engine_port *port = port_of(p, k);
        const bool has_ring = port && engine_port_since(port) > 0;
        if (has_ring && (k->stale || k->until_ns < p->wanted->stop_ns)) {
            engine_port_look(port);
            all = false;
        }
    }
    return all;
}

static bool leave(struct engine_points *p, struct engine_point *k)
{
    struct engine_port *port = port_of(p, k);
    if (!port) {
        return true;
    }
    if (k->leaving && atomic_load(&k->gone)) {
        k->port = 0;
        return true;
    }
    if (!k->leaving) {
        count_losses(k, port);
        k->leaving = engine_port_remove(port, k->place, &k->gone) == 0;
    }
    return false;
}

bool engine_points_leave(struct engine_points *p)
{
    bool all = true;
    for (unsigned i = 0; i < p->wanted->n_points; i++) {
        all = leave(p, &p->at[i]) && all;
    }
    return all;
}

/* Behind its last frame: a port's frames come in order, so it is complete up to there. */
static int64_t behind_last(const struct engine_point *k)
{
    const int64_t last = atomic_load(&k->counts.last_ns);
    return last > 0 ? MAX(last + 1, k->from_ns) : k->from_ns;
}

void engine_points_end_spent(struct engine_points *p)
{
    for (unsigned i = 0; i < p->wanted->n_points; i++) {
        struct engine_point *k = &p->at[i];
        const bool was_refused_one = atomic_load(&k->counts.full);
        k->until_ns = was_refused_one ? behind_last(k) : MAX(k->until_ns, behind_last(k));
    }
}

void engine_points_end_at(struct engine_points *p, int64_t ns)
{
    for (unsigned i = 0; i < p->wanted->n_points; i++) {
        struct engine_point *k = &p->at[i];
        k->until_ns = MAX(MIN(MAX(k->until_ns, behind_last(k)), ns), k->from_ns);
    }
}

bool engine_points_ever(const struct engine_points *p)
{
    bool ever = false;
    for (unsigned i = 0; i < p->wanted->n_points; i++) {
        ever = ever || p->at[i].ever;
    }
    return ever;
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * The ledgers that every sink keeps: one for each observation point that was ever added, never
 * freed before the sink, so that other threads can read them without a lock. Taps come and go, so
 * a point that comes back gets its old ledger, which also bounds how many there can be.
 */
#include "data/sink.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct sink_point {
    struct ledger own, *ledger; /* its own, or that of the queue before the sink */
    char *tap, *ifname;
    uint32_t index; /* under which it is, or was last, open */
    bool open;
};

struct sink_ledgers {
    uint32_t n; /* points */
    struct sink_point *points[SINK_PORTS_MAX];
    _Atomic(struct sink_point *) by_index[SINK_PORTS_MAX];
};

int sink_init(struct sink *s, const struct sink_ops *ops, const char *name)
{
    s->ops = ops;
    snprintf(s->name, sizeof(s->name), "%s", name);
    s->ledgers = calloc(1, sizeof(*s->ledgers));
    return s->ledgers ? 0 : -ENOMEM;
}

static void point_free(struct sink_point *p)
{
    if (p) {
        free(p->tap);
        free(p->ifname);
        free(p);
    }
}

void sink_done(struct sink *s)
{
    for (uint32_t i = 0; s->ledgers && i < s->ledgers->n; i++) {
        point_free(s->ledgers->points[i]);
    }
    free(s->ledgers);
    s->ledgers = NULL;
}

/* A closed point of that name; points that are open count for themselves. */
static struct sink_point *find_closed(struct sink_ledgers *l, const struct sink_port *port)
{
    for (uint32_t i = 0; i < l->n; i++) {
        struct sink_point *p = l->points[i];
        if (!p->open && strcmp(p->tap, port->tap) == 0 && strcmp(p->ifname, port->ifname) == 0) {
            return p;
        }
    }
    return NULL;
}

/* No index shows it any more: another point came under the one that it had. */
static bool is_orphan(const struct sink_ledgers *l, const struct sink_point *p)
{
    return atomic_load_explicit(&l->by_index[p->index], memory_order_relaxed) != p;
}

/* A new point, or the place of one that is closed and whose counts are not shown or not kept here.
 * NULL: there is none. */
static struct sink_point *free_point(struct sink_ledgers *l)
{
    if (l->n < SINK_PORTS_MAX) {
        struct sink_point *p = calloc(1, sizeof(*p));
        if (p) {
            l->points[l->n++] = p;
        }
        return p;
    }
    for (uint32_t i = 0; i < l->n; i++) {
        struct sink_point *p = l->points[i];
        if (!p->open && (p->ledger != &p->own || is_orphan(l, p))) {
            free(TAKE_PTR(p->tap));
            free(TAKE_PTR(p->ifname));
            return p;
        }
    }
    return NULL;
}

static struct sink_point *add_point(struct sink_ledgers *l, const struct sink_port *port)
{
    _cleanup_(freep) char *tap = strdup(port->tap), *ifname = strdup(port->ifname);
    struct sink_point *p = tap && ifname ? free_point(l) : NULL;
    if (p) {
        p->tap = TAKE_PTR(tap);
        p->ifname = TAKE_PTR(ifname);
    }
    return p;
}

/* A point becomes another one, with nothing counted. */
static int rename_point(struct sink_point *p, const struct sink_port *port)
{
    _cleanup_(freep) char *tap = strdup(port->tap), *ifname = strdup(port->ifname);
    if (!tap || !ifname) {
        return -ENOMEM;
    }
    free(p->tap);
    free(p->ifname);
    p->tap = TAKE_PTR(tap);
    p->ifname = TAKE_PTR(ifname);
    return 0;
}

/* The point for a port that begins anew: that of its name, or else the one whose index it gets. */
static struct sink_point *fresh_point(struct sink_ledgers *l, const struct sink_port *port)
{
    struct sink_point *p = find_closed(l, port);
    if (!p) {
        p = atomic_load_explicit(&l->by_index[port->index], memory_order_relaxed);
        p = p && !p->open && p->index == port->index && rename_point(p, port) == 0 ? p : NULL;
    }
    if (!p) {
        p = add_point(l, port);
    }
    for (unsigned i = 0; p && i < LEDGER_COUNT; i++) {
        ledger_set(&p->own, (enum ledger_id)i, 0);
    }
    return p;
}

int sink_port_open(struct sink *s, const struct sink_port *port, struct ledger **ret,
                   struct error *err)
{
    struct sink_ledgers *l = s->ledgers;
    if (port->index >= SINK_PORTS_MAX) {
        return error_set(err, EINVAL, "%s: port %u is out of range", s->name, port->index);
    }
    struct sink_point *p = atomic_load_explicit(&l->by_index[port->index], memory_order_relaxed);
    if (p && p->open && p->index == port->index) {
        return error_set(err, EEXIST, "%s: port %u is in use", s->name, port->index);
    }
    p = port->fresh ? fresh_point(l, port) : find_closed(l, port);
    p = p ? p : add_point(l, port);
    if (!p && l->n == SINK_PORTS_MAX) {
        return error_set(err, ENOSPC, "%s: more than %d different interfaces of taps", s->name,
                         SINK_PORTS_MAX);
    }
    if (!p) {
        return error_sys(err, ENOMEM, "%s", s->name);
    }
    p->open = true;
    p->index = port->index;
    struct ledger *ledger = port->ledger ? port->ledger : &p->own;
    if (p->ledger != ledger) { /* who reads a point's own ledger has seen it set already */
        p->ledger = ledger;
    }
    atomic_store_explicit(&l->by_index[port->index], p, memory_order_release);
    *ret = p->ledger;
    return 0;
}

void sink_port_close(struct sink *s, uint32_t index)
{
    if (index < SINK_PORTS_MAX) {
        struct sink_point *p =
            atomic_load_explicit(&s->ledgers->by_index[index], memory_order_relaxed);
        if (p && p->index == index) {
            p->open = false;
        }
    }
}

struct ledger *sink_ledger(const struct sink *s, uint32_t index)
{
    if (index >= SINK_PORTS_MAX) {
        return NULL;
    }
    struct sink_point *p = atomic_load_explicit(&s->ledgers->by_index[index], memory_order_acquire);
    return p ? p->ledger : NULL;
}

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

DEFINE_FREEP(struct sink_point, point_free)

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
        if (p->tap && !p->open && strcmp(p->tap, port->tap) == 0 &&
            strcmp(p->ifname, port->ifname) == 0) {
            return p;
        }
    }
    return NULL;
}

/* A new point, or the place of one that was forgotten, or of one that is closed and whose counts
 * are kept elsewhere. NULL: there is none. */
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
        if (!p->tap || (!p->open && p->ledger != &p->own)) {
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

void sink_port_forget(struct sink *s, uint32_t index)
{
    struct sink_ledgers *l = s->ledgers;
    struct sink_point *p = index < SINK_PORTS_MAX
                               ? atomic_load_explicit(&l->by_index[index], memory_order_relaxed)
                               : NULL;
    if (!p || p->open || p->index != index) {
        return;
    }
    atomic_store_explicit(&l->by_index[index], NULL, memory_order_release);
    free(TAKE_PTR(p->tap));
    free(TAKE_PTR(p->ifname));
    for (unsigned i = 0; i < LEDGER_COUNT; i++) {
        ledger_set(&p->own, (enum ledger_id)i, 0);
    }
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
    p = find_closed(l, port);
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

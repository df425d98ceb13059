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

struct sink_entry {
    struct ledger own, *ledger; /* its own, or that of the queue before the sink */
    char tap[POINT_NAME_MAX + 1], ifname[POINT_NAME_MAX + 1];
    uint32_t index; /* under which it is, or was last, open */
    bool open;
    bool refused; /* it is open, and the sink has no room for it */
};

struct sink_ledgers {
    uint32_t n;               /* points */
    _Atomic uint32_t refused; /* of these */
    _Atomic(struct sink_entry *) by_index[POINT_MAX];
    /* One more than indices can show: so there is always one whose place can be taken. Memory that
     * no point has used yet stays untouched. */
    struct sink_entry points[POINT_MAX + 1];
};

int sink_init(struct sink *s, const struct sink_ops *ops, const char *name)
{
    s->ops = ops;
    snprintf(s->name, sizeof(s->name), "%s", name);
    s->ledgers = calloc(1, sizeof(*s->ledgers));
    return s->ledgers ? 0 : -ENOMEM;
}

void sink_done(struct sink *s)
{
    free(s->ledgers);
    s->ledgers = NULL;
}

static bool is_named(const struct sink_entry *p, const struct point_offer *point)
{
    return strncmp(p->tap, point->tap, POINT_NAME_MAX) == 0 &&
           strncmp(p->ifname, point->ifname, POINT_NAME_MAX) == 0;
}

static void set_name(struct sink_entry *p, const struct point_offer *point)
{
    snprintf(p->tap, sizeof(p->tap), "%s", point->tap);
    snprintf(p->ifname, sizeof(p->ifname), "%s", point->ifname);
}

/* A closed point of that name; points that are open count for themselves. */
static struct sink_entry *find_closed(struct sink_ledgers *l, const struct point_offer *point)
{
    for (uint32_t i = 0; i < l->n; i++) {
        struct sink_entry *p = &l->points[i];
        if (!p->open && is_named(p, point)) {
            return p;
        }
    }
    return NULL;
}

/* No index shows it any more: another point came under the one that it had. */
static bool is_orphan(const struct sink_ledgers *l, const struct sink_entry *p)
{
    return atomic_load_explicit(&l->by_index[p->index], memory_order_relaxed) != p;
}

/* A new point, or the place of one that is closed and whose counts are not shown or not kept here:
 * there is one, as points are one more than indices. */
static struct sink_entry *add_point(struct sink_ledgers *l, const struct point_offer *point)
{
    struct sink_entry *p = l->n < ARRAY_SIZE(l->points) ? &l->points[l->n++] : NULL;
    for (uint32_t i = 0; !p && i < l->n; i++) {
        struct sink_entry *old = &l->points[i];
        p = !old->open && (old->ledger != &old->own || is_orphan(l, old)) ? old : NULL;
    }
    if (p) {
        set_name(p, point);
    }
    return p;
}

/* The entry of a point that begins anew: that of its name, or else the one whose index it gets. */
static struct sink_entry *fresh_point(struct sink_ledgers *l, const struct point_offer *point)
{
    struct sink_entry *p = find_closed(l, point);
    if (!p) {
        p = atomic_load_explicit(&l->by_index[point->index], memory_order_relaxed);
        p = p && !p->open && p->index == point->index ? p : NULL;
        if (p) {
            set_name(p, point);
        }
    }
    if (!p) {
        p = add_point(l, point);
    }
    for (unsigned i = 0; p && i < LEDGER_COUNT; i++) {
        ledger_set(&p->own, (enum ledger_id)i, 0);
    }
    return p;
}

/* The point that is open under the index, or NULL. */
static struct sink_entry *open_point(const struct sink_ledgers *l, uint32_t index)
{
    struct sink_entry *p = atomic_load_explicit(&l->by_index[index], memory_order_relaxed);
    return p && p->open && p->index == index ? p : NULL;
}

static void set_refused(struct sink_ledgers *l, struct sink_entry *p, bool refused)
{
    uint32_t n = atomic_load_explicit(&l->refused, memory_order_relaxed);
    n = n - (p->refused ? 1 : 0) + (refused ? 1 : 0);
    p->refused = refused;
    atomic_store_explicit(&l->refused, n, memory_order_relaxed);
}

int sink_point_open(struct sink *s, const struct point_offer *point, struct ledger **ret,
                    struct error *err)
{
    struct sink_ledgers *l = s->ledgers;
    if (point->index >= POINT_MAX) {
        return error_set(err, EINVAL, "%s: point %u is out of range", s->name, point->index);
    }
    struct sink_entry *p = open_point(l, point->index);
    if (p && p->refused) {
        set_refused(l, p, false);
        *ret = p->ledger;
        return 0;
    }
    if (p) {
        return error_set(err, EEXIST, "%s: point %u is in use", s->name, point->index);
    }
    p = point->fresh ? fresh_point(l, point) : find_closed(l, point);
    p = p ? p : add_point(l, point);
    if (!p) {
        return error_set(err, EEXIST, "%s: all points are in use", s->name);
    }
    p->open = true;
    p->index = point->index;
    struct ledger *ledger = point->ledger ? point->ledger : &p->own;
    if (p->ledger != ledger) { /* who reads a point's own ledger has seen it set already */
        p->ledger = ledger;
    }
    atomic_store_explicit(&l->by_index[point->index], p, memory_order_release);
    *ret = p->ledger;
    return 0;
}

void sink_point_close(struct sink *s, uint32_t index)
{
    struct sink_entry *p = index < POINT_MAX ? open_point(s->ledgers, index) : NULL;
    if (p) {
        set_refused(s->ledgers, p, false);
        p->open = false;
    }
}

void sink_point_refuse(struct sink *s, uint32_t index)
{
    struct sink_entry *p = index < POINT_MAX ? open_point(s->ledgers, index) : NULL;
    if (p) {
        set_refused(s->ledgers, p, true);
    }
}

void sink_count_refused(const struct sink *s, uint32_t index)
{
    const struct sink_entry *p = index < POINT_MAX ? open_point(s->ledgers, index) : NULL;
    if (p && p->refused) {
        sink_count_in(s, p->ledger);
        ledger_add_shared(p->ledger, LEDGER_SINK_REFUSED, 1);
    }
}

int sink_check_refused(const struct sink *s, int behind, struct error *err)
{
    int n = (int)atomic_load_explicit(&s->ledgers->refused, memory_order_relaxed) + behind;
    if (n > 0) {
        (void)error_set(err, ENOSPC,
                        "%s: no room for %d interface%s of taps, whose frames are dropped there",
                        s->name, n, n == 1 ? "" : "s");
    }
    return n;
}

struct ledger *sink_ledger(const struct sink *s, uint32_t index)
{
    if (index >= POINT_MAX) {
        return NULL;
    }
    struct sink_entry *p = atomic_load_explicit(&s->ledgers->by_index[index], memory_order_acquire);
    return p ? p->ledger : NULL;
}

void sink_total(const struct sink *s, struct ledger *add)
{
    const struct sink_ledgers *l = s->ledgers;
    for (uint32_t i = 0; i < l->n; i++) {
        if (l->points[i].ledger) {
            ledger_add_up(add, l->points[i].ledger);
        }
    }
}

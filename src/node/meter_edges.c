/* SPDX-License-Identifier: Apache-2.0 */
#include "node/meter_edges.h"

#include <errno.h>

#include "node/meter_capture.h"
#include "proto/packet.h"

_Static_assert((int)INTERFACES_MAX <= (int)POINT_MAX, "each interface is a point");

/* The first index that no interface has. */
static uint32_t free_point(const struct interfaces *all)
{
    bool used[INTERFACES_MAX + 1] = {false};
    uint32_t point = 0;
    for (unsigned k = 0; k < all->n; k++) {
        used[all->at[k]->stream] = true;
    }
    while (used[point]) {
        point++;
    }
    return point;
}

static int start(void *user, struct interface *i, const struct interface_kind *kind,
                 struct error *err)
{
    struct meter_edges *e = user;
    const struct meter_capture_conf cc = {.point = free_point(&e->common.interfaces),
                                          .name = i->name,
                                          .control = e->common.wake,
                                          .meter = e->meter,
                                          .stages = e->stages};
    /* Frames without an Ethernet header get one in the ring. */
    const struct point_offer offer = {
        .index = cc.point, .tap = "", .ifname = i->name, .linktype = PACKET_ETHERNET};
    (void)kind;
    int r = e->meter->ops->point_add(e->meter, &offer, err);
    if (r < 0) {
        return r;
    }
    r = meter_capture_start(&cc, &i->capture, err);
    if (r < 0) {
        e->meter->ops->point_remove(e->meter, cc.point);
        return r;
    }
    i->stream = (uint16_t)cc.point;
    return 0;
}

static int give_filter(void *user, struct interface *i, struct filter_prog *program,
                       const struct ether_flow *flow)
{
    (void)user;
    (void)flow;
    return capture_filter(i->capture, program);
}

/* The link type of a point stays Ethernet's. */
static void is_of_kind(void *user, struct interface *i, const struct interface_kind *kind)
{
    (void)user;
    (void)i;
    (void)kind;
}

static void end(void *user, struct interface *i)
{
    (void)user;
    capture_stop(i->capture);
}

void meter_edges_counts(const struct meter_edges *e, const struct interface *i, struct ledger *ret)
{
    const struct ledger *flows = sink_ledger(e->meter, i->stream);
    ledger_copy(ret, capture_ledger(i->capture));
    for (enum ledger_id id = 0; flows && id < LEDGER_COUNT; id++) {
        if (ledger_info(id)->stage == LEDGER_METER) {
            ledger_set(ret, id, ledger_get(flows, id));
        }
    }
}

static void counts_of(void *user, const struct interface *i, struct interface_counts *ret)
{
    *ret = (struct interface_counts){.said = {0}};
    meter_edges_counts(user, i, &ret->ledger);
}

static void free_capture(void *user, struct interface *i)
{
    struct meter_edges *e = user;
    capture_free(i->capture);
    e->meter->ops->point_remove(e->meter, i->stream);
}

static const struct interface_ops interface_ops = {
    .event = interface_edges_event,
    .say = interface_edges_say,
    .start = start,
    .open = interface_edges_open,
    .ring = interface_edges_ring,
    .renew = interface_edges_renew,
    .filter = give_filter,
    .kind = is_of_kind,
    .end = end,
    .told = interface_edges_told,
    .counts = counts_of,
    .free = free_capture,
};

/* No frame waits for a session: those that are gone may be forgotten. */
static bool has_session(void *user)
{
    (void)user;
    return true;
}

static const struct interfaces_ops interfaces_ops = {
    .watch = interface_edges_watch,
    .unwatch = interface_edges_unwatch,
    .ask = interface_edges_ask,
    .netns = interface_edges_netns,
    .own = interface_edges_own,
    .session = has_session,
};

void meter_edges_init(struct meter_edges *e, const struct selection *select)
{
    const struct interfaces_conf c = {"metered", select, &interface_ops, &interfaces_ops, e};
    *e = (struct meter_edges){.meter = NULL};
    interface_edges_init(&e->common, &c);
}

void meter_edges_look(struct meter_edges *e)
{
    struct interfaces *all = &e->common.interfaces;
    for (unsigned k = 0; k < all->n;) {
        const struct interface *i = all->at[k];
        if (i->ending && capture_done(i->capture)) { /* another one is in its place then */
            interfaces_stream_ended(all, i->stream);
        } else {
            k++;
        }
    }
}

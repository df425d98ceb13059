/* SPDX-License-Identifier: Apache-2.0 */
#include "node/tap_flows.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "data/link/send/tx.h"
#include "data/meter/carry.h"
#include "data/meter/meter.h"
#include "proto/packet.h"

enum {
    FLOWS = 128 << 10, /* pairs of directions, of which memory is taken as they come */
    IDLE_MS = 15000,
    ACTIVE_MS = 60000,
    ROOM_PART = 2, /* of the link's room, up to which pieces may wait there */
};

struct tap_flows {
    struct sink *meter;
    struct exporter *pieces; /* the meter's */
    struct ledger *ledger;
    bool ended;
};

static int add_point(struct sink *meter)
{
    struct error err = {""};
    const struct point_offer here = {.tap = "", .ifname = "", .linktype = PACKET_ETHERNET};
    return meter->ops->point_add(meter, &here, &err);
}

int tap_flows_new(struct ledger *ledger, struct tap_flows **ret)
{
    struct tap_flows *t = calloc(1, sizeof(*t));
    struct meter_sink_conf conf = {.flows = FLOWS,
                                   .biflow = true,
                                   .idle_ns = IDLE_MS * NSEC_PER_MSEC,
                                   .active_ns = ACTIVE_MS * NSEC_PER_MSEC,
                                   .time = METER_BY_READS,
                                   .n_exporters = 1};
    int r = t ? carry_exporter_new(&conf.exporter[0]) : -ENOMEM;
    if (r == 0) {
        t->ledger = ledger;
        t->pieces = conf.exporter[0];
        r = meter_sink_new(&conf, &t->meter);
    }
    if (r == 0 && t->meter) { /* there is one */
        r = add_point(t->meter);
    }
    if (r < 0) {
        tap_flows_free(t);
        return r;
    }
    *ret = t;
    return 0;
}

void tap_flows_free(struct tap_flows *t)
{
    if (t) {
        sink_free(t->meter);
        free(t);
    }
}

struct sink *tap_flows_meter(const struct tap_flows *t)
{
    return t->meter;
}

static void give(struct tap_flows *t, const struct carry_piece *p, int64_t now_ns,
                 struct sink *link)
{
    struct batch b;
    b.n = 1;
    b.f[0] = (struct frame){.data = p->bytes,
                            .datalen = p->len,
                            .caplen = p->len,
                            .origlen = p->len,
                            .ts_ns = now_ns,
                            .flows = true};
    ledger_add(t->ledger, LEDGER_LIM_MADE, 1);
    ledger_add(t->ledger, LEDGER_LIM_OUT, 1);
    link->ops->write(link, &b);
}

/* Behind an outage all waits, and pieces with it; else a part of the room is for frames. */
static bool has_room(const struct limit_view *v, uint32_t len)
{
    return !v || v->out || v->waiting == 0 ||
           v->waiting + limit_cost(v, len) <= v->room / ROOM_PART;
}

void tap_flows_ran(struct tap_flows *t, bool all, int64_t now_ns, struct sink *link)
{
    const struct carry_piece *p;
    if (!t->ended) {
        meter_sink_read(t->meter, 0, all, now_ns);
    }
    while ((p = carry_first(t->pieces)) != NULL && has_room(link_tx_limit(link), p->len)) {
        give(t, p, now_ns, link);
        carry_drop(t->pieces);
    }
    ledger_set(t->ledger, LEDGER_LIM_UNTOLD, carry_untold(t->pieces));
}

bool tap_flows_end(struct tap_flows *t)
{
    struct error err = {""};
    if (t->ended) {
        return false;
    }
    t->ended = true;
    (void)t->meter->ops->finish(t->meter, &err); /* its one exporter always can */
    return true;
}

bool tap_flows_waits(const struct tap_flows *t)
{
    return carry_first(t->pieces) != NULL;
}

void tap_flows_give_up(struct tap_flows *t)
{
    carry_shed(t->pieces);
    ledger_set(t->ledger, LEDGER_LIM_UNTOLD, carry_untold(t->pieces));
}

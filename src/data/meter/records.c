/* SPDX-License-Identifier: Apache-2.0
 *
 * Flows that leave, as records for the exporters (impl.h).
 */
#include <string.h>

#include "data/meter/impl.h"

_Static_assert((int)FLOWREC_VLANS == (int)FLOWS_VLANS, "a record has all tags of a key");

/* The surroundings of the flow's first packet. */
static void put_outer(const struct meter *m, const struct flows_entry *e, unsigned way,
                      struct flowrec *r)
{
    static const struct outer none;
    const struct outer *o = e->outer ? outers_get(m->outers, e->outer) : &none;
    r->has_label = o->label != 0;
    r->label = o->label & ~METER_LABELLED;
    r->outer_version = (uint8_t)o->version;
    memcpy(r->outer[0], o->addr[way], sizeof(r->outer[0]));
    memcpy(r->outer[1], o->addr[!way], sizeof(r->outer[1]));
}

/* All fields of a record, in place: one that is made elsewhere, to be copied, takes longer. */
static void put_record(const struct meter *m, const struct flows_entry *e, unsigned way,
                       enum flows_end why, struct flowrec *r)
{
    static const uint8_t no_mac[2][6];
    const struct flows_way *w = &e->way[way];
    r->first_ns = w->first_ns;
    r->last_ns = w->last_ns;
    r->packets = w->packets;
    r->bytes = w->bytes;
    memcpy(r->addr[0], e->key.addr[way], sizeof(r->addr[0]));
    memcpy(r->addr[1], e->key.addr[!way], sizeof(r->addr[1]));
    r->port[0] = e->key.port[way];
    r->port[1] = e->key.port[!way];
    memset(r->vlan, 0, sizeof(r->vlan));
    for (r->vlans = 0; r->vlans < FLOWS_VLANS && e->key.vlan[r->vlans]; r->vlans++) {
        r->vlan[r->vlans] = e->key.vlan[r->vlans] & 0x0fff;
    }
    r->version = e->key.version;
    r->proto = e->key.proto;
    r->tos = e->tos[way];
    r->tcp_flags = e->tcp_flags[way];
    r->end_reason = (uint8_t)why;
    r->biflow = FLOWREC_ONE_WAY;
    r->reverse = (struct flowrec_reverse){0};
    r->tunnel = (enum tunnel_kind)e->key.tunnel;
    r->tunnel_id = e->key.tunnel_id;
    r->has_mac = memcmp(e->mac, no_mac, sizeof(no_mac)) != 0;
    memcpy(r->mac[0], e->mac[way], sizeof(r->mac[0]));
    memcpy(r->mac[1], e->mac[!way], sizeof(r->mac[1]));
    put_outer(m, e, way, r);
    r->interface = e->key.point + 1u;
    r->point = m->at[e->key.point].name;
}

/* To the exporters that want them in one record, or to the others. */
static void tell(const struct meter *m, bool in_one, const struct flowrec *r)
{
    for (unsigned k = 0; k < m->conf.n_exporters; k++) {
        struct exporter *x = m->conf.exporter[k];
        if ((m->conf.biflow && x->biflows) == in_one) {
            x->ops->record(x, r);
        }
    }
}

/* Both directions, or the one that there is, in one record. */
static void put_both(const struct meter *m, const struct flows_entry *e, enum flows_end why,
                     struct flowrec *r)
{
    const bool initiator = e->way[e->initiator].packets > 0;
    const unsigned forward = initiator ? e->initiator : !e->initiator;
    const struct flows_way *w = &e->way[!forward];
    put_record(m, e, forward, why, r);
    r->biflow = initiator ? FLOWREC_INITIATOR : FLOWREC_RESPONDER;
    r->reverse = (struct flowrec_reverse){w->packets, w->bytes,         w->first_ns,
                                          w->last_ns, e->tos[!forward], e->tcp_flags[!forward]};
}

void meter_give(const struct meter *m, uint32_t point, const struct flowrec *from)
{
    struct flowrec both = *from;
    both.interface = point + 1u;
    both.point = m->at[point].name;
    if (m->conf.biflow) {
        tell(m, true, &both);
    }
    struct flowrec ways[2];
    const unsigned n = flowrec_split(&both, ways);
    for (unsigned k = 0; k < n; k++) {
        tell(m, false, &ways[k]);
    }
}

void meter_tell(void *user, const struct flows_entry *e, enum flows_end why)
{
    const struct meter *m = user;
    for (unsigned k = 0; k < 2; k++) {
        const unsigned way = k == 0 ? e->initiator : !e->initiator;
        if (e->way[way].packets > 0) {
            struct flowrec r;
            put_record(m, e, way, why, &r);
            tell(m, false, &r);
        }
    }
    if (m->conf.biflow) {
        struct flowrec r;
        put_both(m, e, why, &r);
        tell(m, true, &r);
    }
    if (e->outer) {
        outers_drop(m->outers, e->outer);
    }
}

struct show {
    const struct meter *meter;
    struct exporter *to;
};

static void show_one(void *user, const struct flows_entry *e)
{
    const struct show *s = user;
    struct flowrec r;
    if (s->meter->conf.biflow && s->to->biflows) {
        put_both(s->meter, e, FLOWS_ACTIVE, &r);
        s->to->ops->record(s->to, &r);
        return;
    }
    for (unsigned k = 0; k < 2; k++) {
        const unsigned way = k == 0 ? e->initiator : !e->initiator;
        if (e->way[way].packets > 0) {
            put_record(s->meter, e, way, FLOWS_ACTIVE, &r);
            s->to->ops->record(s->to, &r);
        }
    }
}

void meter_show(const struct meter *m, struct exporter *to)
{
    struct show s = {m, to};
    flows_show(m->flows, show_one, &s);
}

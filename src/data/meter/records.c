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
    const struct outer *o = outers_get(m->outers, e->outer);
    r->has_label = o->label != 0;
    r->label = o->label & ~METER_LABELLED;
    r->outer_version = (uint8_t)o->version;
    memcpy(r->outer[0], o->addr[way], sizeof(r->outer[0]));
    memcpy(r->outer[1], o->addr[!way], sizeof(r->outer[1]));
}

static struct flowrec record_of(const struct meter *m, const struct flows_entry *e, unsigned way,
                                enum flows_end why)
{
    const struct flows_way *w = &e->way[way];
    struct flowrec r = {.first_ns = w->first_ns,
                        .last_ns = w->last_ns,
                        .packets = w->packets,
                        .bytes = w->bytes,
                        .port = {e->key.port[way], e->key.port[!way]},
                        .version = e->key.version,
                        .proto = e->key.proto,
                        .tos = e->tos[way],
                        .tcp_flags = e->tcp_flags[way],
                        .end_reason = (uint8_t)why,
                        .tunnel = (enum tunnel_kind)e->key.tunnel,
                        .tunnel_id = e->key.tunnel_id,
                        .interface = e->key.point + 1u,
                        .point = m->at[e->key.point].name};
    static const uint8_t no_mac[2][6];
    r.has_mac = memcmp(e->mac, no_mac, sizeof(no_mac)) != 0;
    memcpy(r.mac[0], e->mac[way], sizeof(r.mac[0]));
    memcpy(r.mac[1], e->mac[!way], sizeof(r.mac[1]));
    memcpy(r.addr[0], e->key.addr[way], sizeof(r.addr[0]));
    memcpy(r.addr[1], e->key.addr[!way], sizeof(r.addr[1]));
    for (; r.vlans < FLOWS_VLANS && e->key.vlan[r.vlans] & FLOWS_TAGGED; r.vlans++) {
        r.vlan[r.vlans] = e->key.vlan[r.vlans] & 0x0fff;
    }
    if (e->outer) {
        put_outer(m, e, way, &r);
    }
    return r;
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
static void tell_both(const struct meter *m, const struct flows_entry *e, enum flows_end why)
{
    const bool initiator = e->way[e->initiator].packets > 0;
    const unsigned forward = initiator ? e->initiator : !e->initiator;
    const struct flows_way *w = &e->way[!forward];
    struct flowrec r = record_of(m, e, forward, why);
    r.biflow = initiator ? FLOWREC_INITIATOR : FLOWREC_RESPONDER;
    r.reverse = (struct flowrec_reverse){w->packets, w->bytes,         w->first_ns,
                                         w->last_ns, e->tos[!forward], e->tcp_flags[!forward]};
    tell(m, true, &r);
}

void meter_tell(void *user, const struct flows_entry *e, enum flows_end why)
{
    const struct meter *m = user;
    for (unsigned k = 0; k < 2; k++) {
        const unsigned way = k == 0 ? e->initiator : !e->initiator;
        if (e->way[way].packets > 0) {
            const struct flowrec r = record_of(m, e, way, why);
            tell(m, false, &r);
        }
    }
    if (m->conf.biflow) {
        tell_both(m, e, why);
    }
    outers_drop(m->outers, e->outer);
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * Frames, as packets of flows (impl.h).
 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "base/cleanup.h"
#include "data/meter/impl.h"
#include "proto/gso.h"

enum {
    HEAD = 2048, /* bytes that are looked at of a frame that is not in one piece */
};

_Static_assert((int)PACKET_VLANS == (int)FLOWS_VLANS, "a key has all tags that are looked at");
_Static_assert(POINT_MAX <= UINT16_MAX, "a key has the point");
_Static_assert((int)TUNNEL_KINDS <= (int)FLOWS_TUNNELS, "a key has the tunnel");

static void put_addr(uint8_t version, const uint8_t *const addr[2], uint8_t ret[2][16])
{
    const size_t n = version == 4 ? 4 : 16;
    memcpy(ret[0], addr[0], n);
    memcpy(ret[1], addr[1], n);
}

static void put_vlans(const struct packet *p, uint16_t ret[FLOWS_VLANS])
{
    for (unsigned i = 0; i < p->vlans; i++) {
        ret[i] = (uint16_t)(FLOWS_TAGGED | (p->vlan[i] & 0x0fff));
    }
}

/* A fragment's ports are those of its packet's first one, as far as that is known. */
static void find_ports(struct meter *m, const struct packet *p, const struct flows_packet *fp,
                       uint16_t ret_port[2], struct ledger *l)
{
    const int64_t ts_ns = fp->ts_ns;
    struct fragments_key k = {.ident = p->ident,
                              .tunnel = {fp->key.tunnel, fp->key.tunnel_id},
                              .point = fp->key.point,
                              .proto = p->proto,
                              .version = p->version};
    memcpy(k.addr, fp->key.addr, sizeof(k.addr));
    memcpy(k.vlan, fp->key.vlan, sizeof(k.vlan));
    const uint64_t hash = keyed_hash(m->key, &k, sizeof(k));
    if (!p->later) {
        fragments_first(&m->fragments, &k, hash, p->port, ts_ns);
    } else if (!fragments_later(&m->fragments, &k, hash, ts_ns, ret_port)) {
        ledger_add(l, LEDGER_MET_FRAGMENTS, 1);
    }
}

/* An ICMP packet's ports are no ends of its own, and an answer is no other direction of it. */
static bool is_paired(const struct packet *p)
{
    return p->proto != (p->version == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
}

/* The surroundings of the packet that is the `i`th of the batch. */
static void take_outer(struct meter *m, const struct packet *p, const struct packet_tunnel *t,
                       unsigned i)
{
    struct outer *o = &m->outer[i];
    const unsigned way = m->packet[i].way;
    o->version = t->version;
    o->label = p->labels ? METER_LABELLED | p->label[0] : 0;
    if (o->version || o->label) {
        memset(o->addr, 0, sizeof(o->addr));
    }
    if (o->version) {
        put_addr(t->version, (const uint8_t *const[2]){t->addr[way], t->addr[!way]}, o->addr);
    }
}

/* Takes the packet into those of the batch. */
static struct flows_packet *take(struct meter *m, const struct packet *p,
                                 const struct packet_tunnel *t, const struct frame *f,
                                 struct ledger *l)
{
    struct flows_packet *fp = &m->packet[m->n];
    *fp = (struct flows_packet){.key = {.tunnel_id = t->id,
                                        .port = {p->port[0], p->port[1]},
                                        .point = (uint16_t)f->point,
                                        .proto = p->proto,
                                        .version = p->version == 4 ? 4 : 6,
                                        .tunnel = t->kind & 15},
                                .ts_ns = MAX(f->ts_ns, INT64_C(0)),
                                .packets = 1,
                                .bytes = p->bytes,
                                .tcp_flags = p->tcp_flags,
                                .tos = p->tos};
    put_addr(p->version, p->addr, fp->key.addr);
    put_vlans(p, fp->key.vlan);
    for (unsigned k = 0; k < 2 && p->mac[k]; k++) { /* a packet has the destination's first */
        memcpy(fp->mac[!k], p->mac[k], sizeof(fp->mac[0]));
    }
    if (p->fragment) {
        find_ports(m, p, fp, fp->key.port, l);
    }
    fp->way = is_paired(p) ? flows_key_order(&fp->key) : 0;
    fp->hash = keyed_hash(m->key, &fp->key, sizeof(fp->key));
    take_outer(m, p, t, m->n++);
    if (t->kind != TUNNEL_NONE) {
        ledger_add(l, LEDGER_MET_TUNNELLED, 1);
    }
    ledger_add(l, m->counts->out, 1);
    return fp;
}

/* A super-packet counts as the packets that it becomes or was made of, each from the IP header on
 * that counts, which so many others are around. */
static void count_super(const struct gso_plan *plan, unsigned depth, struct flows_packet *fp)
{
    const uint32_t headers = plan->header_len - plan->layer[depth].ip;
    fp->packets = plan->frames;
    fp->bytes = (uint64_t)plan->frames * headers + plan->payload;
}

static uint64_t times(uint64_t v, uint64_t n)
{
    uint64_t r;
    return __builtin_mul_overflow(v, n, &r) ? LEDGER_MOST : MIN(r, LEDGER_MOST);
}

/* It counts for the frames, too, that a sample left out. */
static void weigh(const struct frame *f, struct flows_packet *fp)
{
    const uint64_t n = (uint64_t)f->more + 1;
    fp->packets = times(fp->packets, n);
    fp->bytes = times(fp->bytes, n);
}

/* Tunnels behind the headers by which a super-packet is divided are those of the first of its
 * packets alone, and not entered. */
static void meter_frame(struct meter *m, const struct frame *f)
{
    uint8_t room[HEAD];
    size_t len = 0;
    struct packet p;
    struct packet_tunnel t = {0};
    struct gso_plan plan;
    struct ledger *l = sink_ledger(&m->sink, f->point);
    const bool super = f->gso_type != 0 && gso_plan(f, &plan) == 0;
    const unsigned deepest = !m->conf.inner ? 0 : super ? plan.layers - 1 : PACKET_TUNNELS;
    const uint8_t *head = frame_head(f, room, sizeof(room), &len);
    const uint16_t linktype = m->at[f->point].linktype;
    if (!m->sink.queued) {
        ledger_add(l, m->counts->in, 1);
    }
    const int r = deepest > 0 ? packet_read_inner(linktype, head, len, f->origlen, deepest, &p, &t)
                              : packet_read(linktype, head, len, f->origlen, &p);
    if (r < 0) {
        ledger_add(l, r == -EBADMSG ? m->counts->bad_ip : m->counts->not_ip, 1);
        m->bad_octets += r == -EBADMSG ? f->origlen : 0;
        return;
    }
    struct flows_packet *fp = take(m, &p, &t, f, l);
    if (super) {
        count_super(&plan, t.depth, fp);
    }
    if (m->conf.scale) {
        weigh(f, fp);
    }
}

/* The entry begins with the batch's `i`th packet. */
static void hold_outer(struct meter *m, struct flows_entry *e, unsigned i)
{
    const struct outer *o = &m->outer[i];
    if (o->version == 0 && o->label == 0) {
        return;
    }
    e->outer = outers_hold(m->outers, o, keyed_hash(m->key, o, sizeof(*o)));
    if (!e->outer) {
        ledger_add(sink_ledger(&m->sink, e->key.point), LEDGER_MET_OUTERS, 1);
    }
}

void meter_take_batch(struct meter *m, const struct batch *b)
{
    const struct mono now = m->conf.time == METER_BY_POINTS ? mono_now() : (struct mono){0};
    m->n = 0;
    for (uint32_t i = 0; i < b->n; i++) {
        const uint32_t point = b->f[i].point;
        if (point < POINT_MAX && m->at[point].is) {
            meter_frame(m, &b->f[i]);
            m->at[point].newest_ns = b->f[i].ts_ns;
            m->at[point].arrived = now;
        } else {
            sink_count_refused(&m->sink, point);
        }
    }
    for (unsigned step = 0; step < FLOWS_FETCHES; step++) {
        for (unsigned k = 0; k < m->n; k++) {
            flows_fetch(m->flows, m->packet[k].hash, (enum flows_fetch)step);
        }
    }
    for (unsigned k = 0; k < m->n; k++) {
        if (m->conf.time != METER_BY_READS) {
            flows_until(m->flows, m->packet[k].key.point, m->packet[k].ts_ns);
        }
        struct flows_entry *begun = flows_add(m->flows, &m->packet[k]);
        if (begun) {
            hold_outer(m, begun, k);
        }
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "data/meter/meter.h"

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "model/flows.h"
#include "model/fragments.h"
#include "model/outers.h"
#include "proto/gso.h"
#include "proto/packet.h"
#include "sys/crypto/kdf.h"

enum {
    HEAD = 2048, /* bytes that are looked at of a frame that is not in one piece */
    POINT_NAME = 2 * POINT_NAME_MAX + 2,
    TICK_MS = 200, /* between two ticks of exporters */
};

/* A frame is read so long after it was captured: blocks of a ring are closed after 22 ms. */
#define LATE_NS (100 * NSEC_PER_MSEC)
/* And one that was sent here so long after, without being lost. */
#define LATE_SENT_NS (1000 * NSEC_PER_MSEC)
#define LABELLED UINT32_C(0x80000000) /* it is a label, also label 0 */

_Static_assert((int)FLOWREC_VLANS == (int)FLOWS_VLANS && (int)PACKET_VLANS == (int)FLOWS_VLANS,
               "a key has all tags that are looked at");
_Static_assert(POINT_MAX <= UINT16_MAX, "a key has the point");
_Static_assert((int)TUNNEL_KINDS <= (int)FLOWS_TUNNELS, "a key has the tunnel");

/* Counters of the stage METER, or of SINK for an output among others. */
struct counters {
    enum ledger_id in, not_ip, bad_ip, out;
};

struct meter {
    struct sink sink;
    const struct counters *counts;
    pthread_mutex_t lock; /* over all that follows */
    struct meter_sink_conf conf;
    struct flows *flows;
    struct fragments fragments;
    struct outers *outers;
    uint8_t key[KEYED_HASH_KEY_LEN];
    uint16_t linktype[POINT_MAX];
    bool has[POINT_MAX];
    char name[POINT_MAX][POINT_NAME];
    struct mono ticked;
    uint16_t point[POINT_MAX]; /* those that there are */
    unsigned n_points;
    int64_t newest_ns[POINT_MAX];                     /* of each's frames */
    int64_t read_ns[POINT_MAX];                       /* by reads: up to where all are written */
    struct mono arrived[POINT_MAX], heard[POINT_MAX]; /* by points: when the newest came */
    /* The packets of the batch under way. */
    struct flows_packet packet[BATCH_MAX];
    struct outer outer[BATCH_MAX]; /* around each, in the order of its key's ends */
    unsigned n;
};

static struct meter *of(struct sink *s)
{
    return (struct meter *)s;
}

/* ---- points ---- */

/* Of a tap's interface both names: "web1:eth0". */
static void name_point(char ret[POINT_NAME], bool by_points, const struct point_offer *point)
{
    if (by_points) {
        (void)snprintf(ret, POINT_NAME, "%s:%s", point->tap, point->ifname);
    } else {
        (void)snprintf(ret, POINT_NAME, "%s", point->ifname);
    }
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
        m->linktype[point->index] = linktype;
        m->has[point->index] = true;
        m->newest_ns[point->index] = m->read_ns[point->index] = wall_now().ns;
        m->arrived[point->index] = m->heard[point->index] = (struct mono){0};
        m->point[m->n_points++] = (uint16_t)point->index;
        name_point(m->name[point->index], by_points, point);
    }
    (void)pthread_mutex_unlock(&m->lock);
    return r;
}

static void meter_point_remove(struct sink *s, uint32_t index)
{
    struct meter *m = of(s);
    (void)pthread_mutex_lock(&m->lock);
    for (unsigned k = 0; k < m->n_points; k++) {
        if (m->point[k] == index) {
            m->point[k] = m->point[--m->n_points];
            m->has[index] = false;
            flows_end_point(m->flows, (uint16_t)index);
            sink_point_close(s, index);
            break;
        }
    }
    (void)pthread_mutex_unlock(&m->lock);
}

/* ---- records ---- */

/* The surroundings of the flow's first packet. */
static void put_outer(const struct meter *m, const struct flows_entry *e, unsigned way,
                      struct flowrec *r)
{
    const struct outer *o = outers_get(m->outers, e->outer);
    r->has_label = o->label != 0;
    r->label = o->label & ~LABELLED;
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
                        .point = m->name[e->key.point]};
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

static void on_record(void *user, const struct flows_entry *e, enum flows_end why)
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

/* ---- frames ---- */

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
    *o = (struct outer){.version = t->version, .label = p->labels ? LABELLED | p->label[0] : 0};
    if (t->kind != TUNNEL_NONE) {
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
    ledger_add(l, LEDGER_MET_TUNNELLED, t->kind != TUNNEL_NONE);
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
    const uint16_t linktype = m->linktype[f->point];
    if (!m->sink.queued) {
        ledger_add(l, m->counts->in, 1);
    }
    const int r = deepest > 0 ? packet_read_inner(linktype, head, len, f->origlen, deepest, &p, &t)
                              : packet_read(linktype, head, len, f->origlen, &p);
    if (r < 0) {
        ledger_add(l, r == -EBADMSG ? m->counts->bad_ip : m->counts->not_ip, 1);
        return;
    }
    struct flows_packet *fp = take(m, &p, &t, f, l);
    if (super) {
        count_super(&plan, t.depth, fp);
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

static void meter_batch(struct meter *m, const struct batch *b)
{
    const struct mono now = m->conf.time == METER_BY_POINTS ? mono_now() : (struct mono){0};
    m->n = 0;
    for (uint32_t i = 0; i < b->n; i++) {
        const uint32_t point = b->f[i].point;
        if (point < POINT_MAX && m->has[point]) {
            meter_frame(m, &b->f[i]);
            m->newest_ns[point] = b->f[i].ts_ns;
            m->arrived[point] = now;
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

/* ---- exporters ---- */

static void tick(struct meter *m, struct mono now, bool last)
{
    struct ledger all = {0};
    sink_total(&m->sink, &all);
    const struct exporter_news news = {now, ledger_get(&all, m->counts->bad_ip),
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
    for (unsigned k = 0; k < m->n_points; k++) {
        const uint16_t i = m->point[k];
        const struct mono to = m->heard[i].ns ? m->heard[i] : now;
        if (m->arrived[i].ns) {
            flows_until(m->flows, i, m->newest_ns[i] + mono_diff(to, m->arrived[i]) - LATE_SENT_NS);
        }
    }
}

static void tick_if_due(struct meter *m)
{
    const struct mono now = mono_now();
    if (mono_diff(now, m->ticked) < TICK_MS * NSEC_PER_MSEC) {
        return;
    }
    if (m->conf.time == METER_BY_POINTS) {
        move_times(m, now);
    }
    tick(m, now, false);
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

static void meter_write(struct sink *s, const struct batch *b)
{
    struct meter *m = of(s);
    (void)pthread_mutex_lock(&m->lock);
    meter_batch(m, b);
    tick_if_due(m);
    (void)pthread_mutex_unlock(&m->lock);
}

static void meter_flush(struct sink *s)
{
    struct meter *m = of(s);
    (void)pthread_mutex_lock(&m->lock);
    tick_if_due(m);
    (void)pthread_mutex_unlock(&m->lock);
}

static int meter_finish(struct sink *s, struct error *err)
{
    struct meter *m = of(s);
    int r = 0;
    (void)pthread_mutex_lock(&m->lock);
    tick(m, mono_now(), true);
    flows_end(m->flows);
    for (unsigned k = 0; k < m->conf.n_exporters; k++) {
        struct exporter *x = m->conf.exporter[k];
        struct error more = {""};
        int e = x->ops->finish(x, &more);
        if (e < 0 && r == 0) {
            r = e;
            *err = more;
        }
    }
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
static const struct counters counts = {LEDGER_MET_IN, LEDGER_MET_NOT_IP, LEDGER_MET_BAD_IP,
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
        conf->flows, conf->idle_ns, conf->active_ns, by_points ? POINT_MAX : 0, on_record, m};
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
    for (unsigned k = 0; k < m->n_points; k++) {
        until = MIN(until, m->read_ns[m->point[k]]);
    }
    return until;
}

void meter_sink_read(struct sink *s, uint32_t point, bool all, int64_t now_ns)
{
    struct meter *m = of(s);
    (void)pthread_mutex_lock(&m->lock);
    m->read_ns[point] = all ? now_ns - LATE_NS : m->newest_ns[point];
    flows_until(m->flows, 0, read_up_to(m));
    tick_if_due(m);
    (void)pthread_mutex_unlock(&m->lock);
}

void meter_sink_heard(struct sink *s, uint32_t point, struct mono at)
{
    struct meter *m = of(s);
    (void)pthread_mutex_lock(&m->lock);
    if (point < POINT_MAX && m->has[point]) {
        m->heard[point] = at;
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

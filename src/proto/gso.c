/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/gso.h"

#include <errno.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "proto/crc.h"

enum {
    ETH_LEN = 14,
    TAG_LEN = 4,
    TAGS_MAX = 4,
    TYPE_IPV4 = 0x0800,
    TYPE_IPV6 = 0x86dd,
    TYPE_TEB = 0x6558, /* transparent Ethernet bridging: Ethernet inside GRE */
    PROTO_HOP = 0,
    PROTO_IPIP = 4,
    PROTO_TCP = 6,
    PROTO_UDP = 17,
    PROTO_IPV6 = 41,
    PROTO_ROUTING = 43,
    PROTO_GRE = 47,
    PROTO_DSTOPTS = 60,
    EXT_MAX = 8,
    VXLAN_PORT = 4789,
    VXLAN_PORT_OLD = 8472,
    VXLAN_LEN = 8,
    VXLAN_VALID = 0x08, /* the flag that there is a VNI */
    GENEVE_PORT = 6081,
    GENEVE_LEN = 8,
    JUMBO_LEN = 8, /* a hop-by-hop header with nothing but the option */
    JUMBO_OPTION = 0xc2,
    SCTP_CSUM = 8, /* offset of the checksum in SCTP's header */
    DONT_FRAGMENT = 0x4000,
    UDP_LEN = 8,
    TCP_LEN = 20,
    TCP_FIN = 0x01,
    TCP_PSH = 0x08,
    TCP_CWR = 0x80,
    GRE_CSUM = 0x8000,
    GRE_KEY = 0x2000,
    GRE_SEQ = 0x1000,
};

/* Sums of ones' complement, added up: the carry comes back in. */
static uint64_t sum_add(uint64_t a, uint64_t b)
{
    a += b;
    return a + (a < b);
}

uint64_t gso_sum(const uint8_t *p, uint32_t len, uint64_t sum)
{
    while (len >= 8) { /* in the host's order: the fold puts it right */
        uint64_t v;
        memcpy(&v, p, 8);
        sum = sum_add(sum, v);
        p += 8;
        len -= 8;
    }
    uint64_t rest = 0;
    memcpy(&rest, p, len);
    return sum_add(sum, rest);
}

uint16_t gso_fold(uint64_t sum)
{
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return __builtin_bswap16((uint16_t)sum);
}

/* ---- finding the headers ---- */

struct walk {
    uint8_t *h;       /* the headers, as far as they were captured */
    uint32_t len;     /* of h */
    uint32_t at;      /* how far they are understood */
    uint32_t removed; /* bytes that were taken out of h before `at` */
    uint32_t inner;   /* where the kernel has the innermost transport header; 0: it does not say */
    struct gso_plan *p;
};

static uint16_t u16(const struct walk *w, uint32_t at)
{
    return (uint16_t)(w->h[at] << 8 | w->h[at + 1]);
}

static bool room(const struct walk *w, uint32_t n)
{
    return w->at + n <= w->len;
}

/* Ethernet and tags at w->at: gives the type behind them; 0: cut short. */
static uint16_t walk_ether(struct walk *w)
{
    if (!room(w, ETH_LEN)) {
        return 0;
    }
    uint16_t type = u16(w, w->at + 12);
    w->at += ETH_LEN;
    for (unsigned i = 0; i < TAGS_MAX && (type == 0x8100 || type == 0x88a8 || type == 0x9100);
         i++) {
        if (!room(w, TAG_LEN)) {
            return 0;
        }
        type = u16(w, w->at + 2);
        w->at += TAG_LEN;
    }
    return type;
}

/* Takes the option out by which big TCP tells of a length past 64 KiB (RFC 2675): the IPv6 header
 * at `ip` says 0, and right behind it, at w->at, is a hop-by-hop header with nothing else. */
static void walk_jumbo(struct walk *w, uint32_t ip)
{
    uint8_t *hop = w->h + w->at;
    if (w->h[ip + 6] != PROTO_HOP || u16(w, ip + 4) != 0 || !room(w, JUMBO_LEN) || hop[1] != 0 ||
        hop[2] != JUMBO_OPTION || hop[3] != 4) {
        return;
    }
    w->h[ip + 6] = hop[0];
    w->len -= JUMBO_LEN;
    w->removed += JUMBO_LEN;
    memmove(hop, hop + JUMBO_LEN, w->len - w->at);
}

/* The two kinds of IP header, at w->at, with options or extensions; give the protocol that follows,
 * or -1. A fragment is never a super-packet. */
static int walk_ipv4(struct walk *w, struct gso_layer *l)
{
    uint32_t ip = w->at, ihl = (w->h[ip] & 15u) * 4;
    if (w->h[ip] >> 4 != 4 || ihl < 20 || !room(w, ihl) || (u16(w, ip + 6) & 0x3fff)) {
        return -1;
    }
    l->same_id = w->p->tcp && u16(w, ip + 4) == 0 && u16(w, ip + 6) & DONT_FRAGMENT;
    w->at += ihl;
    return w->h[ip + 9];
}

static int walk_ipv6(struct walk *w)
{
    uint32_t ip = w->at;
    if (w->h[ip] >> 4 != 6) {
        return -1;
    }
    w->at += 40;
    walk_jumbo(w, ip);
    int proto = w->h[ip + 6];
    for (unsigned i = 0;
         i < EXT_MAX && (proto == PROTO_HOP || proto == PROTO_ROUTING || proto == PROTO_DSTOPTS);
         i++) {
        if (!room(w, 8)) {
            return -1;
        }
        proto = w->h[w->at];
        w->at += (w->h[w->at + 1] + 1u) * 8;
    }
    return proto;
}

static int walk_ip(struct walk *w, uint16_t type)
{
    struct gso_plan *p = w->p;
    if (p->layers == GSO_LAYERS || !room(w, type == TYPE_IPV4 ? 20 : 40)) {
        return -1;
    }
    struct gso_layer *l = &p->layer[p->layers];
    *l = (struct gso_layer){.ip = (uint16_t)w->at, .v6 = type == TYPE_IPV6};
    int proto = l->v6 ? walk_ipv6(w) : walk_ipv4(w, l);
    l->l4 = (uint16_t)w->at;
    p->layers++;
    return w->at <= w->len ? proto : -1;
}

/* GRE at w->at (RFC 2784, RFC 2890): gives the type of what is inside; 0: not understood. */
static uint16_t walk_gre(struct walk *w)
{
    if (!room(w, 4)) {
        return 0;
    }
    uint16_t flags = u16(w, w->at), type = u16(w, w->at + 2);
    if (flags & ~(GRE_CSUM | GRE_KEY | GRE_SEQ)) {
        return 0;
    }
    if (flags & GRE_CSUM) {
        w->p->layer[w->p->layers - 1].gre = (uint16_t)w->at;
    }
    w->at +=
        4u + (flags & GRE_CSUM ? 4 : 0) + (flags & GRE_KEY ? 4 : 0) + (flags & GRE_SEQ ? 4 : 0);
    return w->at <= w->len ? type : 0;
}

/* Is the UDP header at w->at one of a tunnel? The kernel says where the innermost transport header
 * is when its checksum is unfinished, and it mostly is; else the port must do. */
static bool is_tunnel(const struct walk *w, uint16_t port)
{
    if (w->inner) {
        return w->at + w->removed < w->inner;
    }
    return w->p->tcp || port == VXLAN_PORT || port == VXLAN_PORT_OLD || port == GENEVE_PORT;
}

/* VXLAN (RFC 7348) or Geneve (RFC 8926) behind the UDP header at w->at, on any port: gives the type
 * of what is inside; 0: neither. */
static uint16_t walk_udp_tunnel(struct walk *w)
{
    if (!room(w, UDP_LEN + VXLAN_LEN) || !is_tunnel(w, u16(w, w->at + 2))) {
        return 0;
    }
    uint16_t port = u16(w, w->at + 2);
    uint32_t head = w->at + UDP_LEN;
    uint16_t inside = u16(w, head + 2);
    bool geneve = w->h[head] >> 6 == 0 &&
                  (inside == TYPE_TEB || inside == TYPE_IPV4 || inside == TYPE_IPV6) &&
                  port != VXLAN_PORT && port != VXLAN_PORT_OLD;
    if (geneve) {
        w->at = head + GENEVE_LEN + (w->h[head] & 0x3fu) * 4;
        return inside == TYPE_TEB ? walk_ether(w) : inside;
    }
    if (w->h[head] & VXLAN_VALID && port != GENEVE_PORT) {
        w->at = head + VXLAN_LEN;
        return walk_ether(w);
    }
    return 0;
}

/* From one IP header to the next inside it; gives the type of what comes next in w, or 0 when this
 * was the innermost, whose protocol is *proto. */
static uint16_t walk_into(struct walk *w, int proto)
{
    struct gso_layer *l = &w->p->layer[w->p->layers - 1];
    uint16_t type = 0;
    uint32_t back = w->at;
    switch (proto) {
    case PROTO_IPIP:
        return TYPE_IPV4;
    case PROTO_IPV6:
        return TYPE_IPV6;
    case PROTO_GRE:
        type = walk_gre(w);
        return type == TYPE_TEB ? walk_ether(w) : type;
    case PROTO_UDP:
        type = walk_udp_tunnel(w);
        if (type == TYPE_IPV4 || type == TYPE_IPV6) {
            l->udp = true;
            return type;
        }
        w->at = back; /* some other use of that port */
        return 0;
    default:
        return 0;
    }
}

/* Walks to the innermost transport header; -1 when what is there is not understood. */
static int walk_all(struct walk *w)
{
    uint16_t type = walk_ether(w);
    int proto = -1;
    while (type == TYPE_IPV4 || type == TYPE_IPV6) {
        proto = walk_ip(w, type);
        if (proto < 0) {
            return -1;
        }
        type = walk_into(w, proto);
    }
    return type == 0 && (w->inner == 0 || w->at + w->removed == w->inner) ? proto : -1;
}

static int plan_transport(struct walk *w, int proto)
{
    struct gso_plan *p = w->p;
    if (p->tcp) {
        uint32_t len = room(w, TCP_LEN) ? (w->h[w->at + 12] >> 4) * 4u : 0;
        if (proto != PROTO_TCP || len < TCP_LEN || !room(w, len)) {
            return -EINVAL;
        }
        p->header_len = w->at + len;
    } else {
        if (proto != PROTO_UDP || !room(w, UDP_LEN)) {
            return -EINVAL;
        }
        p->layer[p->layers - 1].udp = true;
        p->header_len = w->at + UDP_LEN;
    }
    return 0;
}

int gso_plan(const struct frame *f, struct gso_plan *ret)
{
    unsigned type = f->gso_type & ~(unsigned)GSO_ECN;
    if (type == 0 || f->gso_size == 0) {
        return -EINVAL;
    }
    if (type != GSO_TCP4 && type != GSO_TCP6 && type != GSO_UDP) {
        return -EOPNOTSUPP;
    }
    ret->layers = 0;
    ret->tcp = type != GSO_UDP;
    ret->cwr_once = f->gso_type & GSO_ECN;
    struct walk w = {.h = ret->header, .len = MIN(f->caplen, (uint32_t)GSO_HEADERS_MAX), .p = ret};
    w.inner = f->vnet_flags & GSO_NEEDS_CSUM ? f->csum_start : 0;
    frame_copy(f, 0, ret->header, w.len);
    int proto = walk_all(&w);
    if (proto < 0 || ret->layers == 0 || plan_transport(&w, proto) < 0) {
        return -EINVAL;
    }
    ret->from = ret->header_len + w.removed;
    if (ret->from >= f->origlen) {
        return -EINVAL;
    }
    ret->payload = f->origlen - ret->from;
    ret->size = f->gso_size;
    ret->frames = (ret->payload + ret->size - 1) / ret->size;
    return ret->frames >= 2 && ret->frames <= GSO_FRAMES_MAX ? 0 : -EINVAL;
}

/* ---- making the frames ---- */

/* The sum of the pseudo header (RFC 793, RFC 8200 section 8.1). */
static uint64_t pseudo(const struct gso_layer *l, const uint8_t *h, uint32_t len, uint8_t proto)
{
    uint8_t tail[8] = {0};
    st_u32(tail, len);
    tail[7] = proto;
    uint64_t sum = gso_sum(tail, sizeof(tail), 0);
    return l->v6 ? gso_sum(h + l->ip + 8, 32, sum) : gso_sum(h + l->ip + 12, 8, sum);
}

static uint16_t checksum(uint64_t sum)
{
    return (uint16_t)~gso_fold(sum);
}

static void put_ip(const struct gso_layer *l, uint8_t *h, uint32_t end, uint32_t i)
{
    uint8_t *ip = h + l->ip;
    if (l->v6) {
        st_u16(ip + 4, (uint16_t)(end - l->ip - 40u));
        return;
    }
    uint16_t id = (uint16_t)((ip[4] << 8 | ip[5]) + (int)(l->same_id ? 0 : i));
    st_u16(ip + 2, (uint16_t)(end - l->ip));
    st_u16(ip + 4, id);
    st_u16(ip + 10, 0);
    st_u16(ip + 10, checksum(gso_sum(ip, (ip[0] & 15u) * 4, 0)));
}

/* A frame that is being made. The bytes that it is summed over are those written, and behind them
 * the rest of the payload, which is not copied. Headers and what is written of the payload are of
 * even lengths where a rest follows, so that sums add up. */
struct making {
    uint8_t *h;       /* `written` bytes, … */
    uint32_t written; /* … headers included, … */
    uint32_t caplen;  /* … of the bytes that the capture has, … */
    uint32_t end;     /* … of those of the frame on the wire */
    uint64_t rest;    /* the sum of what is not written */
    bool whole;       /* all of the payload is there to be summed */
};

static uint64_t sum_from(const struct making *m, uint32_t at, uint64_t sum)
{
    return gso_sum(m->h + at, m->written - at, sum_add(sum, m->rest));
}

/* The transport checksum from the header on, whose field lies at `field`. */
static void put_sum(const struct gso_layer *l, const struct making *m, uint32_t field,
                    uint8_t proto)
{
    st_u16(m->h + field, 0);
    uint16_t c = checksum(sum_from(m, l->l4, pseudo(l, m->h, m->end - l->l4, proto)));
    st_u16(m->h + field, c == 0 && proto == PROTO_UDP ? 0xffff : c);
}

static void put_udp(const struct gso_layer *l, const struct making *m, bool inner)
{
    uint8_t *udp = m->h + l->l4;
    bool none = udp[6] == 0 && udp[7] == 0; /* RFC 768: no checksum; tunnels do without one */
    st_u16(udp + 4, (uint16_t)(m->end - l->l4));
    if (m->whole && (inner || !none)) {
        put_sum(l, m, l->l4 + 6u, PROTO_UDP);
    }
}

static void put_tcp(const struct gso_plan *p, const struct making *m, uint32_t i)
{
    const struct gso_layer *l = &p->layer[p->layers - 1];
    uint8_t *tcp = m->h + l->l4;
    struct rd r = rd_make(tcp + 4, 4);
    st_u32(tcp + 4, rd_u32(&r) + i * p->size);
    if (i + 1 < p->frames) {
        tcp[13] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
    }
    if (i > 0 && p->cwr_once) {
        tcp[13] &= (uint8_t)~TCP_CWR;
    }
    if (m->whole) {
        put_sum(l, m, l->l4 + 16u, PROTO_TCP);
    }
}

static void put_gre(const struct gso_layer *l, const struct making *m)
{
    if (m->whole) {
        st_u16(m->h + l->gre + 4, 0);
        st_u16(m->h + l->gre + 4, checksum(sum_from(m, l->gre, 0)));
    }
}

/* Headers and payload, and the sum of what is not to be written of it. */
static struct making begin(const struct gso_plan *p, const struct frame *f, uint32_t i,
                           uint32_t most, uint8_t *to)
{
    const uint32_t from = p->from + i * p->size;
    const uint32_t n = MIN(p->size, p->payload - i * p->size);
    const uint32_t have = f->caplen > from ? MIN(n, f->caplen - from) : 0;
    uint32_t copied = MIN(have, (most - p->header_len) & ~1u);
    if (have < n || (f->ins_len > 0 && from + copied < (uint32_t)f->ins_off + f->ins_len)) {
        copied = have; /* there is nothing to sum, or not in one piece */
    }
    memcpy(to, p->header, p->header_len);
    frame_copy(f, have > 0 ? from : 0, to + p->header_len, copied);
    struct making m = {.h = to,
                       .written = p->header_len + copied,
                       .caplen = p->header_len + have,
                       .end = p->header_len + n,
                       .whole = have == n};
    if (copied < have) {
        m.rest = gso_sum(f->data + from + copied - f->ins_len, have - copied, 0);
    }
    return m;
}

struct gso_made gso_frame(const struct gso_plan *p, const struct frame *f, uint32_t i,
                          uint32_t most, uint8_t *to)
{
    const struct making m = begin(p, f, i, most, to);
    for (unsigned k = p->layers; k-- > 0;) { /* inside out: an outer sum covers the inner ones */
        const struct gso_layer *l = &p->layer[k];
        bool inner = k + 1 == p->layers;
        put_ip(l, to, m.end, i);
        if (inner && p->tcp) {
            put_tcp(p, &m, i);
        } else if (l->udp) {
            put_udp(l, &m, inner);
        } else if (l->gre) {
            put_gre(l, &m);
        }
    }
    return (struct gso_made){.written = m.written, .caplen = m.caplen, .origlen = m.end};
}

uint32_t gso_crc32c(const uint8_t *p, uint32_t len)
{
    /* Four bits n, shifted out through the polynomial 0x82f63b78 (bits in reverse). */
    static const uint32_t table[16] = {
        0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3,
        0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
        0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
    };
    return crc32_of(table, p, len);
}

int gso_finish_checksum(uint8_t *data, uint32_t len, uint16_t start, uint16_t offset)
{
    uint32_t field = (uint32_t)start + offset, size = offset == SCTP_CSUM ? 4 : 2;
    if (start >= len || field + size > len) {
        return -EINVAL;
    }
    if (offset == SCTP_CSUM) {
        st_u32(data + field, 0);
        st_u32(data + field, __builtin_bswap32(gso_crc32c(data + start, len - start)));
        return 0;
    }
    uint16_t c = checksum(gso_sum(data + start, len - start, 0));
    st_u16(data + field, c == 0 ? 0xffff : c);
    return 0;
}

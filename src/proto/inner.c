/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/inner.h"

#include <errno.h>
#include <netinet/in.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "proto/ether.h"
#include "proto/tunnel.h"

enum {
    TYPE_ARP = 0x0806,
    IPV4_LEN = 20,
    IPV6_LEN = 40,
    IPV4_FRAGMENT = 0x3fff, /* more fragments, and the offset */
    IPV4_OFFSET = 0x1fff,
    ARP_LEN = 28, /* RFC 826, for IPv4 over Ethernet */
};

/* The kind of header at the cursor. */
enum layer {
    LAYER_NONE, /* none that is walked */
    LAYER_ETHER,
    LAYER_IPV4,
    LAYER_IPV6,
};

struct walk {
    const uint8_t *frame;
    struct rd r; /* ends where the frame or a packet around the cursor does */
    enum layer layer;
    unsigned levels; /* IP headers behind the cursor */
    int tunnel;      /* the kind that has just been passed (enum inner_tunnel), -1: none */
    uint16_t tag;    /* with ERSPAN: the VLAN tag that was taken off */
    bool tagged;
    size_t end; /* where the packet ends by its own account, also beyond the frame */
    struct inner *in;
};

static enum layer layer_of(uint16_t type)
{
    return type == ETHER_TYPE_IPV4 ? LAYER_IPV4 : type == ETHER_TYPE_IPV6 ? LAYER_IPV6 : LAYER_NONE;
}

/* ---- one header after the other ---- */

static void walk_ether(struct walk *w)
{
    const uint8_t *p = rd_take(&w->r, ETHER_HDR_LEN);
    uint16_t type = p ? ld_u16(p + 12) : 0;
    w->layer = layer_of(type);
    if (!p) {
        return;
    }
    if (ether_is_tag(type)) {
        struct ether_net net;
        w->r.bad = ether_walk(p, ETHER_HDR_LEN + rd_left(&w->r), &net) < 0;
        if (w->r.bad) {
            return;
        }
        type = net.type;
        w->layer = layer_of(type);
        w->r.p = p + net.off;
    }
    w->in->mac[0] = p;
    w->in->mac[1] = p + 6;
    if (type == TYPE_ARP) {
        rd_skip(&w->r, ARP_LEN);
    }
}

/* The length of the transport header at the cursor, the least it has where it is cut short. */
static size_t transport_len(const struct walk *w)
{
    const uint8_t *p = w->r.p;
    size_t left = rd_left(&w->r);
    switch (w->in->proto) {
    case IPPROTO_TCP: /* RFC 9293, section 3.1: the data offset */
        return left > 12 ? MAX(20u, (p[12] >> 4) * 4u) : 20;
    case IPPROTO_DCCP: /* RFC 4340, section 5.1: the same */
        return left > 4 ? MAX(12u, p[4] * 4u) : 12;
    case IPPROTO_SCTP:
        return 12;
    case IPPROTO_UDP:
    case IPPROTO_UDPLITE:
    case IPPROTO_ICMP:
    case IPPROTO_ICMPV6:
    case IPPROTO_IGMP:
    case IPPROTO_ESP:
        return 8;
    default:
        return 0;
    }
}

/* The header of a tunnel has been read: what is inside comes next, if that is walked. */
static void walk_tunnel(struct walk *w, const struct tunnel *t)
{
    w->layer = t->type == TUNNEL_ETHERNET ? LAYER_ETHER : layer_of(t->type);
    w->tagged = t->tagged;
    w->tag = t->tag;
    if (w->layer == LAYER_NONE) {
        return;
    }
    if (t->kind == TUNNEL_VXLAN) {
        w->tunnel = INNER_VXLAN;
    } else if (t->kind == TUNNEL_ERSPAN1 || t->kind == TUNNEL_ERSPAN) {
        w->tunnel = INNER_ERSPAN;
    } else if (t->kind != TUNNEL_IP && t->kind != TUNNEL_GENEVE) {
        w->tunnel = INNER_GRE;
    }
}

/* Behind a UDP header: where no tunnel follows that is walked, something else does. */
static void walk_udp(struct walk *w)
{
    const enum tunnel_kind kind = tunnel_of_port(w->in->port[1]);
    const struct rd at = w->r;
    struct tunnel t;
    if (kind != TUNNEL_VXLAN && kind != TUNNEL_GENEVE) {
        return;
    }
    tunnel_in_udp(&w->r, w->in->port[1], &t);
    walk_tunnel(w, &t);
    if (w->layer == LAYER_NONE && (rd_ok(&w->r) || t.kind != TUNNEL_NONE)) {
        w->r = at;
    }
}

/* Behind an IP header and its extensions: a transport header, or the way into a tunnel. */
static void walk_payload(struct walk *w)
{
    struct inner *in = w->in;
    bool deeper = !in->fragment && w->levels < INNER_LEVELS;
    if (deeper &&
        (in->proto == IPPROTO_IPIP || in->proto == IPPROTO_IPV6 || in->proto == IPPROTO_GRE)) {
        struct tunnel t;
        tunnel_in_ip(&w->r, in->proto, &t);
        walk_tunnel(w, &t);
        return;
    }
    const uint8_t *p = w->r.p;
    if (!in->fragment && ether_has_ports(in->proto) && rd_left(&w->r) >= 4) {
        in->port[0] = ld_u16(p);
        in->port[1] = ld_u16(p + 2);
    }
    rd_skip(&w->r, transport_len(w));
    if (deeper && in->proto == IPPROTO_UDP) {
        walk_udp(w);
    }
}

/* The packet ends `n` bytes behind the cursor, or where the frame does. */
static void bound(struct walk *w, size_t n)
{
    w->end = MIN(w->end, (size_t)(w->r.p - w->frame) + n);
    if (n < rd_left(&w->r)) {
        w->r.end = w->r.p + n;
    }
}

/* RFC 791, with an authentication header (RFC 4302) if there is one. */
static void walk_ipv4(struct walk *w)
{
    const uint8_t *ip = rd_take(&w->r, IPV4_LEN);
    w->layer = LAYER_NONE;
    if (!ip || ip[0] >> 4 != 4 || (ip[0] & 15) < 5) {
        w->r.p = ip ? ip : w->r.p;
        return;
    }
    uint16_t total = ld_u16(ip + 2), frag = ld_u16(ip + 6);
    uint16_t options = (uint16_t)((ip[0] & 15) * 4 - 20);
    if (total != 0) {
        bound(w, MAX(total, IPV4_LEN + options) - IPV4_LEN);
    }
    w->in->family = AF_INET;
    w->in->proto = ip[9];
    w->in->fragment = frag & IPV4_FRAGMENT;
    w->in->addr[0] = ip + 12;
    w->in->addr[1] = ip + 16;
    w->in->port[0] = w->in->port[1] = 0;
    w->levels++;
    rd_skip(&w->r, options);
    if (frag & IPV4_OFFSET) {
        return;
    }
    if (w->in->proto == IPPROTO_AH) {
        (void)ether_skip_extension(&w->r, &w->in->proto);
    }
    walk_payload(w);
}

static void walk_ipv6(struct walk *w)
{
    const uint8_t *ip = rd_take(&w->r, IPV6_LEN);
    uint16_t frag = 0;
    w->layer = LAYER_NONE;
    if (!ip || ip[0] >> 4 != 6) {
        w->r.p = ip ? ip : w->r.p;
        return;
    }
    if (ld_u16(ip + 4) != 0) {
        bound(w, ld_u16(ip + 4));
    }
    w->in->family = AF_INET6;
    w->in->proto = ip[6];
    w->in->fragment = false;
    w->in->addr[0] = ip + 8;
    w->in->addr[1] = ip + 24;
    w->in->port[0] = w->in->port[1] = 0;
    w->levels++;
    for (unsigned i = 0; rd_ok(&w->r) && ether_is_extension(w->in->proto); i++) {
        if (i == ETHER_EXT_MAX || frag & ETHER_FRAG6_OFFSET) {
            return;
        }
        frag = ether_skip_extension(&w->r, &w->in->proto);
        /* An atomic fragment (RFC 6946) is a whole packet. */
        w->in->fragment |= (frag & (ETHER_FRAG6_OFFSET | ETHER_FRAG6_MORE)) != 0;
    }
    if (!(frag & ETHER_FRAG6_OFFSET)) {
        walk_payload(w);
    }
}

/* Walks on until a tunnel has been passed, or to the end. */
static bool walk_on(struct walk *w)
{
    w->tunnel = -1;
    while (w->tunnel < 0 && rd_ok(&w->r)) {
        switch (w->layer) {
        case LAYER_ETHER:
            walk_ether(w);
            break;
        case LAYER_IPV4:
            walk_ipv4(w);
            break;
        case LAYER_IPV6:
            walk_ipv6(w);
            break;
        case LAYER_NONE:
            return false;
        }
    }
    return rd_ok(&w->r);
}

static struct walk walk_make(const uint8_t *frame, size_t len, struct inner *in)
{
    *in = (struct inner){0};
    return (struct walk){.frame = frame,
                         .r = rd_make(frame, len),
                         .layer = LAYER_ETHER,
                         .end = UINT32_MAX,
                         .in = in};
}

void inner_walk(const uint8_t *frame, size_t len, struct inner *ret)
{
    struct walk w = walk_make(frame, len, ret);
    while (walk_on(&w)) {
    }
    ret->headers = (uint32_t)((rd_ok(&w.r) ? w.r.p : w.r.end) - frame);
}

/* ---- the flow ---- */

enum {
    KEY_MAC = 1, /* an IP header's first byte is its version */
    MAC_LEN = 6,
};

/* Is the first end of the flow the lower one? */
static bool in_order(const struct inner *in)
{
    const uint8_t *a = in->addr[0], *b = in->addr[1];
    if (in->family == AF_INET) {
        const uint64_t x = (uint64_t)ld_u32(a) << 16 | in->port[0];
        const uint64_t y = (uint64_t)ld_u32(b) << 16 | in->port[1];
        return x <= y;
    }
    uint64_t high[2] = {ld_u64(a), ld_u64(b)}, low[2] = {ld_u64(a + 8), ld_u64(b + 8)};
    if (high[0] != high[1]) {
        return high[0] < high[1];
    }
    return low[0] != low[1] ? low[0] < low[1] : in->port[0] <= in->port[1];
}

/* Of an IPv4 packet, by stores of whole words: a hash that reads words does not wait for them. */
static size_t key_of_ipv4(const struct inner *in, uint8_t ret[INNER_KEY_MAX])
{
    const unsigned first = in_order(in) ? 0 : 1;
    const uint64_t head = 4u << 8 | (in->fragment ? 0u : in->proto);
    const uint64_t a = ld_u32(in->addr[first]), b = ld_u32(in->addr[!first]);
    const uint64_t words[] = {
        __builtin_bswap64(head << 48 | a << 16 | b >> 16),
        __builtin_bswap64(b << 48 | (uint64_t)in->port[first] << 32 |
                          (uint64_t)in->port[!first] << 16),
    };
    memcpy(ret, words, sizeof(words));
    return 2 + 4 + 4 + 4;
}

size_t inner_key(const struct inner *in, uint8_t ret[INNER_KEY_MAX])
{
    if (in->family == AF_INET) {
        return key_of_ipv4(in, ret);
    }
    uint8_t *p = ret + 2;
    ret[0] = ret[1] = 0;
    if (in->family != 0) {
        const size_t n = 16;
        unsigned first = in_order(in) ? 0 : 1;
        ret[0] = 6;
        ret[1] = in->fragment ? 0 : in->proto;
        memcpy(p, in->addr[first], n);
        memcpy(p + n, in->addr[!first], n);
        st_u16(p + 2 * n, in->port[first]);
        st_u16(p + 2 * n + 2, in->port[!first]);
        return 2 + 2 * n + 4;
    }
    if (!in->mac[0]) {
        return 2;
    }
    unsigned first = memcmp(in->mac[0], in->mac[1], MAC_LEN) <= 0 ? 0 : 1;
    ret[0] = KEY_MAC;
    memcpy(p, in->mac[first], MAC_LEN);
    memcpy(p + MAC_LEN, in->mac[!first], MAC_LEN);
    return 2 + 2 * MAC_LEN;
}

/* ---- without the tunnel ---- */

static int strip_vlan(const uint8_t *frame, size_t len, struct inner_strip *ret)
{
    struct ether_net net;
    if (ether_walk(frame, len, &net) < 0 || net.tags == 0) {
        return -ENOENT;
    }
    /* The type behind the tags follows the addresses. */
    *ret = (struct inner_strip){.off = (uint32_t)net.off - 2, .end = UINT32_MAX, .ins_len = 12};
    memcpy(ret->ins, frame, 12);
    return 0;
}

int inner_strip(const uint8_t *frame, size_t len, enum inner_tunnel kind, struct inner_strip *ret)
{
    struct inner in;
    if (kind == INNER_VLAN) {
        return strip_vlan(frame, len, ret);
    }
    struct walk w = walk_make(frame, len, &in);
    do {
        if (!walk_on(&w)) {
            return -ENOENT;
        }
    } while (w.tunnel != (int)kind);
    size_t need = w.layer == LAYER_ETHER  ? ETHER_HDR_LEN
                  : w.layer == LAYER_IPV4 ? IPV4_LEN
                                          : IPV6_LEN;
    if (rd_left(&w.r) < need) {
        return -ENOENT;
    }
    struct inner_strip s = {.off = (uint32_t)(w.r.p - frame), .end = (uint32_t)w.end};
    if (w.layer != LAYER_ETHER) {
        struct wr to = wr_make(s.ins, sizeof(s.ins));
        wr_copy(&to, in.mac[0], 12); /* destination and source */
        wr_u16(&to, w.layer == LAYER_IPV4 ? ETHER_TYPE_IPV4 : ETHER_TYPE_IPV6);
        s.ins_len = (uint8_t)wr_len(&to);
    } else if (w.tagged) {
        struct wr to = wr_make(s.ins, sizeof(s.ins));
        wr_u16(&to, ETHER_TYPE_8021Q);
        wr_u16(&to, w.tag);
        s.ins_off = 12;
        s.ins_len = (uint8_t)wr_len(&to);
    }
    *ret = s;
    return 0;
}

int inner_strip_frame(struct frame *f, enum inner_tunnel kind)
{
    uint8_t scratch[INNER_SCRATCH];
    struct inner_strip s;
    size_t len = 0;
    const uint8_t *head = inner_bytes(f, scratch, &len);
    uint32_t before = (uint32_t)f->ins_off + f->ins_len;
    if (inner_strip(head, len, kind, &s) < 0 || (f->ins_len > 0 && s.off < before)) {
        return -ENOENT; /* a frame has one place for bytes to be inserted */
    }
    uint32_t gone = s.off - f->ins_len; /* of `data` */
    f->data += gone;
    f->datalen -= gone;
    f->caplen = MIN(f->caplen, s.end) - s.off + s.ins_len;
    f->origlen = MIN(f->origlen, s.end) - s.off + s.ins_len;
    f->ins_off = s.ins_off;
    f->ins_len = s.ins_len;
    memcpy(f->ins, s.ins, sizeof(f->ins));
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/packet.h"

#include <errno.h>
#include <netinet/in.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "proto/ether.h"

enum {
    /* The kind of header at the cursor: an EtherType, or one of these. */
    KIND_IP = 0x10000,  /* IPv4 or IPv6, by its version */
    KIND_PPP = 0x10001, /* the protocol field of PPP */

    TYPE_MPLS = 0x8847,
    TYPE_MPLS_UP = 0x8848,
    TYPE_PPPOE = 0x8864, /* session stage */
    TYPE_LENGTHS = 0x600,
    PPP_IPV4 = 0x0021, /* RFC 1661, section 2, and the registry */
    PPP_IPV6 = 0x0057,
    PPP_MPLS = 0x0281,
    LAYERS = 24, /* headers before IP */
    IPV4_LEN = 20,
    IPV4_MORE = 0x2000,
    IPV4_OFFSET = 0x1fff,
    IPV6_LEN = 40,
    NFLOG_PAYLOAD = 9,
    TCP_FLAGS_AT = 13,
    UDP_LEN = 8,
};

struct walk {
    const uint8_t *data;
    size_t origlen;
    struct rd r;
    struct packet *p;
};

/* ---- link types ---- */

static int read_ethernet(struct walk *w)
{
    const uint8_t *p = rd_take(&w->r, ETHER_HDR_LEN);
    if (!p) {
        return -ENOMSG;
    }
    w->p->mac[0] = p;
    w->p->mac[1] = p + 6;
    return ld_u16(p + 12);
}

/* The families of the systems that write such files: all have 2 for IPv4, and their own for IPv6.
 */
static int read_loop(struct walk *w, bool any_order)
{
    uint32_t family = rd_u32(&w->r);
    if (any_order && family > UINT16_MAX) {
        family = __builtin_bswap32(family);
    }
    switch (family) {
    case 2:
    case 10: /* Linux */
    case 23: /* Windows */
    case 24: /* NetBSD, OpenBSD */
    case 28: /* FreeBSD */
    case 30: /* macOS */
        return KIND_IP;
    default:
        return -ENOMSG;
    }
}

/* An address and control field (RFC 1662, section 3.1) may stand before the protocol. */
static int read_ppp(struct walk *w)
{
    if (rd_left(&w->r) >= 2 && w->r.p[0] == 0xff && w->r.p[1] == 0x03) {
        rd_skip(&w->r, 2);
    }
    return KIND_PPP;
}

static int read_pppoe(struct walk *w)
{
    rd_skip(&w->r, 6); /* RFC 2516, section 4 */
    return KIND_PPP;
}

/* Cisco's HDLC: address, control, EtherType. */
static int read_hdlc(struct walk *w)
{
    rd_skip(&w->r, 2);
    return rd_u16(&w->r);
}

static int read_ppp_hdlc(struct walk *w)
{
    return rd_left(&w->r) >= 1 && (w->r.p[0] == 0x0f || w->r.p[0] == 0x8f) ? read_hdlc(w)
                                                                           : read_ppp(w);
}

static int read_sll(struct walk *w)
{
    const uint8_t *p = rd_take(&w->r, 16);
    return p ? ld_u16(p + 14) : -ENOMSG;
}

static int read_sll2(struct walk *w)
{
    const uint8_t *p = rd_take(&w->r, 20);
    return p ? ld_u16(p) : -ENOMSG;
}

static uint16_t host_u16(const uint8_t *p, bool big)
{
    const uint16_t v = ld_u16(p);
    return big ? v : __builtin_bswap16(v);
}

/* Attributes in the byte order of whoever captured, each padded to 4 bytes, of which one is the
 * packet. The first one's length tells the order: no attribute is 16 kB long or more but a packet,
 * which is the last. */
static int read_nflog(struct walk *w)
{
    const uint8_t *p = rd_take(&w->r, 4);
    if (!p || (p[0] != AF_INET && p[0] != AF_INET6) || rd_left(&w->r) < 4) {
        return -ENOMSG;
    }
    const bool big = host_u16(w->r.p, false) > host_u16(w->r.p, true);
    while (rd_left(&w->r) >= 4) {
        const size_t len = host_u16(w->r.p, big);
        const unsigned type = host_u16(w->r.p + 2, big);
        if (len < 4) {
            return -ENOMSG;
        }
        if (type == NFLOG_PAYLOAD) {
            rd_skip(&w->r, 4);
            return KIND_IP;
        }
        rd_skip(&w->r, (len + 3) & ~(size_t)3);
    }
    return -ENOMSG;
}

static int read_link(struct walk *w, uint16_t linktype)
{
    switch (linktype) {
    case PACKET_ETHERNET:
        return read_ethernet(w);
    case PACKET_NULL:
        return read_loop(w, true);
    case PACKET_LOOP:
        return read_loop(w, false);
    case PACKET_PPP:
        return read_ppp(w);
    case PACKET_PPP_HDLC:
        return read_ppp_hdlc(w);
    case PACKET_PPPOE:
        return read_pppoe(w);
    case PACKET_HDLC:
        return read_hdlc(w);
    case PACKET_RAW_BSD:
    case PACKET_RAW_OPENBSD:
    case PACKET_RAW:
        return KIND_IP;
    case PACKET_IPV4:
        return ETHER_TYPE_IPV4;
    case PACKET_IPV6:
        return ETHER_TYPE_IPV6;
    case PACKET_SLL:
        return read_sll(w);
    case PACKET_SLL2:
        return read_sll2(w);
    case PACKET_NFLOG:
        return read_nflog(w);
    default:
        return -ENOTSUP;
    }
}

bool packet_knows_link(uint16_t linktype)
{
    struct packet p = {0};
    struct walk w = {.r = rd_make(NULL, 0), .p = &p};
    return read_link(&w, linktype) != -ENOTSUP;
}

const uint16_t *packet_links(size_t *ret_n)
{
    static const uint16_t links[] = {
        PACKET_NULL,     PACKET_ETHERNET, PACKET_PPP,  PACKET_RAW_BSD, PACKET_RAW_OPENBSD,
        PACKET_PPP_HDLC, PACKET_PPPOE,    PACKET_RAW,  PACKET_HDLC,    PACKET_LOOP,
        PACKET_SLL,      PACKET_IPV4,     PACKET_IPV6, PACKET_NFLOG,   PACKET_SLL2,
    };
    *ret_n = ARRAY_SIZE(links);
    return links;
}

/* ---- between the link and IP ---- */

static int read_tag(struct walk *w)
{
    const uint8_t *p = rd_take(&w->r, ETHER_TAG_LEN);
    if (!p || w->p->vlans == PACKET_VLANS) {
        return -ENOMSG;
    }
    w->p->vlan[w->p->vlans++] = ld_u16(p);
    return ld_u16(p + 2);
}

/* A stack of labels. Nothing says what is below but the first four bits, which are those of IP's
 * version where it is IP (RFC 4928, section 3). */
static int read_mpls(struct walk *w)
{
    const uint8_t *p;
    do {
        p = rd_take(&w->r, 4);
        if (p && w->p->labels < PACKET_LABELS) {
            w->p->label[w->p->labels++] = ld_u32(p) >> 8;
        }
    } while (p && !(p[2] & 1));
    return p ? KIND_IP : -ENOMSG;
}

/* IEEE 802.2 with SNAP and no organisation: an EtherType follows (RFC 1042). */
static int read_llc(struct walk *w)
{
    static const uint8_t snap[] = {0xaa, 0xaa, 0x03, 0, 0, 0};
    const uint8_t *p = rd_take(&w->r, sizeof(snap));
    return p && memcmp(p, snap, sizeof(snap)) == 0 ? rd_u16(&w->r) : -ENOMSG;
}

/* One byte where the field is compressed (RFC 1661, section 6.5): those are odd. */
static int read_ppp_protocol(struct walk *w)
{
    unsigned proto = rd_u8(&w->r);
    proto = proto & 1 ? proto : proto << 8 | rd_u8(&w->r);
    switch (proto) {
    case PPP_IPV4:
        return ETHER_TYPE_IPV4;
    case PPP_IPV6:
        return ETHER_TYPE_IPV6;
    case PPP_MPLS:
        return TYPE_MPLS;
    default:
        return -ENOMSG;
    }
}

static int read_version(const struct walk *w)
{
    const unsigned version = rd_left(&w->r) > 0 ? w->r.p[0] >> 4 : 0;
    return version == 4 ? ETHER_TYPE_IPV4 : version == 6 ? ETHER_TYPE_IPV6 : -ENOMSG;
}

static int read_between(struct walk *w, int kind)
{
    if (ether_is_tag((uint16_t)kind) && kind <= UINT16_MAX) {
        return read_tag(w);
    }
    switch (kind) {
    case TYPE_MPLS:
    case TYPE_MPLS_UP:
        return read_mpls(w);
    case TYPE_PPPOE:
        return read_pppoe(w);
    case KIND_PPP:
        return read_ppp_protocol(w);
    case KIND_IP:
        return read_version(w);
    default:
        return kind < TYPE_LENGTHS ? read_llc(w) : -ENOMSG;
    }
}

/* ---- IP ---- */

static void read_transport(struct walk *w)
{
    struct packet *p = w->p;
    const uint8_t *at = w->r.p;
    const size_t left = rd_left(&w->r);
    if (p->later) {
        return;
    }
    if (ether_has_ports(p->proto) && left >= 4) {
        p->port[0] = ld_u16(at);
        p->port[1] = ld_u16(at + 2);
    }
    if (p->proto == IPPROTO_TCP && left > TCP_FLAGS_AT) {
        p->tcp_flags = at[TCP_FLAGS_AT];
    }
    const uint8_t icmp = p->version == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
    if (p->proto == icmp && left >= 2) {
        p->port[1] = ld_u16(at);
    }
}

/* Bytes from the cursor to the frame's end. */
static uint32_t frame_bytes(const struct walk *w)
{
    const size_t before = (size_t)(w->r.p - w->data);
    return w->origlen > before ? (uint32_t)MIN(w->origlen - before, (size_t)UINT32_MAX) : 0;
}

/* The packet ends `n` bytes behind the cursor, or where the frame does. */
static void bound(struct walk *w, size_t n)
{
    w->origlen = MIN(w->origlen, (size_t)(w->r.p - w->data) + n);
    if (n < rd_left(&w->r)) {
        w->r.end = w->r.p + n;
    }
}

static int read_ipv4(struct walk *w)
{
    struct packet *p = w->p;
    const uint32_t frame = frame_bytes(w);
    const uint8_t *ip = rd_take(&w->r, IPV4_LEN);
    if (!ip || ip[0] >> 4 != 4) {
        return -EBADMSG;
    }
    const uint32_t header = (ip[0] & 15u) * 4, total = ld_u16(ip + 2), frag = ld_u16(ip + 6);
    if (header < IPV4_LEN || (total != 0 && total < header) || header > frame) {
        return -EBADMSG;
    }
    p->version = 4;
    p->tos = ip[1];
    p->ttl = ip[8];
    p->proto = ip[9];
    p->addr[0] = ip + 12;
    p->addr[1] = ip + 16;
    p->bytes = total ? total : frame;
    p->fragment = frag & (IPV4_MORE | IPV4_OFFSET);
    p->later = frag & IPV4_OFFSET;
    p->ident = p->fragment ? ld_u16(ip + 4) : 0;
    bound(w, p->bytes - IPV4_LEN);
    rd_skip(&w->r, header - IPV4_LEN);
    read_transport(w);
    return 0;
}

/* The extension headers, to the transport header or as far as there are bytes. */
static void read_extensions(struct walk *w)
{
    struct packet *p = w->p;
    for (unsigned i = 0; ether_is_extension(p->proto) && i < ETHER_EXT_MAX; i++) {
        const bool is_fragment = p->proto == IPPROTO_FRAGMENT && rd_left(&w->r) >= 8;
        const uint32_t ident = is_fragment ? ld_u32(w->r.p + 4) : 0;
        const uint16_t frag = ether_skip_extension(&w->r, &p->proto);
        if (!rd_ok(&w->r)) {
            return;
        }
        if (frag & (ETHER_FRAG6_OFFSET | ETHER_FRAG6_MORE)) { /* not an atomic one (RFC 6946) */
            p->fragment = true;
            p->ident = ident;
        }
        if (frag & ETHER_FRAG6_OFFSET) {
            p->later = true;
            return;
        }
    }
    read_transport(w);
}

static int read_ipv6(struct walk *w)
{
    struct packet *p = w->p;
    const uint32_t frame = frame_bytes(w);
    const uint8_t *ip = rd_take(&w->r, IPV6_LEN);
    if (!ip || ip[0] >> 4 != 6) {
        return -EBADMSG;
    }
    const uint32_t payload = ld_u16(ip + 4);
    p->version = 6;
    p->tos = (uint8_t)(ip[0] << 4 | ip[1] >> 4);
    p->flow_label = ld_u32(ip) & 0xfffff;
    p->proto = ip[6];
    p->ttl = ip[7];
    p->addr[0] = ip + 8;
    p->addr[1] = ip + 24;
    /* Without a length it is a jumbo payload (RFC 2675) or a super-packet; or nothing follows. */
    const bool says = payload != 0 || p->proto == IPPROTO_NONE;
    p->bytes = says ? IPV6_LEN + payload : MAX(frame, (uint32_t)IPV6_LEN);
    bound(w, p->bytes - IPV6_LEN);
    read_extensions(w);
    return 0;
}

/* The packet behind headers, the first of which is of that kind. */
static int read_packet(struct walk *w, int kind)
{
    for (unsigned i = 0; i < LAYERS && kind >= 0; i++) {
        if (kind == ETHER_TYPE_IPV4 || kind == ETHER_TYPE_IPV6) {
            break;
        }
        kind = read_between(w, kind);
    }
    return kind < 0                  ? kind
           : !rd_ok(&w->r)           ? -ENOMSG
           : kind == ETHER_TYPE_IPV4 ? read_ipv4(w)
           : kind == ETHER_TYPE_IPV6 ? read_ipv6(w)
                                     : -ENOMSG;
}

int packet_read(uint16_t linktype, const uint8_t *data, size_t len, size_t origlen,
                struct packet *ret)
{
    struct packet p = {0};
    struct walk w = {.data = data, .origlen = origlen, .r = rd_make(data, len), .p = &p};
    int r = read_packet(&w, read_link(&w, linktype));
    if (r == 0) {
        *ret = p;
    }
    return r;
}

/* ---- tunnels ---- */

/* The header of the tunnel that the packet is, if it is one; the cursor is behind the packet's own.
 */
static void read_tunnel(struct walk *w, struct tunnel *ret)
{
    const struct packet *p = w->p;
    *ret = (struct tunnel){0};
    if (p->fragment) {
        return;
    }
    if (p->proto == IPPROTO_UDP) {
        rd_skip(&w->r, UDP_LEN);
        tunnel_in_udp(&w->r, p->port[1], ret);
    } else {
        tunnel_in_ip(&w->r, p->proto, ret);
    }
}

/* A tag that ERSPAN has taken off the frame counts as one of it. */
static int begin_inside(struct walk *w, const struct tunnel *t)
{
    struct packet *p = w->p;
    if (t->tagged && p->vlans == PACKET_VLANS) {
        return -ENOMSG;
    }
    if (t->tagged) {
        p->vlan[p->vlans++] = t->tag;
    }
    return t->type == TUNNEL_ETHERNET ? read_ethernet(w)
           : t->type < TYPE_LENGTHS   ? -ENOMSG
                                      : t->type;
}

/* From a packet into the tunnel that it is. False: it is none, or nothing can be read in it. */
static bool enter(struct walk *w, struct packet_tunnel *tunnel)
{
    struct packet *p = w->p, inside = {.vlans = p->vlans};
    struct walk v = *w;
    struct tunnel t;
    read_tunnel(&v, &t);
    if (t.kind == TUNNEL_NONE || !rd_ok(&v.r)) {
        return false;
    }
    v.p = &inside;
    memcpy(inside.vlan, p->vlan, sizeof(inside.vlan));
    if (read_packet(&v, begin_inside(&v, &t)) < 0) {
        return false;
    }
    tunnel->depth++;
    tunnel->kind = t.kind;
    tunnel->id = t.id;
    tunnel->version = p->version;
    memcpy(tunnel->addr, p->addr, sizeof(tunnel->addr));
    inside.labels = p->labels;
    memcpy(inside.label, p->label, sizeof(inside.label));
    memcpy(inside.mac, p->mac, sizeof(inside.mac));
    v.p = p;
    *p = inside;
    *w = v;
    return true;
}

int packet_read_inner(uint16_t linktype, const uint8_t *data, size_t len, size_t origlen,
                      unsigned deepest, struct packet *ret, struct packet_tunnel *ret_tunnel)
{
    struct packet p = {0};
    struct packet_tunnel tunnel = {0};
    struct walk w = {.data = data, .origlen = origlen, .r = rd_make(data, len), .p = &p};
    int r = read_packet(&w, read_link(&w, linktype));
    if (r < 0) {
        return r;
    }
    while (tunnel.depth < deepest && enter(&w, &tunnel)) {
    }
    *ret = p;
    *ret_tunnel = tunnel;
    return 0;
}

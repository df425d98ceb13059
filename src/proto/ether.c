/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/ether.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/bytes.h"
#include "proto/link.h"

enum {
    /* Ethernet, tags, the longest IPv4 header and a few IPv6 extensions: more of a frame with
     * inserted bytes is not copied to look for a UDP header. */
    LOOK_MAX = 512,
    FRAG_OFFSET_V4 = 0x1fff,
};

int ether_walk(const uint8_t *data, size_t len, struct ether_net *ret)
{
    struct rd r = rd_make(data, len);
    struct ether_net net = {0};
    rd_skip(&r, 12);
    net.type = rd_u16(&r);
    while (ether_is_tag(net.type) && net.tags < ETHER_TAGS_MAX) {
        net.tci[net.tags++] = rd_u16(&r);
        net.type = rd_u16(&r);
    }
    if (!rd_ok(&r)) {
        return -ENODATA;
    }
    net.off = (size_t)(r.p - data);
    *ret = net;
    return 0;
}

/* RFC 791: to the protocol number behind the options. */
static int walk_ipv4(struct rd *r, struct ether_udp *udp, uint8_t *ret_proto)
{
    uint8_t ihl = rd_u8(r) & 0x0f;
    rd_skip(r, 5);
    uint16_t frag = rd_u16(r);
    rd_skip(r, 1);
    *ret_proto = rd_u8(r);
    rd_skip(r, 2);
    udp->addr[0] = rd_take(r, 4);
    udp->addr[1] = rd_take(r, 4);
    if (!rd_ok(r)) {
        return -ENODATA;
    }
    if (ihl < 5 || (frag & FRAG_OFFSET_V4) != 0) {
        return -ENOMSG;
    }
    rd_skip(r, (size_t)(ihl - 5) * 4);
    udp->family = AF_INET;
    return 0;
}

bool ether_has_ports(uint8_t proto)
{
    return proto == IPPROTO_TCP || proto == IPPROTO_UDP || proto == IPPROTO_SCTP ||
           proto == IPPROTO_DCCP || proto == IPPROTO_UDPLITE;
}

bool ether_is_extension(uint8_t next)
{
    switch (next) {
    case IPPROTO_HOPOPTS:
    case IPPROTO_ROUTING:
    case IPPROTO_DSTOPTS:
    case IPPROTO_FRAGMENT:
    case IPPROTO_AH:
    case IPPROTO_MH:
    case 139: /* host identity, RFC 7401 */
    case 140: /* shim6, RFC 5533 */
        return true;
    default:
        return false;
    }
}

/* RFC 8200 section 4 and RFC 4302: the length of one extension header is 8 + 8 * its second byte,
 * but for the authentication header (units of 4) and the fragment header (always 8). */
uint16_t ether_skip_extension(struct rd *r, uint8_t *next)
{
    uint8_t kind = *next;
    *next = rd_u8(r);
    uint8_t units = rd_u8(r);
    if (kind == IPPROTO_FRAGMENT) {
        uint16_t frag = rd_u16(r);
        rd_skip(r, 4);
        return frag;
    }
    rd_skip(r, kind == IPPROTO_AH ? (size_t)units * 4 + 6 : (size_t)units * 8 + 6);
    return 0;
}

static int walk_ipv6(struct rd *r, struct ether_udp *udp, uint8_t *ret_proto)
{
    rd_skip(r, 6);
    uint8_t next = rd_u8(r);
    rd_skip(r, 1);
    udp->addr[0] = rd_take(r, 16);
    udp->addr[1] = rd_take(r, 16);
    for (unsigned i = 0; rd_ok(r) && ether_is_extension(next); i++) {
        if (i == ETHER_EXT_MAX || ether_skip_extension(r, &next) & ETHER_FRAG6_OFFSET) {
            return rd_ok(r) ? -ENOMSG : -ENODATA;
        }
    }
    if (!rd_ok(r)) {
        return -ENODATA;
    }
    udp->family = AF_INET6;
    *ret_proto = next;
    return 0;
}

int ether_ip_udp(const uint8_t *pkt, size_t len, struct ether_udp *ret)
{
    struct rd r = rd_make(pkt, len);
    struct ether_udp udp = {0};
    uint8_t proto = 0;
    if (len == 0) {
        return -ENODATA;
    }
    uint8_t version = pkt[0] >> 4;
    int err = version == 4   ? walk_ipv4(&r, &udp, &proto)
              : version == 6 ? walk_ipv6(&r, &udp, &proto)
                             : -ENOMSG;
    if (err < 0) {
        return err;
    }
    if (proto != IPPROTO_UDP) {
        return -ENOMSG;
    }
    udp.port[0] = rd_u16(&r);
    udp.port[1] = rd_u16(&r);
    rd_skip(&r, 4);
    if (!rd_ok(&r)) {
        return -ENODATA;
    }
    udp.off = (size_t)(r.p - pkt);
    *ret = udp;
    return 0;
}

struct endpoint {
    uint8_t family;
    uint8_t addr[16];
    uint16_t port;
};

static int endpoint_of(const struct sockaddr *sa, struct endpoint *ret)
{
    struct endpoint e = {0};
    if (sa->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, sa, sizeof(in));
        e.family = AF_INET;
        memcpy(e.addr, &in.sin_addr, 4);
        e.port = ntohs(in.sin_port);
    } else if (sa->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, sa, sizeof(in6));
        bool mapped = IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr);
        e.family = mapped ? AF_INET : AF_INET6;
        memcpy(e.addr, in6.sin6_addr.s6_addr + (mapped ? 12 : 0), mapped ? 4 : 16);
        e.port = ntohs(in6.sin6_port);
    } else {
        return -EAFNOSUPPORT;
    }
    *ret = e;
    return 0;
}

int ether_flow_make(const struct sockaddr *a, const struct sockaddr *b, struct ether_flow *ret)
{
    struct endpoint e[2];
    if (endpoint_of(a, &e[0]) < 0 || endpoint_of(b, &e[1]) < 0 || e[0].family != e[1].family) {
        return -EAFNOSUPPORT;
    }
    struct ether_flow flow = {.family = e[0].family, .port = {e[0].port, e[1].port}};
    memcpy(flow.addr[0], e[0].addr, 16);
    memcpy(flow.addr[1], e[1].addr, 16);
    *ret = flow;
    return 0;
}

/* The packet's source is the flow's end `from`, its destination the other end. */
static bool matches(const struct ether_udp *udp, const struct ether_flow *flow, unsigned from)
{
    size_t n = udp->family == AF_INET ? 4 : 16;
    return udp->port[0] == flow->port[from] && udp->port[1] == flow->port[!from] &&
           memcmp(udp->addr[0], flow->addr[from], n) == 0 &&
           memcmp(udp->addr[1], flow->addr[!from], n) == 0;
}

/* A packet whose source address alone rules it out, that is nearly every one, need not be walked.
 */
static bool is_from_an_end(const uint8_t *pkt, size_t len, const struct ether_flow *flow)
{
    if (flow->family == AF_INET) { /* RFC 791: the source is at 12 */
        return len >= 16 &&
               (memcmp(pkt + 12, flow->addr[0], 4) == 0 || memcmp(pkt + 12, flow->addr[1], 4) == 0);
    }
    return len >= 24 && (memcmp(pkt + 8, flow->addr[0], 16) == 0 || /* RFC 8200: at 8 */
                         memcmp(pkt + 8, flow->addr[1], 16) == 0);
}

bool ether_ip_is_flow(const uint8_t *pkt, size_t len, const struct ether_flow *flow)
{
    struct ether_udp udp;
    return is_from_an_end(pkt, len, flow) && ether_ip_udp(pkt, len, &udp) == 0 &&
           udp.family == flow->family && (matches(&udp, flow, 0) || matches(&udp, flow, 1));
}

bool ether_is_flow(const uint8_t *data, size_t len, const struct ether_flow *flow)
{
    struct ether_net net;
    uint16_t type = flow->family == AF_INET ? ETHER_TYPE_IPV4 : ETHER_TYPE_IPV6;
    return ether_walk(data, len, &net) == 0 && net.type == type &&
           ether_ip_is_flow(data + net.off, len - net.off, flow);
}

bool ether_frame_is_flow(const struct frame *f, const struct ether_flow *flow)
{
    uint8_t room[LOOK_MAX];
    size_t len = 0;
    const uint8_t *head = frame_head(f, room, sizeof(room), &len);
    return ether_is_flow(head, len, flow);
}

/* The next header alone rules most packets out. */
static bool may_be_udp(const uint8_t *pkt, size_t len)
{
    return len >= 20 && (pkt[0] >> 4 == 4 ? pkt[9] == IPPROTO_UDP
                                          : pkt[6] == IPPROTO_UDP || ether_is_extension(pkt[6]));
}

bool ether_ip_is_link(const uint8_t *pkt, size_t len)
{
    struct ether_udp udp;
    return may_be_udp(pkt, len) && ether_ip_udp(pkt, len, &udp) == 0 &&
           link_is_datagram(pkt + udp.off, len - udp.off);
}

bool ether_frame_is_link(const struct frame *f)
{
    uint8_t room[LOOK_MAX];
    struct ether_net net;
    size_t len = 0;
    const uint8_t *head = frame_head(f, room, sizeof(room), &len);
    return ether_walk(head, len, &net) == 0 &&
           (net.type == ETHER_TYPE_IPV4 || net.type == ETHER_TYPE_IPV6) &&
           ether_ip_is_link(head + net.off, len - net.off);
}

int ether_from_ip(const uint8_t *pkt, size_t len, uint8_t ret_hdr[ETHER_HDR_LEN])
{
    uint8_t version = len > 0 ? pkt[0] >> 4 : 0;
    if (version != 4 && version != 6) {
        return -EPROTONOSUPPORT;
    }
    struct wr w = wr_make(ret_hdr, ETHER_HDR_LEN);
    wr_zero(&w, 12);
    wr_u16(&w, version == 4 ? ETHER_TYPE_IPV4 : ETHER_TYPE_IPV6);
    return 0;
}

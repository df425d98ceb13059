/* SPDX-License-Identifier: Apache-2.0
 *
 * The IP packet in a captured frame, as a meter counts it: found behind the headers of any of
 * several link types, VLAN tags, MPLS labels and PPPoE, with the fields that flows are made of: the
 * outermost packet, or the innermost one inside tunnels (proto/tunnel.h). proto/inner.h walks to
 * the innermost headers for those who ask less of them.
 *
 * Pure functions over bytes that may be cut anywhere and are checked: what cannot be read is not
 * guessed. A packet is no longer than its header says, so that Ethernet's padding does not count.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/tunnel.h"

enum {
    PACKET_VLANS = 4,   /* tags that are looked at; behind more is no packet */
    PACKET_LABELS = 10, /* MPLS labels that are kept; more are passed over */
    PACKET_TUNNELS = 4, /* that a meter enters */
};

/* Link types, by the registry of pcap and pcapng. */
enum packet_link {
    PACKET_NULL = 0, /* BSD loopback, the address family in the byte order of whoever captured */
    PACKET_ETHERNET = 1,
    PACKET_PPP = 9,
    PACKET_RAW_BSD = 12, /* DLT_RAW, as some systems wrote it into files */
    PACKET_RAW_OPENBSD = 14,
    PACKET_PPP_HDLC = 50,
    PACKET_PPPOE = 51,
    PACKET_RAW = 101,
    PACKET_HDLC = 104, /* Cisco's */
    PACKET_LOOP = 108, /* as NULL, in network byte order */
    PACKET_SLL = 113,
    PACKET_IPV4 = 228,
    PACKET_IPV6 = 229,
    PACKET_NFLOG = 239,
    PACKET_SLL2 = 276,
};

struct packet {
    uint8_t version; /* 4 or 6 */
    uint8_t proto;   /* behind IPv6's extension headers */
    uint8_t tos, ttl;
    uint8_t tcp_flags;      /* RFC 9293, section 3.1; 0: another protocol, or cut off */
    bool fragment;          /* it is a part of a packet, … */
    bool later;             /* … and not the first, which alone has the ports */
    uint32_t ident;         /* of a fragment */
    uint32_t flow_label;    /* of IPv6 */
    uint32_t bytes;         /* IP header included, as it says; of the frame where it says nothing */
    const uint8_t *addr[2]; /* source, destination: 4 or 16 bytes inside the frame */
    uint16_t port[2];       /* TCP, UDP, UDP-Lite, DCCP, SCTP; ICMP: {0, type * 256 + code} */
    uint16_t vlan[PACKET_VLANS]; /* tag control information, the outermost first */
    uint8_t vlans, labels;
    uint32_t label[PACKET_LABELS]; /* the upper 24 bits of each entry (RFC 3032, section 2.1) */
    const uint8_t *mac[2];         /* destination, source, 6 bytes each; NULL: there are none */
};

bool packet_knows_link(uint16_t linktype);
/* All that are known, *ret_n of them. */
const uint16_t *packet_links(size_t *ret_n);

/* `len` bytes were captured of a frame that had `origlen`. 0; -ENOMSG: it has no IP packet;
 * -EBADMSG: one whose header is broken or cut; -ENOTSUP: unknown link type. */
int packet_read(uint16_t linktype, const uint8_t *data, size_t len, size_t origlen,
                struct packet *ret);

/* The tunnel in which a packet is, and the packet around it. */
struct packet_tunnel {
    enum tunnel_kind kind;
    uint8_t depth;          /* tunnels that were entered: this is the last of them */
    uint32_t id;            /* 0 where the kind has none */
    uint8_t version;        /* 4 or 6 */
    const uint8_t *addr[2]; /* source, destination: 4 or 16 bytes inside the frame */
};

/* The same of the innermost packet, at most `deepest` tunnels deep, and the tunnel in which it is;
 * TUNNEL_NONE: in none. What no packet can be read in (another protocol, a header that is
 * broken or cut, a fragment, which alone has no whole packet, a further tunnel) is the payload of
 * the packet around it, which is then the innermost. VLAN tags are those of all layers, the
 * outermost first; MPLS labels and MAC addresses those of the outermost. */
int packet_read_inner(uint16_t linktype, const uint8_t *data, size_t len, size_t origlen,
                      unsigned deepest, struct packet *ret, struct packet_tunnel *ret_tunnel);

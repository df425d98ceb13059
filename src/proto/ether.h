/* SPDX-License-Identifier: Apache-2.0
 *
 * The few questions that farspan itself asks of a frame: where its network header begins behind
 * Ethernet and VLAN tags, whether it is UDP, whether it belongs to one given UDP flow, and whether
 * it is a datagram of some farspan link. The tap asks one of the last two questions of every frame
 * that it captures, after the kernel's filter has done the same, because a tap that carries what
 * taps send feeds itself until the link is full.
 *
 * Pure functions over a frame's bytes. Each walk is one pass with a cursor that stops by itself at
 * the frame's end. A frame may be cut anywhere: missing bytes are not guessed.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/batch.h"

struct rd;
struct sockaddr;

enum {
    ETHER_HDR_LEN = 14,
    ETHER_TAG_LEN = 4,
    ETHER_TAGS_MAX = 4,
    ETHER_EXT_MAX = 16, /* IPv6 extension headers that are walked */

    ETHER_FRAG6_MORE = 0x0001, /* of a fragment header's second word */
    ETHER_FRAG6_OFFSET = 0xfff8,

    ETHER_TYPE_IPV4 = 0x0800,
    ETHER_TYPE_IPV6 = 0x86dd,
    ETHER_TYPE_8021Q = 0x8100,
    ETHER_TYPE_8021AD = 0x88a8,
    ETHER_TYPE_QINQ_OLD = 0x9100,
};

static inline bool ether_is_tag(uint16_t type)
{
    return type == ETHER_TYPE_8021Q || type == ETHER_TYPE_8021AD || type == ETHER_TYPE_QINQ_OLD;
}

struct ether_net {
    uint16_t type;                /* EtherType behind the tags, or an 802.3 length below 0x600 */
    uint16_t tci[ETHER_TAGS_MAX]; /* tag control information, the outermost tag first */
    uint8_t tags;
    size_t off; /* of the network header; <= the frame's length */
};

/* Walks Ethernet and up to ETHER_TAGS_MAX VLAN tags. A further tag is left in place: its own type
 * is then the result's type. -ENODATA when the frame ends before that. */
int ether_walk(const uint8_t *data, size_t len, struct ether_net *ret);

/* Do two ports begin the header of that IP protocol? */
bool ether_has_ports(uint8_t proto);
/* Is it the number of an IPv6 extension header that is walked? */
bool ether_is_extension(uint8_t next);
/* Walks one extension header of the kind *next (RFC 8200, section 4) and makes *next the number
 * behind it. Gives the fragment field of a fragment header, else 0. A header that is cut short
 * leaves the cursor bad. */
uint16_t ether_skip_extension(struct rd *r, uint8_t *next);

struct ether_udp {
    uint8_t family;         /* AF_INET, AF_INET6 */
    const uint8_t *addr[2]; /* source, destination; 4 or 16 bytes each, inside the packet */
    uint16_t port[2];
    size_t off; /* of the UDP payload, from where the packet began */
};

/* Walks IPv4 with options (RFC 791) or IPv6 with extension headers (RFC 8200) to the UDP header.
 * `pkt` begins with the IP header. -ENODATA: cut short; -ENOMSG: something else than UDP, or a
 * fragment without the UDP header. */
int ether_ip_udp(const uint8_t *pkt, size_t len, struct ether_udp *ret);

struct ether_flow {
    uint8_t family;      /* AF_INET, AF_INET6 */
    uint8_t addr[2][16]; /* network order; 4 or 16 bytes count */
    uint16_t port[2];    /* host order */
};

/* Makes a flow of a socket's two addresses. IPv4 addresses mapped into IPv6 (what a dual-stack
 * socket shows) become IPv4, because that is what is on the wire. -EAFNOSUPPORT for other families
 * or two different ones. */
int ether_flow_make(const struct sockaddr *a, const struct sockaddr *b, struct ether_flow *ret);

/* Is this IP packet a datagram of the flow, in either direction? */
bool ether_ip_is_flow(const uint8_t *pkt, size_t len, const struct ether_flow *flow);
/* The same of an Ethernet frame. */
bool ether_is_flow(const uint8_t *data, size_t len, const struct ether_flow *flow);
/* The same of a captured frame, inserted bytes included; copies only frames that have some. */
bool ether_frame_is_flow(const struct frame *f, const struct ether_flow *flow);

/* Is this IP packet a datagram of a farspan link, whoever's (link_is_datagram)? */
bool ether_ip_is_link(const uint8_t *pkt, size_t len);
/* The same of a captured frame. */
bool ether_frame_is_link(const struct frame *f);

/* Makes the Ethernet header (zero addresses) that a raw IP packet lacks, from the packet's version.
 * -EPROTONOSUPPORT when it is neither IPv4 nor IPv6. */
int ether_from_ip(const uint8_t *pkt, size_t len, uint8_t ret_hdr[ETHER_HDR_LEN]);

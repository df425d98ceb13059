/* SPDX-License-Identifier: Apache-2.0
 *
 * The headers of a frame down to the innermost ones: behind VLAN tags, IPv4 and IPv6 with their
 * options and extensions, and inside VXLAN, Geneve, GRE, ERSPAN and IP in IP. From them come the
 * place behind all headers, the flow that a frame belongs to, and the frame that a tunnel carries.
 * The few questions that farspan asks on its own account are those of proto/ether.h.
 *
 * Pure functions over a frame's bytes, which may be cut anywhere, are checked, and never make one
 * fail: where the bytes end or make no sense, less is understood. A packet is no longer than its IP
 * header says, so that Ethernet's padding is not taken for a header; a length of 0 (a super-packet,
 * big TCP) says nothing.
 *
 * A fragment's flow is made of its addresses alone, also that of the first one, so that all
 * fragments have the same. No fragment alone has the frame that a tunnel carries: in one, tunnels
 * are not entered.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/batch.h"

enum {
    INNER_LEVELS = 5,    /* IP headers that are walked: four tunnels deep */
    INNER_KEY_MAX = 38,  /* bytes of a flow's key */
    INNER_SCRATCH = 512, /* bytes that are looked at of a frame that is not in one piece */
};

struct inner {
    /* Bytes up to the end of the innermost transport header (TCP with options, UDP, SCTP, DCCP,
     * ICMP, ESP), of ARP, or as far as was understood. Where the frame ends within a header, all of
     * it. A walk of these bytes alone finds the same. */
    uint32_t headers;
    uint8_t family;         /* of the innermost IP header: AF_INET, AF_INET6; 0: none was reached */
    uint8_t proto;          /* IP protocol of what follows it and its extensions */
    bool fragment;          /* it is part of a packet: there are no ports */
    const uint8_t *addr[2]; /* its source, destination: 4 or 16 bytes inside the frame */
    uint16_t port[2];       /* the same order, in the host's; 0 where there are none */
    const uint8_t *mac[2]; /* innermost Ethernet header's destination, source; NULL: none reached */
};

/* The bytes of a captured frame that are looked at: all, in place, or where something is inserted
 * (a VLAN tag, an Ethernet header) the first INNER_SCRATCH as they were on the wire. */
static inline const uint8_t *inner_bytes(const struct frame *f, uint8_t scratch[INNER_SCRATCH],
                                         size_t *ret_len)
{
    return frame_head(f, scratch, INNER_SCRATCH, ret_len);
}

/* Walks a frame of any length, of which 0 is one. */
void inner_walk(const uint8_t *frame, size_t len, struct inner *ret);

/* The key of the frame's flow, the same for both directions: addresses, protocol and ports of the
 * innermost IP header, of a fragment the addresses alone, without IP the two MAC addresses. Returns
 * its length, 2 to INNER_KEY_MAX. */
size_t inner_key(const struct inner *in, uint8_t ret[INNER_KEY_MAX]);

enum inner_tunnel {
    INNER_VLAN,
    INNER_VXLAN,  /* UDP ports 4789 and, Linux's own, 8472 */
    INNER_GRE,    /* with Ethernet, IPv4 or IPv6 inside */
    INNER_ERSPAN, /* types I to III */
};

/* A frame without its tunnel: the bytes [off, end) of the frame, less where there are less, with
 * ins_len bytes put in at ins_off. These are the Ethernet header of an IP packet, with the
 * addresses of the Ethernet header around the tunnel; or the addresses, before what is behind VLAN
 * tags; or the VLAN tag that the switch took off, which an ERSPAN header has. */
struct inner_strip {
    uint32_t off; /* <= the frame's length */
    uint32_t end; /* > off; beyond it is Ethernet's padding. UINT32_MAX: the lengths do not tell */
    uint16_t ins_off;
    uint8_t ins_len;
    uint8_t ins[FRAME_INS_MAX];
};

/* Takes off the outermost tunnel of that kind with all that is before it, or the outermost Ethernet
 * header's VLAN tags (ETHER_TAGS_MAX of them). -ENOENT: the frame has none, or not the whole
 * Ethernet or IP header inside it, or the tunnel's packet is fragmented. */
int inner_strip(const uint8_t *frame, size_t len, enum inner_tunnel kind, struct inner_strip *ret);

/* The same of a captured frame that is no super-packet (it is behind cut), in place: no byte is
 * copied but those to be inserted. -ENOENT: as above; *f is then as it was. */
int inner_strip_frame(struct frame *f, enum inner_tunnel kind);

/* SPDX-License-Identifier: Apache-2.0
 *
 * The headers of tunnels: what stands between an IP packet and the frame or packet that it carries,
 * for those who walk into it (inner.h, packet.h). decap.h takes frames out for good, with what
 * their senders get wrong.
 *
 * Pure functions at a cursor, which moves behind the headers that were understood and turns bad
 * where the bytes end before.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

/* A kind with an identifier is another than the same without: none is not 0. */
enum tunnel_kind {
    TUNNEL_NONE,
    TUNNEL_GRE,        /* an IP packet in GRE (RFC 2784) … */
    TUNNEL_GRE_KEY,    /* … with a key (RFC 2890) */
    TUNNEL_GRETAP,     /* a frame in GRE … */
    TUNNEL_GRETAP_KEY, /* … with a key; NVGRE (RFC 7637) is one */
    TUNNEL_ERSPAN1,    /* draft-foschiano-erspan-03: type I, without a session, … */
    TUNNEL_ERSPAN,     /* … II and III */
    TUNNEL_IP,         /* IPv4 or IPv6 in either (RFC 2003, RFC 2473, RFC 4213) */
    TUNNEL_VXLAN,      /* RFC 7348 */
    TUNNEL_GPE,        /* VXLAN-GPE, draft-ietf-nvo3-vxlan-gpe-13 */
    TUNNEL_GENEVE,     /* RFC 8926 */
    TUNNEL_GTPU,       /* 3GPP TS 29.281 */
    TUNNEL_KINDS
};

enum {
    TUNNEL_ETHERNET = 0x6558, /* the type of a frame (transparent Ethernet bridging) */
};

struct tunnel {
    enum tunnel_kind kind; /* TUNNEL_NONE: no header that is known */
    uint32_t id;           /* VNI, key, session, TEID; 0 where the kind has none */
    uint16_t type;         /* EtherType of what is inside; 0: it does not tell */
    bool tagged;           /* ERSPAN: a VLAN tag was taken off the frame, … */
    uint16_t tag;          /* … with this control information */
};

/* "vxlan"; kinds that differ in an identifier alone have the same. */
const char *tunnel_name(enum tunnel_kind kind);
bool tunnel_has_id(enum tunnel_kind kind);

/* Behind an IP header: IP in IP, GRE and what is in that. */
void tunnel_in_ip(struct rd *r, uint8_t proto, struct tunnel *ret);
/* Behind a UDP header: by the destination's port. */
void tunnel_in_udp(struct rd *r, uint16_t port, struct tunnel *ret);
/* The kind that belongs to a port. */
enum tunnel_kind tunnel_of_port(uint16_t port);

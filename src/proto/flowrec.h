/* SPDX-License-Identifier: Apache-2.0
 *
 * A flow record, as all forms of it (flowcsv.h, flowtext.h) are made of it: one direction of a
 * flow, or what was seen of it since the record before; or both directions in one, a biflow (RFC
 * 5103), to those that ask for it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/tunnel.h"

enum {
    FLOWREC_VLANS = 4,
};

/* biflowDirection (RFC 5103, section 6.3). */
enum flowrec_biflow {
    FLOWREC_ONE_WAY = 0,   /* it is no biflow */
    FLOWREC_INITIATOR = 1, /* the source began */
    FLOWREC_RESPONDER = 2, /* the destination began, and nothing was seen of what it sent */
};

/* The other direction's figures. */
struct flowrec_reverse {
    uint64_t packets, bytes; /* 0: there was nothing, and the rest is 0 */
    int64_t first_ns, last_ns;
    uint8_t tos, tcp_flags;
};

struct flowrec {
    int64_t first_ns, last_ns;    /* of its packets; struct wall, >= 0 */
    uint64_t packets, bytes;      /* bytes of IP packets, headers included */
    uint8_t addr[2][16];          /* source, destination; IPv4: 4 bytes, then zeros */
    uint16_t port[2];             /* the same order; ICMP: {0, type * 256 + code} */
    uint16_t vlan[FLOWREC_VLANS]; /* identifiers, the outermost first */
    uint8_t vlans;
    uint8_t version; /* 4 or 6 */
    uint8_t proto, tos, tcp_flags;
    uint8_t end_reason; /* flowEndReason (RFC 5102, section 5.11.3) */
    enum flowrec_biflow biflow;
    struct flowrec_reverse reverse; /* of a biflow */
    enum tunnel_kind tunnel;        /* in which it was seen */
    uint32_t tunnel_id;             /* 0 where the kind has none */
    /* Of the first packet, in either direction. */
    uint8_t outer_version; /* of the addresses around the tunnel; 0: unknown, or in none */
    uint8_t outer[2][16];  /* source, destination; IPv4: 4 bytes, then zeros */
    bool has_mac, has_label;
    uint8_t mac[2][6];  /* source, destination */
    uint32_t label;     /* the upper 24 bits of the outermost MPLS label's entry */
    uint32_t interface; /* the number of the interface on which it was seen, from 1 on */
    const char *point;  /* the name of the interface on which it was seen, printable ASCII
                         * (base/text.h); NULL: unknown */
};

/* Is it ICMP, or ICMPv6 over IPv6, whose type and code stand in place of the destination's port? */
static inline bool flowrec_is_icmp(const struct flowrec *r)
{
    return r->proto == (r->version == 4 ? 1 : 58);
}

/* A record of both directions as records of one direction each, the source's first; one of a single
 * direction stays as it is. Those without packets are left out. Returns how many there are. */
unsigned flowrec_split(const struct flowrec *both, struct flowrec ret[2]);

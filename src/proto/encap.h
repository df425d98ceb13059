/* SPDX-License-Identifier: Apache-2.0
 *
 * The headers before an Ethernet frame that is carried in IP, behind the IP header: VXLAN
 * (RFC 7348) with its UDP header, GRE (RFC 2784, RFC 2890) and ERSPAN types II and III
 * (draft-foschiano-erspan-03, sections 4.2 and 4.3). Pure functions.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    ENCAP_HEAD_MAX = 20,
    ENCAP_VXLAN_PORT = 4789,
    ENCAP_VNI_MAX = (1 << 24) - 1,
    ENCAP_SESSION_MAX = 1023, /* of ERSPAN */
    ENCAP_PORT_FIRST = 49152, /* source ports of VXLAN: 16384 from here on (RFC 7348, section 5) */
};

enum encap_kind {
    ENCAP_VXLAN,
    ENCAP_GRE,
    ENCAP_ERSPAN,  /* type II */
    ENCAP_ERSPAN3, /* type III, without a sub-header */
};

/* A tunnel. */
struct encap {
    enum encap_kind kind;
    uint32_t id;   /* VXLAN: the VNI; GRE: the key; ERSPAN: the session */
    bool has_key;  /* GRE */
    uint16_t port; /* VXLAN: of the other end */
};

/* A frame that is about to be carried. */
struct encap_frame {
    uint32_t len;       /* bytes that are carried */
    bool cut;           /* they are not the whole frame */
    bool tagged;        /* its outermost header is a VLAN tag … */
    uint16_t tci;       /* … with this content */
    uint16_t flow;      /* any number that is the same for all frames of a flow */
    uint32_t seq, port; /* ERSPAN: frames before it, from 0; type II: the observation point */
    int64_t ts_ns;      /* ERSPAN III: of the capture, since 1970; which says 100 ns of it, … */
    bool out;           /* … and whether the frame went out of its interface */
};

/* The IP protocol of the tunnel. */
uint8_t encap_protocol(enum encap_kind kind);
/* The bytes of encap_write(), at most ENCAP_HEAD_MAX. */
size_t encap_len(const struct encap *e);
/* Writes them. The checksum of VXLAN's UDP header is left as 0, which says that there is none. */
void encap_write(const struct encap *e, const struct encap_frame *f, uint8_t ret[ENCAP_HEAD_MAX]);

/* SPDX-License-Identifier: Apache-2.0
 *
 * Keeps what taps send out of the tap: the datagrams of every farspan link, or, where those are to
 * be taken, exactly the flow of the tap's own socket. The kernel's filter (proto/bpfsel.h) does the
 * same and cheaper, but does not look behind IPv6 extension headers and more than two VLAN tags.
 * And all frames of an interface that gives what was sent, wrapped (model/amplify.h).
 */
#pragma once

#include "data/stage.h"
#include "proto/ether.h"

/* The stage's configuration (pipeline_set); zeros at first. */
struct tunnel_conf {
    bool has_flow;
    struct ether_flow flow; /* the tap's own */
    bool drop;              /* no frame is carried */
    uint32_t long_from;     /* frames of so many bytes on the wire, or more, count as long */
};

/* The bytes of all long frames so far. */
uint64_t tunnel_stage_long(const struct stage *s);

/* SPDX-License-Identifier: Apache-2.0
 *
 * Keeps what taps send out of the tap: the datagrams of every farspan link, or, where those are to
 * be taken, exactly the flow of the tap's own socket. The kernel's filter (proto/bpfsel.h) does the
 * same and cheaper, but does not look behind IPv6 extension headers and more than two VLAN tags.
 * And all frames of an interface that gives what was sent, wrapped (model/amplify.h).
 */
#pragma once

#include "base/ledger.h"
#include "data/stage.h"

struct ether_flow;

/* `take_links`: others' links are carried. The ledger (SELECT) must outlive the stage. -ENOMEM. */
int tunnel_stage_new(bool take_links, struct ledger *ledger, struct stage **ret);
/* The tap's own flow; NULL: none. Copied. */
void tunnel_stage_set(struct stage *s, const struct ether_flow *flow);
/* No frame is carried from now on, or each is again. */
void tunnel_stage_drop(struct stage *s, bool drop);
/* The bytes on the wire of all frames so far that had `from` of them or more; and from now on
 * another number counts. */
uint64_t tunnel_stage_long(struct stage *s, uint32_t from);

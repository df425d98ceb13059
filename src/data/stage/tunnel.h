/* SPDX-License-Identifier: Apache-2.0
 *
 * Keeps the tap's own datagrams out of the tap: exactly the flow of its socket, so that other
 * traffic with the collector's host is still seen. The kernel's filter (proto/bpfsel.h) does the
 * same and cheaper, but does not look behind IPv6 extension headers and more than two VLAN tags.
 */
#pragma once

#include "data/pipeline.h"

struct ether_flow;

/* The ledger (SELECT) must outlive the stage. -ENOMEM. */
int tunnel_stage_new(struct ledger *ledger, struct stage **ret);
/* The flow that is not carried; NULL: none. Copied. */
void tunnel_stage_set(struct stage *s, const struct ether_flow *flow);

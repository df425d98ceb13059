/* SPDX-License-Identifier: Apache-2.0
 *
 * The edges of a meter's interfaces (node/interface_edges.h): each is an observation point of its
 * flow table.
 */
#pragma once

#include "data/sink.h"
#include "node/interface_edges.h"

/* All is borrowed. */
struct meter_edges {
    struct interface_edges common; /* first */
    struct sink *meter;
    const struct stage_list *stages; /* that frames pass */
};

/* The rest is set, or is before interfaces_start; interface_edges_done ends it. */
void meter_edges_init(struct meter_edges *e, const struct selection *select);
/* A capture may have ended: interfaces that are forgotten go. */
void meter_edges_look(struct meter_edges *e);
/* The counts of one, from the ring to the flows. */
void meter_edges_counts(const struct meter_edges *e, const struct interface *i, struct ledger *ret);

/* SPDX-License-Identifier: Apache-2.0
 *
 * The edges of a tap's interfaces (node/interface_edges.h), with its captures and the dialer, for
 * node/tap.c, which assembles the tap.
 */
#pragma once

#include "data/link/dial/dialer.h"
#include "data/link/send/tx.h"
#include "node/interface_edges.h"

/* All is borrowed. */
struct tap_edges {
    struct interface_edges common; /* first */
    struct dialer *dialer;
    struct link_tx_shared shared; /* among the captures */
    uint64_t seed;                /* of the captures' experiments */
};

/* The rest is set, or is before interfaces_start; interface_edges_done ends it, after the dialer,
 * which the captures serve. */
void tap_edges_init(struct tap_edges *e, const struct selection *select);

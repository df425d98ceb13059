/* SPDX-License-Identifier: Apache-2.0
 *
 * The edges of a tap's interfaces: what they need of the broker, of captures and of the dialer, for
 * node/tap.c, which assembles the tap, and the socket on which the kernel tells of them.
 */
#pragma once

#include "data/link/dial/dialer.h"
#include "data/link/send/tx.h"
#include "node/interfaces.h"
#include "node/teller.h"
#include "sys/broker.h"
#include "sys/loop.h"

/* All is borrowed, but what the comments say. */
struct tap_edges {
    const struct selection *select;
    struct loop *loop;
    struct broker *broker;
    const struct teller *teller;
    const struct wake *wake; /* signalled by captures */
    struct dialer *dialer;
    struct link_tx_shared shared; /* among the captures */
    uint64_t seed;                /* of the captures' experiments */
    struct history *history;
    struct interfaces interfaces; /* owned, by tap_edges_init and _done */
    int watch;                    /* owned; -1: none */
    struct loop_fd *watch_event;  /* owned */
};

/* The rest is set, or is before interfaces_start. */
void tap_edges_init(struct tap_edges *e, const struct selection *select);
/* Ends the captures; the dialer, which they serve, has ended. */
void tap_edges_done(struct tap_edges *e);

/* Into the history, and told. */
void tap_edges_event(const struct tap_edges *e, enum history_kind kind, const char *subject,
                     const char *words);
/* Reads what the kernel has told, and hands it on. */
void tap_edges_read(struct tap_edges *e);

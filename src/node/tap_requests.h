/* SPDX-License-Identifier: Apache-2.0
 *
 * A tap's requests to its broker, both ends: the closed table, which the privileged process serves,
 * and the functions by which the engine asks (node/tap.c does). What each request may open was
 * decided by the user's options before the split: those are the grants.
 */
#pragma once

#include "data/link/dial/dialer.h"
#include "node/interface_requests.h"
#include "node/reload_grant.h"

enum tap_request {
    TAP_CONNECT = INTERFACE_REQUESTS, /* u8: an enum dialer_where; gives a UDP socket that is
                                       * connected to the collector */
    TAP_RELOAD, /* gives the configuration file as it is now (node/reload_grant.h) */
    TAP_REQUESTS,
};

/* The ctx of the table's handlers. */
struct tap_grants {
    struct interface_grants interfaces; /* first: the ctx of those requests too */
    const struct host_port *collector;
    const char *user;           /* whom the child that looks names up runs as */
    struct reload_grant reload; /* from then on `interfaces.select` is as the file says */
    struct udp_addr found;      /* where the collector was last */
};

extern const struct broker_request tap_requests[TAP_REQUESTS];

/* ---- in the engine; as broker_call ---- */

int tap_request_connect(struct broker *b, enum dialer_where where, int *ret_fd, struct error *err);
reload_request tap_request_reload;

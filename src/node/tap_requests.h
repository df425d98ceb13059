/* SPDX-License-Identifier: Apache-2.0
 *
 * A tap's requests to its broker, both ends: the closed table, which the privileged process serves,
 * and the functions by which the engine asks (node/tap.c does). What each request may open was
 * decided by the user's options before the split: those are the grants.
 */
#pragma once

#include "data/link/dial/dialer.h"
#include "node/reload_grant.h"
#include "node/selection.h"
#include "sys/broker.h"
#include "sys/ring_list.h"

enum tap_request {
    TAP_OPEN_RING, /* an interface's name, 16 bytes; gives its ring, and struct tapped */
    TAP_CONNECT,   /* u8: an enum dialer_where; gives a UDP socket that is connected to the
                    * collector */
    TAP_WATCH,     /* gives a socket that hears of the interfaces (sys/ifwatch.h) */
    TAP_NETNS,     /* gives u64: which namespace that of --netns is now, 0: it is gone */
    TAP_OWN,       /* u32: an interface's index; gives u8: 1: it is a collector's device */
    TAP_RELOAD,    /* gives the configuration file as it is now (node/reload_grant.h) */
    TAP_REQUESTS,
};

/* The ctx of the table's handlers. */
struct tap_grants {
    const struct selection *select;
    const struct host_port *collector;
    const char *user;           /* whom the child that looks names up runs as */
    struct netns *netns;        /* of the interfaces; NULL: this one */
    struct ring_list rings;     /* that were handed out */
    struct reload_grant reload; /* from then on `select` is as the file says */
    struct udp_addr found;      /* where the collector was last */
};

extern const struct broker_request tap_requests[TAP_REQUESTS];

/* ---- in the engine; as broker_call ---- */

int tap_request_ring(struct broker *b, const char *name, struct tapped *ret, int *ret_fd,
                     struct error *err);
int tap_request_connect(struct broker *b, enum dialer_where where, int *ret_fd, struct error *err);
int tap_request_watch(struct broker *b, int *ret_fd, struct error *err);
int tap_request_netns(struct broker *b, uint64_t *ret);
reload_request tap_request_reload;
/* Also false when the broker cannot tell. */
bool tap_request_own(struct broker *b, int index);

/* Decoder of what TAP_OPEN_RING gives. -EBADMSG. */
int tapped_decode(const uint8_t *data, size_t len, struct tapped *ret);

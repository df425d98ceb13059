/* SPDX-License-Identifier: Apache-2.0
 *
 * The requests about interfaces to a broker, both ends, which a tap (node/tap_requests.h) and a
 * meter (node/meter_requests.h) have at the beginning of their tables: their numbers are the same
 * in both. What each may open was decided by the user's selection before the split.
 */
#pragma once

#include "node/selection.h"
#include "sys/broker.h"
#include "sys/ring_list.h"

enum interface_request {
    INTERFACE_OPEN_RING, /* an interface's name, 16 bytes; gives its ring, and struct tapped */
    INTERFACE_WATCH,     /* gives a socket that hears of the interfaces (sys/ifwatch.h) */
    INTERFACE_NETNS,     /* gives u64: which namespace that of --netns is now, 0: it is gone */
    INTERFACE_OWN,       /* u32: an interface's index; gives u8: 1: it is a collector's device */
    INTERFACE_REQUESTS,
};

enum {
    INTERFACE_NAME_LEN = 16,
};

/* The ctx of the handlers is a structure that begins with this one. */
struct interface_grants {
    const struct selection *select;
    struct netns *netns;    /* of the interfaces; NULL: this one */
    struct ring_list rings; /* that were handed out */
};

int interface_serve_ring(void *ctx, const void *args, size_t len, struct broker_reply *reply);
int interface_serve_watch(void *ctx, const void *args, size_t len, struct broker_reply *reply);
int interface_serve_netns(void *ctx, const void *args, size_t len, struct broker_reply *reply);
int interface_serve_own(void *ctx, const void *args, size_t len, struct broker_reply *reply);

/* The rows of a table of requests. */
#define INTERFACE_REQUEST_ROWS                                                                     \
    [INTERFACE_OPEN_RING] = {"open the ring", interface_serve_ring, INTERFACE_NAME_LEN,            \
                             INTERFACE_NAME_LEN},                                                  \
    [INTERFACE_WATCH] = {"watch the interfaces", interface_serve_watch, 0, 0},                     \
    [INTERFACE_NETNS] = {"look for the namespace", interface_serve_netns, 0, 0},                   \
    [INTERFACE_OWN] = {"look for a collector's device", interface_serve_own, 4, 4}

/* Before the split, with privileges: checks and compiles what is selected, in its namespace, of
 * which a handle goes into the grants. -errno with a sentence; the handle is still to be freed. */
int interface_grants_prepare(struct selection *s, struct interface_grants *ret, struct error *err);

/* ---- in the engine; as broker_call ---- */

int interface_request_ring(struct broker *b, const char *name, struct tapped *ret, int *ret_fd,
                           struct error *err);
int interface_request_watch(struct broker *b, int *ret_fd, struct error *err);
int interface_request_netns(struct broker *b, uint64_t *ret);
/* Also false when the broker cannot tell. */
bool interface_request_own(struct broker *b, int index);

/* Decoder of what INTERFACE_OPEN_RING gives. -EBADMSG. */
int tapped_decode(const uint8_t *data, size_t len, struct tapped *ret);

/* SPDX-License-Identifier: Apache-2.0
 *
 * A port: frames out of an existing interface, raw, as a SPAN port gives them. Nothing is cut, sent
 * in part or fragmented; what does not go out is counted by its reason.
 *
 * An interface without carrier takes frames and loses them, and says nothing. So whoever watches
 * the interface tells the sink how it is (port_sink_tell), and gives it a new socket when the name
 * is another interface's (port_sink_renew).
 */
#pragma once

#include <net/if.h>

#include "data/sink.h"

struct netif;

enum port_state {
    PORT_UP,
    PORT_NO_CARRIER,
    PORT_DOWN,
    PORT_GONE, /* there is no interface of that name, or no socket for it yet */
};

/* A port as -o names it. */
struct port_wish {
    char name[IFNAMSIZ];
    bool force; /* also an interface with an address */
};

/* `fd`: of txring_open() (sys/txring.h), taken, also on failure. 0 or -errno with a sentence. */
int port_sink_new(const struct port_wish *w, int fd, struct sink **ret, struct error *err);

/* The functions below are for one thread beside the sink's own. */

/* The state of the interface from now on; mtu 0: unknown. */
void port_sink_tell(struct sink *s, enum port_state state, uint32_t mtu);
/* Frames leave by this socket from now on, which is taken, also on failure. */
int port_sink_renew(struct sink *s, int fd, struct error *err);
/* The index of the interface that its first socket was bound to. */
int port_sink_ifindex(const struct sink *s);
/* The wish that it was made by. */
const struct port_wish *port_sink_wish(const struct sink *s);
/* Whether the interface may be a port: it is there, Ethernet, and, but for `force`, without an
 * address that others reach it by. */
int port_check(const struct port_wish *w, struct netif *ret, struct error *err);

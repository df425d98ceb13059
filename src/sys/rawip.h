/* SPDX-License-Identifier: Apache-2.0
 *
 * Packets of one IP protocol to one address: a raw socket, connected, whose packets are
 * fragmented only if that is asked for. The kernel makes the IP header and finds the way.
 *
 * Two halves, for two processes, as in sys/ring.h: rawip_open() needs CAP_NET_RAW, sending needs
 * nothing. The socket receives nothing, and sends to the address that it was connected to, as long
 * as a call names no other: see enum sandbox_sends.
 */
#pragma once

#include <stdbool.h>
#include <sys/uio.h>

#include "base/error.h"
#include "sys/udp.h"

/* Privileged. The kernel is made to look for the neighbour at once (sys/neigh.h). For UDP over IPv6
 * the kernel fills the checksum in; a port in `to` means nothing. `fragment`: what is longer than
 * the path takes leaves in fragments, which may be divided further; what is not has DF set, as all
 * packets have without it. */
int rawip_open(const struct udp_addr *to, uint8_t protocol, bool fragment, int *ret_fd,
               struct error *err);

/* Sends what follows the IP header, waiting for room for a second at most. 0; -EMSGSIZE: longer
 * than the path takes, this packet or, with `fragment`, an earlier one; -EAGAIN: no room in that
 * time; else the kernel's error, which concerns this packet or is the answer to an earlier one. */
int rawip_send(int fd, const struct iovec *parts, int n);

/* Whether its packets are IPv6. */
bool rawip_is_six(int fd);
/* The largest IP packet that the path takes, as far as is known, or -errno. `six`: of IPv6. */
int rawip_path_mtu(int fd, bool six);

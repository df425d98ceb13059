/* SPDX-License-Identifier: Apache-2.0
 *
 * The neighbour by which packets to an address leave. The kernel looks for its link-layer address
 * when there is a packet to send, keeps some packets meanwhile and drops others. Asked early, it
 * knows the address when the first packet comes.
 */
#pragma once

#include <stdint.h>

#include "sys/udp.h"

/* Privileged. Has the kernel look for the neighbour now, if there is one on the way there; returns
 * at once. `mark`: of the packets that will be sent (SO_MARK). 0; -ENETUNREACH: there is no way; or
 * the kernel's -errno. */
int neigh_look(const struct udp_addr *to, uint32_t mark);

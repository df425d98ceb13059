/* SPDX-License-Identifier: Apache-2.0
 *
 * The messages of sys/broker_msg.h over a socket, for sys/broker.h and sys/broker_server.h. Neither
 * function waits.
 */
#pragma once

#include <sys/types.h>

#include "sys/broker_table.h"

/* One message and at most one descriptor (close-on-exec, the caller's; -1: none), or -errno; 0 at
 * the other's end. */
ssize_t broker_receive(int sock, void *buf, size_t cap, int *ret_fd);

/* Sends the reply, and closes its descriptor. With a negative result only the sentence goes. A
 * reply that there is no room for is lost: the engine's deadline says so. */
void broker_send_reply(int sock, uint32_t seq, int result, struct broker_reply *reply);

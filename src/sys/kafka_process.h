/* SPDX-License-Identifier: Apache-2.0
 *
 * The process of sys/kafka.h, from the fork on.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "sys/kafka_wire.h"
#include "sys/sandbox.h"

/* In the child: runs to its end. `properties` is text of `len` bytes and a zero, and is wiped;
 * NULL: none. `fd` is its end of the socket, and `parent` the process that it does not outlive. */
_Noreturn void kafka_process(const struct kafka_conf *conf, const struct sandbox_conf *child,
                             char *properties, size_t len, int fd, pid_t parent);

/* For the fuzz target and its tests: the number of whole messages in a packet of the engine's,
 * which each() gets one after the other; -1: it is none that an engine writes. */
int kafka_messages(const uint8_t *packet, size_t len,
                   void (*each)(void *user, const uint8_t *key, size_t key_len,
                                const uint8_t *value, size_t value_len),
                   void *user);

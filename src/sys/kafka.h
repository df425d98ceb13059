/* SPDX-License-Identifier: Apache-2.0
 *
 * A producer of Kafka messages in a process of its own: it finds brokers by names that they tell,
 * opens sockets and speaks TLS, none of which the engine may (sys/sandbox.h). It has no capability,
 * another user, and nothing but a socket on which messages come and counts go; librdkafka does the
 * work there, as an idempotent producer with a queue of 16 MB.
 */
#pragma once

#include <sys/types.h>

#include "base/error.h"
#include "sys/kafka_wire.h"
#include "sys/sandbox.h"

/* "host:port,host:port/topic". -EINVAL with a sentence. */
int kafka_parse(const char *text, struct kafka_conf *ret, struct error *err);

/* Before the process has threads: reads the properties and starts the process, which becomes
 * `child` and ends with its parent, or when the socket's other end is closed. *ret_fd is the
 * socket, *ret_pid the process. A property that librdkafka refuses is -EINVAL, with a sentence. */
int kafka_start(const struct kafka_conf *conf, const struct sandbox_conf *child, int *ret_fd,
                pid_t *ret_pid, struct error *err);
/* By its parent, once the socket's other end is closed: waits for its end, which comes within
 * KAFKA_FINISH_MS and a little. Takes 0, and does nothing. */
void kafka_wait(pid_t pid);

/* SPDX-License-Identifier: Apache-2.0
 *
 * The sink that makes frames appear on TAP devices (sys/tapdev.h): on one for all taps, or on one
 * for each. A device takes a frame or refuses it at once, so no thread of its own is needed.
 */
#pragma once

#include "data/sink.h"

/* `fd` is the device for all ports, or -1: each port is bound to its own before it is added.
 * Descriptors are borrowed. -ENOMEM. */
int device_sink_new(const char *name, int fd, struct sink **ret);

/* From the data thread: the device of a port that is added next. -EINVAL: no such index. */
int device_sink_bind(struct sink *s, uint32_t index, int fd);

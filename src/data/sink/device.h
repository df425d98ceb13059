/* SPDX-License-Identifier: Apache-2.0
 *
 * The sink that makes frames appear on TAP devices (sys/tapdev.h): on one for all taps, or on one
 * for each. A device takes a frame or refuses it, but not before all who listen on it have looked
 * at it: what that costs is paid by the thread that writes. Hence the queue (queue.h) before it.
 */
#pragma once

#include "data/sink.h"

/* `fd` is the device of all ports that bring none of their own (sink_port.device), or -1.
 * Descriptors are borrowed. -ENOMEM. */
int device_sink_new(const char *name, int fd, struct sink **ret);

/* SPDX-License-Identifier: Apache-2.0
 *
 * The sink that makes frames appear on TAP devices (sys/tapdev.h): on one for all taps, or on one
 * for each. A device takes a frame or refuses it, but not before all who listen on it have looked
 * at it: what that costs is paid by the thread that writes. Hence the queue (queue.h) before it.
 */
#pragma once

#include "data/sink.h"

/* `fd` is the device of all points that bring none of their own (sink_point.device), or -1.
 * Descriptors are borrowed. -ENOMEM. */
int device_sink_new(const char *name, int fd, struct sink **ret);

/* The control thread's, while the data thread writes. */

/* The devices are in trouble, as `words` say (NULL: they are not): what check() then tells, with
 * -ENETDOWN while that may pass, or with -ENODEV. */
void device_sink_trouble(struct sink *s, const char *words, bool for_good);
/* Was a frame refused, since the last call, because its device had been removed? */
bool device_sink_missed(struct sink *s);
/* The device of this tap (NULL: of all) was removed and is `fd` now: points whose descriptor still
 * is the old one get a copy under the number that they have. */
void device_sink_renew(struct sink *s, const char *tap, int fd);

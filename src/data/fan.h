/* SPDX-License-Identifier: Apache-2.0
 *
 * Several sinks as one: each gets every batch and every observation point. A sink that has no room
 * for a point is offered it again every SINK_RETRY_MS, when something is written or flushed. A
 * collector's pipeline ends in a fan, one for each receiver, of the outputs that all of them share.
 *
 * A fan belongs to one data thread. It has no check() and no finish(): the sinks are of whoever
 * made them, who asks them.
 */
#pragma once

#include "data/sink.h"

enum {
    FAN_SINKS = 16, /* places, of which some may be free */
};

/* `sinks` are borrowed, by their places: NULL, one that is free. What an offer (struct point_offer)
 * points to must stay until its point is removed. -EINVAL: more than FAN_SINKS; -ENOMEM. */
int fan_new(struct sink *const *sinks, unsigned n, struct sink **ret);
/* Another sink in that place: all points leave the one before, and are offered to this one. NULL:
 * the place is free. Its own thread, between two batches. */
void fan_set(struct sink *fan, unsigned place, struct sink *s);
/* How many points wait for room in a sink. Its own thread, or when that has ended. */
unsigned fan_refused(const struct sink *s);

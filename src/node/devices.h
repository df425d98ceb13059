/* SPDX-License-Identifier: Apache-2.0
 *
 * The devices that a collector's frames are written to, in the engine: a tap gets its device from
 * the broker, and all are looked at five times a second by node/collector.c. One that was removed
 * is made again under its name, and its descriptor's number stays, so that who writes to it need
 * not know.
 */
#pragma once

#include "data/link/listen/listener.h"
#include "node/outputs.h"
#include "sys/broker.h"

struct devices {
    struct outputs *outputs; /* borrowed, as all here */
    struct listener *listener;
    struct broker *broker;
    const struct teller *teller;
    struct listener_device *one; /* of all taps; not used where each has one of its own */
};

/* The device of a tap, as struct listener_ops wants it. */
int devices_for_tap(struct devices *d, const char *tap, struct listener_device *ret,
                    struct error *err);
/* Notices devices that are down or were removed, and has the latter made again. */
void devices_look(struct devices *d);

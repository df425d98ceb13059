/* SPDX-License-Identifier: Apache-2.0
 *
 * The watchdog over a tap's interfaces: a capture to which nothing comes for too long is opened
 * anew, one for which that does not help counts as dead, and where all are dead the tap is to end.
 * model/idle.h judges each one, and this carries out what it wants; node/tap.c looks, and knows the
 * time.
 */
#pragma once

#include "model/calendar.h"
#include "model/idle.h"
#include "node/interfaces.h"

struct watchdog_conf {
    struct idle_conf idle;
    struct calendar hours; /* in which frames are expected */
};

/* A look at each of them, every second at least. `expected`: frames are, now. True where they are
 * dead, at least one and all: those that are there, and those that have a name and may come back.
 * One that is down is not dead, and one that a pattern took up and that is gone does not count. */
bool watchdog_look(struct interfaces *all, const struct watchdog_conf *conf, bool expected,
                   struct mono now);

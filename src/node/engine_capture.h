/* SPDX-License-Identifier: Apache-2.0
 *
 * One capture that is wanted of a data role (proto/wanted.h), from its wish to a file that is
 * whole:
 *
 *     waits ──(a second ahead: file, places in ports)──► runs ──(stop, limit, cancelled)──►
 * finishes │                                   │ └──────────► failed ◄───────────────┤ ▼ finishes:
 * until each port was read beyond the end, or 5 s have passed; places are           done given up,
 * the file is ended and on the disk
 *
 * It has exactly the frames with start <= time < stop. All functions are the control thread's, and
 * none waits.
 */
#pragma once

#include "node/engine_room.h"
#include "proto/wanted.h"

struct engine_capture;

/* -ENOMEM. */
int engine_capture_new(const struct engine_room *room, const struct wanted *w,
                       struct engine_capture **ret);
/* Its places have to be free, which engine_capture_leave() brings about. Takes NULL. */
void engine_capture_free(struct engine_capture *c);

const struct wanted *engine_capture_wanted(const struct engine_capture *c);
/* It is wanted otherwise: another stop, or cancelled. */
void engine_capture_change(struct engine_capture *c, const struct wanted *w);
/* Nobody wants it any more: it is to be freed once this returns true, asked again with each tick.
 * Its file ends whole. */
bool engine_capture_leave(struct engine_capture *c);

/* Several times a second: goes on with it. */
void engine_capture_tick(struct engine_capture *c, int64_t now_ns, struct mono now);
/* The wall clock was set by so much: a capture that has begun keeps its length. */
void engine_capture_shift(struct engine_capture *c, int64_t ns);

/* Its ports are wanted now; `n_points` names of it are those of its wish. */
bool engine_capture_wants_ports(const struct engine_capture *c);
void engine_capture_is(const struct engine_capture *c, struct wanted_is *ret);
/* When it wants a tick at the latest, so that its end is not late (struct wall). */
int64_t engine_capture_due(const struct engine_capture *c);

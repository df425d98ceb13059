/* SPDX-License-Identifier: Apache-2.0
 *
 * One capture that is wanted of a data role (proto/wanted.h), from its wish to a file that is
 * whole:
 *
 *   waits     for its start; a second ahead its file is made, and its points get places in ports
 *   runs      until its stop, a limit, or a user who cancels it
 *   finishes  until each port was read beyond the end, 5 s at most; then the places are given up,
 *             and the file is ended and synced
 *   done, or failed where it could not begin or its file could not be written
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

/* Goes on with it, several times a second and at engine_capture_due(). */
void engine_capture_tick(struct engine_capture *c, int64_t now_ns, struct mono now);
/* The wall clock was set by so much: a capture that has begun keeps its length. */
void engine_capture_shift(struct engine_capture *c, int64_t ns);

/* The flows of this moment into its second file: 0, and engine_capture_snapped() says more.
 * -ENOENT: it has not begun; -EOPNOTSUPP: it has no flows; -EBUSY; or another -errno. */
int engine_capture_snap(struct engine_capture *c);
/* -EAGAIN: it is being made; 0, or -errno. */
int engine_capture_snapped(struct engine_capture *c);

/* It is beyond its start. */
bool engine_capture_has_begun(const struct engine_capture *c);
/* Its ports are wanted now; `n_points` names of it are those of its wish. */
bool engine_capture_wants_ports(const struct engine_capture *c);
void engine_capture_is(const struct engine_capture *c, struct wanted_is *ret);
/* When it wants a tick at the latest (struct wall), so that its end is not late. */
int64_t engine_capture_due(const struct engine_capture *c, int64_t now_ns);

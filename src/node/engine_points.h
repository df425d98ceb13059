/* SPDX-License-Identifier: Apache-2.0
 *
 * The points of one capture: for each its place in a port, as long as there is one of that name,
 * and for which time it is complete. A port that vanishes takes its place with it; when it is back,
 * the point begins anew, and what was between is a gap.
 */
#pragma once

#include "node/engine_ports.h"
#include "proto/wanted.h"

struct engine_output;

/* One of them. */
struct engine_point {
    uint64_t port; /* the number of the port that it has a place in; 0: in none */
    unsigned place;
    bool leaving; /* the place is being given up */
    bool stale;   /* the port does not know of the last change yet */
    bool ever;    /* it was captured from */
    /* Complete for [from, until), of the ring that takes frames since that time. */
    int64_t ring_since, from_ns, until_ns;
    uint64_t ring_lost, lost; /* the port's count of frames that its ring lost, as it was at the
                               * last look; and what was lost while there was a place */
    struct spread_counts counts;
    _Atomic int64_t at; /* since when the port's thread knows the place; 0: not yet */
    _Atomic bool gone;
};

struct engine_points {
    struct engine_ports *ports;
    const struct wanted *wanted; /* borrowed, as what follows; `stop` and `start` may change */
    const struct engine_output *output;
    const struct filter_prog *filter; /* n 0: none */
    _Atomic uint64_t budget;          /* of frames, where there is a limit */
    struct engine_point at[WANTED_POINTS];
};

/* Of a capture with an output that is open. */
void engine_points_init(struct engine_points *p, struct engine_ports *ports,
                        const struct wanted *wanted, const struct engine_output *output,
                        const struct filter_prog *filter);

/* Takes places that can be had, and learns how far the ports were read. Several times a second. */
void engine_points_look(struct engine_points *p);
/* The capture has another start or stop. */
void engine_points_change(struct engine_points *p);
/* The wall clock was set by so much. */
void engine_points_shift(struct engine_points *p, int64_t ns);

/* The limit of frames is reached. */
bool engine_points_spent(const struct engine_points *p);
/* Each point whose port has a ring was read to the capture's end; the others are asked to be. */
bool engine_points_read(struct engine_points *p);
/* Gives the places up: true once no thread knows any. To be asked again. */
bool engine_points_leave(struct engine_points *p);
/* No place is left: the points are complete up to the last frame that was in the limit of frames.
 */
void engine_points_end_spent(struct engine_points *p);
/* No place is left: they are complete up to there at most. */
void engine_points_end_at(struct engine_points *p, int64_t ns);
/* Was any of them captured from? */
bool engine_points_ever(const struct engine_points *p);

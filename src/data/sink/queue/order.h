/* SPDX-License-Identifier: Apache-2.0
 *
 * Puts frames of many sources in the order of their timestamps: keeps each for at most a window of
 * time after it came, and gives out the one with the smallest timestamp whenever the one that has
 * waited longest is due. Pure: time is passed in. Memory is bounded.
 *
 * Two frames are out of order at the end only if more than the window lay between their coming, or
 * if a clock is wrong. Clocks are the taps' own affair, but one that is far off must not spoil the
 * others' order: the difference between a frame's coming and its timestamp is followed for each
 * point. Each tap has one vote, the upper median of its points, the upper median of the votes is
 * what is held to be right, and a frame that is ahead of that by more than the window gets its
 * place by when it came. One that is behind what was given out already is not kept at all. So a
 * clock that is hours off costs its own tap the order, and nobody else, however many interfaces
 * that tap has.
 */
#pragma once

#include "base/batch.h"
#include "base/time.h"

struct order;

enum order_verdict {
    ORDER_KEPT,  /* copied */
    ORDER_AHEAD, /* copied, but its clock is far ahead: its place is by when it came */
    ORDER_LATE,  /* not kept: a later one was given out before. The caller passes it on at once */
    ORDER_FULL,  /* no room: order_take with `early`, and again. Never so when empty */
};

/* `window_ns` > 0; `bytes`: for frames and their books, at least FRAME_LEN_MAX and some. NULL: no
 * memory. */
struct order *order_new(int64_t window_ns, size_t bytes);
void order_free(struct order *o);

/* From now on the point is one of this tap's, whose number no other has. Points that were never
 * named are those of one tap. */
void order_point(struct order *o, uint32_t point, uint64_t tap);

/* `f`: whole, without insertions, not longer than FRAME_LEN_MAX. */
enum order_verdict order_put(struct order *o, const struct frame *f, struct mono now);
/* The next frame in order, when one is due by now, or in any case when `early`. False: none. Its
 * bytes stay valid until the next order_put. */
bool order_take(struct order *o, struct mono now, bool early, struct frame *ret);
/* When the next frame is due; {0}: there is none. */
struct mono order_due(const struct order *o);
/* How many frames wait. */
uint32_t order_len(const struct order *o);

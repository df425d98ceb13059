/* SPDX-License-Identifier: Apache-2.0
 *
 * Frames that have to wait because nothing can be sent: copies, first in first out, one backlog for
 * each data thread. All of them live on one budget of bytes. When that is used up, the oldest
 * frames go, in whole chunks: a thread first drops its own; one that has less than an equal share
 * asks for memory, and those that have more than theirs give some back when they next come by
 * (backlog_put, backlog_yield). Where the system has less memory than the budget, the oldest go
 * likewise, and the budget can be lowered for as long as that lasts.
 *
 * Memory is taken a chunk at a time, straight from the system, and goes back there as soon as the
 * chunk's last frame has left: an empty backlog holds nothing, and the kernel clears the pages
 * before anyone else sees them.
 */
#pragma once

#include <stdbool.h>

#include "base/batch.h"

enum {
    BACKLOG_CHUNK_MAX = 256 << 10,
    BACKLOG_CHUNKS = 64, /* at least so many of the usual size make up the budget */
    BACKLOG_MIN = 1 << 20,
};

/* The budget. Any thread. */
struct backlog_pool;

/* `bytes`: at least BACKLOG_MIN. NULL: no memory. */
struct backlog_pool *backlog_pool_new(uint64_t bytes);
/* After all its backlogs. Takes NULL. */
void backlog_pool_free(struct backlog_pool *p);
/* Bytes taken at present, by all. */
uint64_t backlog_pool_used(const struct backlog_pool *p);

/* Memory is short elsewhere: no more than what is taken less `bytes` from now on. What is over that
 * goes when its thread next comes by, oldest first. Returns what remains. */
uint64_t backlog_pool_shrink(struct backlog_pool *p, uint64_t bytes);
/* It is not any more. */
void backlog_pool_restore(struct backlog_pool *p);

/* The rest belongs to one thread, but for its making and its end, when that does not run. */
struct backlog;

struct backlog *backlog_new(struct backlog_pool *pool);
void backlog_free(struct backlog *b);

/* Copies the frame behind the others, as it was on the wire, with its time, direction, original
 * length and point. Returns how many frames were dropped for it: the oldest ones, or itself where
 * even that makes no room. */
uint64_t backlog_put(struct backlog *b, const struct frame *f);
/* The oldest frame, good until the next call here; NULL: none. */
const struct frame *backlog_front(struct backlog *b);
/* It has been dealt with. */
void backlog_pop(struct backlog *b);
/* To be called now and then also while nothing is put: gives back what another thread asks for.
 * Returns how many frames were dropped for it. */
uint64_t backlog_yield(struct backlog *b);
/* Drops everything; returns how many frames that were. */
uint64_t backlog_clear(struct backlog *b);

bool backlog_empty(const struct backlog *b);
uint64_t backlog_frames(const struct backlog *b);
/* Of the frames, without what it takes to keep them. */
uint64_t backlog_bytes(const struct backlog *b);
/* The bytes of the budget that are this one's where all want theirs. */
uint64_t backlog_share(const struct backlog *b);

/* SPDX-License-Identifier: Apache-2.0
 *
 * How a tap's limit stands, between the link's sending end (link/send/tx.h), which knows what waits
 * for the rate, and the stage `degrade`, which takes something off the frames before they come
 * there. Both run in one data thread: plain numbers, of which each has one writer. All bytes are
 * bytes of the link, headers included.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/batch.h"
#include "data/sink.h"
#include "model/ladder.h"
#include "sys/crypto/kdf.h"
#include "sys/filter.h"

enum {
    LIMIT_FRAME = 10, /* bytes of a frame's header on the link, about */
    LIMIT_UNIT = 1024,

    /* A step of the ladder (model/ladder.h) as one number, for frames and threads. */
    LIMIT_HALVINGS = 0x0f, /* of the flows that are kept */
    LIMIT_HEADERS = 0x10,
    LIMIT_COUNT = 0x20,
    LIMIT_FLOWS = 0x40,
    LIMIT_RUNG = 0x80, /* set in a frame's rung, where 0 is none */

    /* Of flows, by the halvings after which they are kept: none up to all of them, and more. */
    LIMIT_CLASSES = LADDER_HALVINGS + 1,
};

_Static_assert((int)LADDER_HALVINGS <= (int)LIMIT_HALVINGS, "all halvings have room in the number");

/* The step as one number, which is 0 for the first and has no LIMIT_RUNG. */
static inline uint32_t limit_pack(const struct ladder_step *s)
{
    return s->halvings | (s->headers ? LIMIT_HEADERS : 0u) | (s->count ? LIMIT_COUNT : 0u) |
           (s->flows ? LIMIT_FLOWS : 0u);
}

/* The step of any number, also of a frame's rung: other bits than those of a step do not count. */
static inline struct ladder_step limit_unpack(uint32_t packed)
{
    return (struct ladder_step){.headers = packed & LIMIT_HEADERS,
                                .count = packed & LIMIT_COUNT,
                                .flows = packed & LIMIT_FLOWS,
                                .halvings = packed & LIMIT_HALVINGS};
}

/* Common to all captures of a tap. */
struct limit_plan {
    _Atomic bool ladder; /* frames are taken down to a step; else dropped where the queue is full */
    _Atomic bool flows;  /* one of the steps is flow records */
    /* Frames that match stay whole; borrowed for good; NULL: none. */
    const struct filter_prog *_Atomic keep;
    uint8_t key[KEYED_HASH_KEY_LEN]; /* by which flows are kept */
    _Atomic uint32_t step;           /* the control thread's, packed */
    /* Bytes of the link that came, whole and as headers, by the class of their flow; those that
     * were not looked at are in the last one. All captures add. */
    _Atomic uint64_t came[2][LIMIT_CLASSES];
    _Atomic uint64_t told; /* the same of flow records, and frames that would stay beside them */
};

struct limit_view {
    struct limit_plan *plan; /* borrowed; NULL: none */
    /* The link's. Without a rate, nothing waits and there is all room. */
    uint64_t waiting; /* bytes that wait */
    uint64_t room;    /* so many may wait for the rate */
    uint64_t left;    /* bytes that have left, in all */
    bool out;         /* frames wait for another reason, and until that is over, without a limit */
    uint32_t scale;   /* bytes of the link for LIMIT_UNIT bytes of frames */
    /* The owner's: takes frames that are told in flow records, as those of point 0; NULL: none. */
    struct sink *meter;
    /* The stage's. */
    uint64_t dropped; /* bytes that would have come, in all */
};

/* The step that frames are taken down to. */
static inline uint32_t limit_step(const struct limit_view *v)
{
    return v->plan && atomic_load_explicit(&v->plan->ladder, memory_order_relaxed)
               ? atomic_load_explicit(&v->plan->step, memory_order_relaxed)
               : 0;
}

static inline const struct filter_prog *limit_keep(const struct limit_view *v)
{
    return v->plan ? atomic_load_explicit(&v->plan->keep, memory_order_acquire) : NULL;
}

/* Bytes of the link for these bytes of frames. */
static inline uint64_t limit_bytes(const struct limit_view *v, uint64_t bytes)
{
    return bytes * v->scale / LIMIT_UNIT;
}

/* The cost of a frame with so many bytes. */
static inline uint64_t limit_cost(const struct limit_view *v, uint32_t caplen)
{
    return limit_bytes(v, (uint64_t)caplen + LIMIT_FRAME);
}

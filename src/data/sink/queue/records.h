/* SPDX-License-Identifier: Apache-2.0
 *
 * A ring of bytes between one producing and one consuming thread, in which whole frames are put one
 * after the other, each in one piece, and now and then a command. The consumer uses them where they
 * lie and gives the room back afterwards. Only the queue (queue.h) uses it.
 *
 * A record begins below `size` and may reach past it into a margin, so nothing is ever split. While
 * the consumer does not look at the ring, the producer begins at its start again: what is not
 * needed stays untouched, in the caches and in memory.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/batch.h"

struct records_head {
    uint32_t size; /* of the record, a multiple of 8 */
    bool is_command;
    uint8_t dir, rung, clock;
    uint32_t caplen, origlen, lost, more, point;
    uint32_t clock_bound_us; /* this and clock_offset: only where `clock` is set */
    int64_t ts_ns, clock_offset;
    /* `caplen` bytes of the frame follow, or a pointer */
};

struct records {
    uint8_t *mem;
    size_t size, reserve; /* `reserve` of it is for commands alone */
    /* The producer's. */
    _Alignas(64) size_t put_at;
    uint64_t put, head_seen;
    _Atomic uint64_t tail; /* what is published */
    /* The consumer's, but for take_at while it does not look. */
    _Alignas(64) size_t take_at;
    uint64_t take;
    _Atomic uint64_t head; /* what was given back */
};

/* -ENOMEM. */
int records_init(struct records *r, size_t frames, size_t commands);
void records_done(struct records *r);

/* ---- the producer ---- */

/* Begin at the start again; only while all is given back and the consumer does not look. */
void records_rewind(struct records *r);
/* False when there is no room. */
bool records_put_frame(struct records *r, const struct frame *f, uint64_t lost);
bool records_put_command(struct records *r, void *command);
/* The consumer may take the records that were put. */
static inline void records_publish(struct records *r)
{
    atomic_store_explicit(&r->tail, r->put, memory_order_release);
}

/* ---- the consumer ---- */

static inline uint64_t records_tail(const struct records *r)
{
    return atomic_load_explicit(&r->tail, memory_order_acquire);
}

/* The next record before `tail`, or NULL. */
static inline const struct records_head *records_peek(const struct records *r, uint64_t tail)
{
    return r->take == tail ? NULL
                           : (const struct records_head *)(const void *)(r->mem + r->take_at);
}

/* The frame as a batch has it; its bytes stay where they are. */
void records_frame(const struct records_head *h, struct frame *ret);
void *records_command(const struct records_head *h);
void records_next(struct records *r);
/* The room of all that was passed by is the producer's again. */
static inline void records_release(struct records *r)
{
    atomic_store_explicit(&r->head, r->take, memory_order_release);
}

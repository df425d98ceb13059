/* SPDX-License-Identifier: Apache-2.0
 *
 * For the queue's tests, a library of its own: an inner sink that a test can hold up, frames that
 * say which they are, and waiting with a deadline.
 */
#pragma once

#include "base/time.h"
#include "data/sink/fake.h"
#include "data/sink/queue/queue.h"

enum {
    DEADLINE_MS = 20000,
};

/* An inner sink that keeps what the fake does, but can be held up. */
struct gate {
    struct sink head;
    struct sink *fake;
    _Atomic bool closed;     /* nothing goes through */
    _Atomic uint32_t slow;   /* a point each of whose frames takes a millisecond */
    _Atomic uint64_t passed; /* frames */
    _Atomic uint64_t slow_passed;
    _Atomic int device; /* of the point added last, as the inner sink sees it */
    _Atomic uint32_t adds, removes;
    _Atomic uint64_t passed_before; /* the last removal */
};

/* A queue before a gate, and the fake sink behind it. */
struct gated {
    struct gate *gate;
    struct sink *fake, *queue;
};

/* Makes the three; `w->queue` is the producer 0 of the queue. */
void gated_begin(struct gated *w, unsigned producers, struct queue_sink_conf conf);
/* Finishes the queue, which must not fail; the caller frees it. */
void gated_finish(struct gated *w);

void gated_add(struct sink *s, uint32_t index, const char *tap, int device);
/* `n` frames, numbered from `id`, `len` bytes each. */
void gated_write(struct sink *s, uint32_t point, uint32_t id, uint32_t n, uint32_t len);
/* The number of a frame, which is as gated_write made it. */
uint32_t gated_id(const struct fake_frame *f);

uint64_t gated_count(const struct gated *w, uint32_t point, enum ledger_id id);
/* The point was given `in` frames, and all of them are accounted for. */
void gated_balanced(const struct gated *w, uint32_t point, uint64_t in);

/* Waits until it is so, for DEADLINE_MS at most. */
void gated_until(bool (*is)(const struct gated *w, uint64_t n), const struct gated *w, uint64_t n);
bool gated_passed(const struct gated *w, uint64_t n);
bool gated_removed(const struct gated *w, uint64_t n);

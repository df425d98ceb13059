/* SPDX-License-Identifier: Apache-2.0
 *
 * A bounded queue with a thread of its own before another sink, so that an output that is slow
 * holds up neither the threads that receive nor the other outputs. Each receiving thread is a
 * producer with a sink of its own, into which it copies frames without waiting and without locks;
 * the queue's thread takes them out and is the inner sink's only data thread.
 *
 * With `lanes`, every tap has a queue of its own before the one thread, from its first point to its
 * last: where each has a device, one that is slow gets its share of the thread's time and loses
 * frames when its own queue is full, and the others go on. With `order_ns`, frames leave a lane by
 * their timestamps (sink/queue/order.h).
 *
 * Frames that find no room are counted as SINK_FULL at once, by the producer. A point's SINK_IN is
 * counted by the producer, everything else about it by the inner sink, in one ledger that all the
 * producers' sinks show.
 */
#pragma once

#include "data/sink.h"

enum {
    QUEUE_PRODUCERS = 17,   /* receiving threads, and one for mirrored frames */
    QUEUE_BYTES = 32 << 20, /* default */
    QUEUE_BYTES_MIN = 2 << 20,
    QUEUE_BYTES_MAX = 1 << 30,
};

struct queue_sink_conf {
    size_t bytes;       /* of a lane, for each producer; 0: QUEUE_BYTES */
    bool lanes;         /* one for each tap's name */
    int64_t order_ns;   /* the window for putting frames in order; 0: as they arrive */
    uint32_t finish_ms; /* how long finish() waits for a slow inner sink; 0: 5000 */
};

/* Takes `inner` over on success. `producers`: 1 to QUEUE_PRODUCERS threads. What is returned is the
 * first producer's sink, and the one for check(), finish() and sink_free(), which concern all.
 * -EINVAL, -ENOMEM, or the thread cannot be made. */
int queue_sink_new(struct sink *inner, unsigned producers, const struct queue_sink_conf *conf,
                   struct sink **ret);

/* The sink that the receiving thread t is to use: for point_add, point_stats, point_remove, write
 * and flush, and for nothing else. A point is one producer's until it has removed it; it may be
 * added by another then. A sink that is no queue is every thread's: there must be one only. Belongs
 * to `s`.
 */
struct sink *queue_sink_producer(struct sink *s, unsigned t);

/* SPDX-License-Identifier: Apache-2.0
 *
 * The structures and functions that the files of this folder share. Each file calls those above it
 * in this list, never those below it:
 *
 *   records.c  a ring of bytes, in which frames and commands lie
 *   order.c    frames by their timestamps
 *   lane.c     lanes and their rings, made and freed
 *   thread.c   the thread that gives frames to the inner sink
 *   queue.c    the producers' sinks, and the queue's making and end
 *
 * A ring is a producer's part of a lane. It is either with its producer, empty, or with the thread:
 * `scheduled` says which. The producer that makes it so puts it on its list of ready rings.
 *
 * Commands about points travel in the rings, in order with the frames. Where a point moves from one
 * producer to another, the commands are numbered, and the thread keeps to the numbers.
 *
 * A lane of a tap lives from the tap's first point to its last. The thread frees it once all that
 * was said in it is carried out: then no producer has a pointer to its rings, and none can get one
 * but under the lock.
 */
#pragma once

#include <pthread.h>

#include "base/cleanup.h"
#include "base/queue.h"
#include "data/sink/queue/order.h"
#include "data/sink/queue/queue.h"
#include "data/sink/queue/records.h"
#include "sys/loop.h"

enum {
    /* Of a ring, for commands: each point it can have added, figured and removed, in heads. */
    QUEUE_RESERVE = 3 * POINT_MAX * (sizeof(struct records_head) + sizeof(void *)),
};

enum queue_op { QUEUE_ADD, QUEUE_STATS, QUEUE_REMOVE };

struct queue_command {
    enum queue_op op;
    uint32_t index, number;  /* the point's; the first is 1 */
    struct queue_ring *ring; /* by which it came */
    struct queue_command *next;
    struct point_offer point; /* of QUEUE_ADD: owns the texts and the descriptor */
    struct ledger figures;    /* of QUEUE_STATS */
};

struct queue_lane {
    char *tap;     /* NULL: all of them */
    uint32_t open; /* points; under the lock */
    struct queue_ring *ring[QUEUE_PRODUCERS];
    struct order *order; /* NULL: frames are not put in order */
    bool waiting;        /* on the thread's list of lanes in which frames wait for that */
    struct queue_lane *next_waiting;
    /* The thread's account of it: frames in a turn, and time that it has had too much. */
    uint32_t turn;
    int64_t debt_ns;
    bool ends; /* on the thread's list of lanes that have lost a point: was it the last one? */
    struct queue_lane *next_ending;
    struct queue_lane *next; /* of all; under the lock */
};

struct queue_ring {
    struct records records;
    struct queue_lane *lane;
    _Atomic bool scheduled;
    struct queue_ring *next; /* on the thread's list */
    /* The producer's. */
    bool touched;            /* something was put and not published yet */
    uint32_t open, commands; /* points; commands put so far */
    /* The thread's. */
    _Atomic uint32_t carried_out; /* commands */
};

/* A point as its producer sees it. */
struct queue_point {
    struct ledger *ledger;   /* NULL: not added */
    struct queue_ring *ring; /* NULL: it is refused here, as there is no memory for it */
    uint64_t lost;           /* frames lost and dropped since the last that was put */
};

struct queue_producer {
    struct sink head; /* of the first one: the queue's; shares the ledgers */
    struct queue_sink *queue;
    unsigned number;
    struct queue *ready; /* rings for the thread to look at */
    unsigned n_touched;
    struct queue_ring *touched[BATCH_MAX];
    struct queue_point point[POINT_MAX];
};

/* A point as the thread sees it. */
struct queue_inner_point {
    uint32_t said;                 /* commands so far; under the lock */
    uint32_t heard;                /* the thread's, as what follows */
    struct ledger *ledger;         /* NULL: not added */
    struct queue_command *refused; /* its QUEUE_ADD: the inner sink has no room for it */
    struct queue_inner_point *next_refused;
    int device;
    uint32_t held; /* its frames that wait to be put in order */
    struct queue_lane *lane;
    struct queue_command *pending; /* what was said while they wait */
    struct queue_inner_point *next_pending;
};

struct queue_sink {
    struct queue_producer *producer[QUEUE_PRODUCERS]; /* the first is the sink itself */
    unsigned n_producers;
    struct sink_ops ops; /* with the inner sink's kind */
    struct sink *inner;
    struct queue_sink_conf conf;
    pthread_t thread;
    bool started, joined, sync_made;
    pthread_mutex_t lock; /* points' coming and going, never a frame */
    pthread_cond_t cond;
    bool done; /* under the lock */
    struct queue_lane *lanes;
    int *devices; /* whose last frame is written: check() closes them; under the lock */
    unsigned n_devices, devices_room;
    struct wake wake;
    _Atomic bool sleeping, finishing, giving_up;
    _Atomic uint32_t signals; /* rises with each publication */
    /* The thread's. */
    struct queue_inner_point point[POINT_MAX];
    struct queue_ring *active; /* rings that are not empty, as far as is known */
    struct queue_lane *waiting, *ending;
    struct queue_inner_point *pending;
    struct queue_inner_point *refused; /* points that the inner sink is asked for again, … */
    struct mono retry;                 /* … then */
    struct mono now;
    struct batch batch;
};

/* lane.c */
/* The producer's ring in the tap's lane; made, as the lane is, when there is none. Under the lock.
 * No lane is without a ring. NULL: no memory. */
struct queue_ring *queue_ring_for(struct queue_producer *p, const char *tap);
/* Frees a lane that is on no list any more. */
void queue_lane_free(struct queue_lane *l);

/* thread.c */
void *queue_thread(void *queue);
/* Takes NULL. */
void queue_command_free(struct queue_command *c);

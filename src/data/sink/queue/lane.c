/* SPDX-License-Identifier: Apache-2.0
 *
 * The lanes of a queue and their rings: queue.c has them made with points, the thread (thread.c)
 * frees a lane after its last point.
 */
#include <stdlib.h>
#include <string.h>

#include "data/sink/queue/impl.h"

enum {
    TURN_FIRST = 32, /* frames, until it is known how long they take */
};

static struct queue_lane *find_lane(struct queue_sink *q, const char *tap)
{
    struct queue_lane *l = q->lanes;
    while (l && l->tap && strcmp(l->tap, tap) != 0) {
        l = l->next;
    }
    return l;
}

static void ring_free(struct queue_ring *r)
{
    if (r) {
        records_done(&r->records);
        free(r);
    }
}

DEFINE_FREEP(struct queue_ring, ring_free)

void queue_lane_free(struct queue_lane *l)
{
    for (unsigned t = 0; t < QUEUE_PRODUCERS; t++) {
        ring_free(l->ring[t]);
    }
    order_free(l->order);
    free(l->tap);
    free(l);
}

static struct queue_lane *make_lane(struct queue_sink *q, const char *tap)
{
    struct queue_lane *l = calloc(1, sizeof(*l));
    if (!l) {
        return NULL;
    }
    l->turn = TURN_FIRST;
    l->tap = q->conf.lanes ? strdup(tap) : NULL;
    l->order = q->conf.order_ns > 0 ? order_new(q->conf.order_ns, q->conf.bytes) : NULL;
    if ((q->conf.lanes && !l->tap) || (q->conf.order_ns > 0 && !l->order)) {
        queue_lane_free(l);
        return NULL;
    }
    l->next = q->lanes;
    q->lanes = l;
    return l;
}

static struct queue_ring *make_ring(const struct queue_sink *q)
{
    _cleanup_(ring_freep) struct queue_ring *r =
        aligned_alloc(_Alignof(struct queue_ring), sizeof(*r));
    if (!r) {
        return NULL;
    }
    memset(r, 0, sizeof(*r));
    return records_init(&r->records, q->conf.bytes, QUEUE_RESERVE) < 0 ? NULL : TAKE_PTR(r);
}

struct queue_ring *queue_ring_for(struct queue_producer *p, const char *tap)
{
    struct queue_lane *l = find_lane(p->queue, tap);
    if (l && l->ring[p->number]) {
        return l->ring[p->number];
    }
    _cleanup_(ring_freep) struct queue_ring *r = make_ring(p->queue);
    l = l || !r ? l : make_lane(p->queue, tap);
    if (!l || !r) {
        return NULL;
    }
    r->lane = l;
    return l->ring[p->number] = TAKE_PTR(r);
}

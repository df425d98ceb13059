/* SPDX-License-Identifier: Apache-2.0 */
#include "base/queue.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/cleanup.h"

struct queue {
    size_t mask;
    void **slot;
    /* Written by one side each, on cache lines of their own. */
    _Alignas(64) _Atomic size_t head; /* next to pop */
    _Alignas(64) _Atomic size_t tail; /* next to push */
};

struct queue *queue_new(size_t slots)
{
    size_t n = 2;
    while (n < slots && n < (size_t)1 << 20) {
        n <<= 1;
    }
    struct queue *q = aligned_alloc(64, sizeof(*q));
    if (!q) {
        return NULL;
    }
    q->slot = calloc(n, sizeof(void *));
    if (!q->slot) {
        free(q);
        return NULL;
    }
    q->mask = n - 1;
    atomic_init(&q->head, 0);
    atomic_init(&q->tail, 0);
    return q;
}

void queue_free(struct queue *q)
{
    if (q) {
        free(q->slot);
        free(q);
    }
}

bool queue_push(struct queue *q, void *item)
{
    size_t tail = atomic_load_explicit(&q->tail, memory_order_relaxed);
    if (tail - atomic_load_explicit(&q->head, memory_order_acquire) > q->mask) {
        return false;
    }
    q->slot[tail & q->mask] = item;
    atomic_store_explicit(&q->tail, tail + 1, memory_order_release);
    return true;
}

void *queue_pop(struct queue *q)
{
    size_t head = atomic_load_explicit(&q->head, memory_order_relaxed);
    if (head == atomic_load_explicit(&q->tail, memory_order_acquire)) {
        return NULL;
    }
    void *item = q->slot[head & q->mask];
    atomic_store_explicit(&q->head, head + 1, memory_order_release);
    return item;
}

size_t queue_len(const struct queue *q)
{
    return atomic_load_explicit(&q->tail, memory_order_acquire) -
           atomic_load_explicit(&q->head, memory_order_acquire);
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * A bounded queue of pointers between exactly one producing and one consuming thread, without
 * locks. Data threads share nothing else; what is put in belongs to the other side from then on.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct queue;

/* `slots` is rounded up to a power of two (at most 2^20). NULL when memory is short. */
struct queue *queue_new(size_t slots);
/* The queue must be empty or its remaining items owned elsewhere: they are not freed. */
void queue_free(struct queue *q);
/* False when the queue is full: the item still belongs to the caller. Never NULL items. */
bool queue_push(struct queue *q, void *item);
/* NULL when the queue is empty. */
void *queue_pop(struct queue *q);
/* How many items are waiting, as seen by the caller's thread. */
size_t queue_len(const struct queue *q);

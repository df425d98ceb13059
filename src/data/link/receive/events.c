/* SPDX-License-Identifier: Apache-2.0
 *
 * The events that the data thread tells the control thread: bounded for each kind, in one queue.
 */
#include <stdlib.h>
#include <string.h>

#include "data/link/receive/impl.h"

enum {
    EVENTS_HELLO = 256, /* events of each kind that anyone at all can cause, … */
    EVENTS_UNKNOWN = 64,
    EVENTS_CONFIRM = 512,
    EVENTS_CONTROL = 8192, /* … and of sessions: the rest is for RECEIVER_CLOSED */
};

/* A flood of one kind must not cost the others: a session whose end was not told would never go. */
static size_t event_room(enum receiver_event_kind kind)
{
    switch (kind) {
    case RECEIVER_HANDSHAKE:
    case RECEIVER_COOKIE:
        return EVENTS_HELLO;
    case RECEIVER_UNKNOWN:
    case RECEIVER_STAGE:
        return EVENTS_UNKNOWN;
    case RECEIVER_REKEY:
    case RECEIVER_CONFIRM:
        return EVENTS_CONFIRM;
    case RECEIVER_CONTROL:
        return EVENTS_CONTROL;
    case RECEIVER_CLOSED:
    case RECEIVER_ENDED:
    case RECEIVER_FAILED:
    case RECEIVER_EVENT_KINDS:
    default:
        return RECEIVER_EVENTS;
    }
}

uint64_t receiver_waiting(const struct receiver *r, enum receiver_event_kind kind)
{
    const struct event_lane *lane = &r->lane[kind];
    return atomic_load_explicit(&lane->told, memory_order_relaxed) -
           atomic_load_explicit(&lane->taken, memory_order_acquire);
}

void receiver_tell(struct receiver *r, struct receiver_event head, const uint8_t *data, size_t len)
{
    struct event_lane *lane = &r->lane[head.kind];
    struct receiver_event *e =
        receiver_waiting(r, head.kind) < event_room(head.kind) ? malloc(sizeof(*e) + len) : NULL;
    if (e) {
        *e = head;
        e->len = (uint16_t)len;
        if (len) {
            memcpy(e->data, data, len);
        }
        receiver_count(&lane->told, 1); /* before it can be taken */
        if (queue_push(r->events, e)) {
            wake_signal(r->conf.control);
            return;
        }
        receiver_count(&lane->told, UINT64_MAX);
        free(e);
    }
    receiver_count(&r->counters.control_full, 1);
}

struct receiver_event *receiver_event(struct receiver *r)
{
    struct receiver_event *e = queue_pop(r->events);
    if (e) {
        receiver_count(&r->lane[e->kind].taken, 1);
    }
    return e;
}

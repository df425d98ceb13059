/* SPDX-License-Identifier: Apache-2.0
 *
 * Messages on their way from a meter's thread to the thread that sends them: a bounded queue
 * between exactly these two, without locks. Each side may sleep until the other has done something,
 * by a descriptor that the other signals.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/time.h"

enum {
    OUTBOX_MESSAGE = 1400,   /* bytes of a message at most */
    OUTBOX_BYTES = 16 << 20, /* of a queue, as a default */
};

struct outmsg {
    uint16_t len;
    bool flows;              /* a message of flow records, not of options */
    uint32_t records;        /* flow records that end in it, … */
    uint64_t packets, bytes; /* … and what they have */
    uint8_t data[OUTBOX_MESSAGE];
};

struct outbox;

/* Messages that take `bytes` of memory at most. `records`: it is full with so many of them too, but
 * always takes one message; 0: no matter. -ENOMEM, or what eventfd says. */
int outbox_new(size_t bytes, uint64_t records, struct outbox **ret);
/* Takes NULL. */
void outbox_free(struct outbox *o);

/* ---- the meter's thread ---- */

/* The place for the next message; NULL: it is full. */
struct outmsg *outbox_room(struct outbox *o);
/* It is filled in, and goes. */
void outbox_push(struct outbox *o);
/* Nothing is in it. */
bool outbox_empty(const struct outbox *o);
/* Sleeps until there is room, or it is empty, it was called off, or that time. */
void outbox_wait(struct outbox *o, bool empty, struct mono until);
/* Any thread: outbox_wait() does not wait any more, or does again. */
void outbox_call_off(struct outbox *o, bool off);
bool outbox_called_off(const struct outbox *o);

/* ---- the thread that sends ---- */

/* The message that has waited for longest; NULL: there is none. */
const struct outmsg *outbox_first(const struct outbox *o);
void outbox_drop(struct outbox *o);
/* More than half of the queue is taken. */
bool outbox_behind(const struct outbox *o);

enum outbox_wish {
    OUTBOX_NOTHING,       /* to sleep whatever is pushed, … */
    OUTBOX_MESSAGE_THERE, /* … until there is a message, … */
    OUTBOX_BEHIND,        /* … or until outbox_behind() */
};

/* To be polled for POLLIN between outbox_sleep() and outbox_awake(). False: what is wished for is
 * so already, and there is no time to sleep. */
int outbox_fd(const struct outbox *o);
bool outbox_sleep(struct outbox *o, enum outbox_wish wish);
void outbox_awake(struct outbox *o);
/* Any thread: wakes the thread that sends. */
void outbox_wake(struct outbox *o);

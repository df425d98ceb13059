/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of requests that a broker answers (sys/broker.h, sys/roles.h), as both halves and all
 * who fill one see it.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "sys/broker_msg.h"

struct broker_reply {
    int fd; /* -1, or a descriptor to hand over; the broker closes its own copy */
    struct error err;
    uint8_t data[BROKER_DATA_MAX];
    size_t len;
};

/* 0, or -errno with a sentence in reply->err. Arguments are as long as the table says. */
typedef int broker_handler(void *ctx, const void *args, size_t len, struct broker_reply *reply);

struct broker_request {
    const char *name; /* for sentences: "cannot <name>", so "open the ring" */
    /* One of these two. `handle` runs in the broker, which does nothing else meanwhile. */
    broker_handler *handle;
    size_t args_min, args_max; /* bytes; others are refused before the handler sees them */
    /* `child` runs in a process of its own that has nothing: no privileges, no descriptor but 0 to
     * 2, BROKER_CHILD_MS of time and BROKER_CHILD_BYTES of memory. It is for hostile arguments,
     * and for what may take long: the broker goes on. BROKER_CHILDREN run at once for an engine;
     * one more is refused with -EAGAIN. */
    broker_handler *child;
};

enum {
    BROKER_CHILDREN = 8,
    BROKER_CHILD_MS = 2000,
    BROKER_CHILD_BYTES = 256 << 20,
};

struct broker_counters {
    uint64_t answered; /* by a handler, whatever the result */
    uint64_t refused;  /* unknown number, wrong size, malformed, or with descriptors */
};

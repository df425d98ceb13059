/* SPDX-License-Identifier: Apache-2.0
 *
 * The rings (sys/ring.h) that a broker has handed out. Each holds megabytes of the kernel's memory
 * for as long as somebody has its descriptor or maps it, and who asked for it may have been taken
 * over: so an interface has one that lives, and one more while that one is given up. Whether a
 * ring lives is the kernel's word (/proc/net/packet), not the engine's. Without /proc nobody
 * counts.
 */
#pragma once

#include <net/if.h>
#include <stdint.h>

#include "base/error.h"

enum {
    RING_LIST_EACH = 2, /* of one interface */
    RING_LIST_MAX = 512,
};

/* Zeros to begin with. */
struct ring_list {
    unsigned n;
    struct {
        char name[IFNAMSIZ];
        uint64_t inode; /* of the socket: no other has that number */
    } ring[RING_LIST_MAX];
};

/* May there be one more of this name? Called in the namespace of the rings. -EAGAIN with a
 * sentence: when an older one is gone. */
int ring_list_may(struct ring_list *l, const char *name, struct error *err);
/* After that: this one was opened. */
void ring_list_add(struct ring_list *l, const char *name, int fd);

/* SPDX-License-Identifier: Apache-2.0
 *
 * The backlog may be larger than the memory that there is. It must not take the last of it: new
 * keys, sessions and what asks for the status need some, too, and without keys nothing that waits
 * will ever leave.
 */
#include <inttypes.h>
#include <sys/mman.h>

#include "cmd/tap.h"

enum {
    ROOM = 4 << 20,    /* for all but the backlog; that much of it goes at a time */
    PASSES_MS = 60000, /* the backlog may grow again when memory was there for so long */
    SAY_AGAIN_MS = 60000,
};

static bool there_is_room(void)
{
    void *p = mmap(NULL, ROOM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p != MAP_FAILED && munmap(p, ROOM) == 0;
}

void tap_memory_tick(struct tap *t, struct mono now)
{
    bool uses = t->backlog && backlog_pool_used(t->backlog) > 0;
    if (!uses || there_is_room()) {
        if (t->memory_short.ns != 0 && mono_due(now, mono_add_ms(t->memory_short, PASSES_MS))) {
            backlog_pool_restore(t->backlog);
            t->memory_short = (struct mono){0};
        }
        return;
    }
    uint64_t left = backlog_pool_shrink(t->backlog, ROOM);
    for (unsigned i = 0; i < t->n; i++) {
        capture_look(t->interface[i]->capture);
    }
    t->memory_short = now;
    if (t->memory_said.ns == 0 || mono_due(now, mono_add_ms(t->memory_said, SAY_AGAIN_MS))) {
        t->memory_said = now;
        tap_event(t, HISTORY_MEMORY_SHORT, "backlog",
                  "memory is short: the oldest frames that wait are dropped, %" PRIu64
                  " KiB may wait for now; a smaller --backlog, or more memory, avoids that",
                  left >> 10);
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "node/memory.h"

#include <sys/mman.h>

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

struct memory_look memory_look(struct memory *m, struct backlog_pool *pool, struct mono now)
{
    struct memory_look ret = {.shrunk = false};
    bool uses = pool && backlog_pool_used(pool) > 0;
    if (!uses || there_is_room()) {
        if (m->lacked.ns != 0 && mono_due(now, mono_add_ms(m->lacked, PASSES_MS))) {
            backlog_pool_restore(pool);
            m->lacked = (struct mono){0};
        }
        return ret;
    }
    ret.shrunk = true;
    ret.may_wait = backlog_pool_shrink(pool, ROOM);
    m->lacked = now;
    if (m->told.ns == 0 || mono_due(now, mono_add_ms(m->told, SAY_AGAIN_MS))) {
        m->told = now;
        ret.tell = true;
    }
    return ret;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "data/link/send/backlog.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/cleanup.h"

enum {
    PAGE = 4096,
};

struct backlog_pool {
    uint64_t bytes;
    _Atomic uint64_t limit; /* at present; at most `bytes` */
    uint32_t chunk;         /* the usual size of one, header included */
    _Atomic uint64_t used;
    _Atomic uint32_t members;
    _Atomic uint32_t asking; /* members below their share that found nothing left */
};

struct chunk {
    struct chunk *next;
    uint32_t size;      /* of the mapping, this header included */
    uint32_t read, end; /* offsets of the oldest frame and behind the newest */
    uint32_t frames;
    uint64_t bytes; /* of these */
};

/* The head that stands before each frame's bytes. */
struct entry {
    int64_t ts_ns;
    uint32_t len, origlen, point, more;
    uint8_t dir, rung;
    bool flows;
};

struct backlog {
    struct backlog_pool *pool;
    struct chunk *head, *tail;
    uint64_t mapped; /* bytes of all chunks */
    uint64_t frames, bytes;
    uint64_t reserved; /* of the budget, for the next chunk: what it asked for and got */
    bool asking;
    struct frame front;
};

struct backlog_pool *backlog_pool_new(uint64_t bytes)
{
    struct backlog_pool *p = calloc(1, sizeof(*p));
    if (p) {
        p->bytes = MAX(bytes, (uint64_t)BACKLOG_MIN);
        p->chunk = (uint32_t)MIN(p->bytes / BACKLOG_CHUNKS, (uint64_t)BACKLOG_CHUNK_MAX);
        p->chunk -= p->chunk % PAGE;
        backlog_pool_restore(p);
    }
    return p;
}

void backlog_pool_free(struct backlog_pool *p)
{
    free(p);
}

uint64_t backlog_pool_used(const struct backlog_pool *p)
{
    return atomic_load_explicit(&p->used, memory_order_relaxed);
}

uint64_t backlog_pool_shrink(struct backlog_pool *p, uint64_t bytes)
{
    uint64_t used = backlog_pool_used(p), to = used - MIN(used, bytes);
    atomic_store_explicit(&p->limit, to, memory_order_relaxed);
    return to;
}

void backlog_pool_restore(struct backlog_pool *p)
{
    atomic_store_explicit(&p->limit, p->bytes, memory_order_relaxed);
}

static uint64_t limit_of(const struct backlog_pool *p)
{
    return atomic_load_explicit(&p->limit, memory_order_relaxed);
}

static bool pool_take(struct backlog_pool *p, uint64_t n)
{
    uint64_t used = atomic_load_explicit(&p->used, memory_order_relaxed);
    do {
        uint64_t limit = limit_of(p);
        if (used > limit || n > limit - used) {
            return false;
        }
    } while (!atomic_compare_exchange_weak_explicit(&p->used, &used, used + n, memory_order_relaxed,
                                                    memory_order_relaxed));
    return true;
}

static void pool_give(struct backlog_pool *p, uint64_t n)
{
    atomic_fetch_sub_explicit(&p->used, n, memory_order_relaxed);
}

static uint64_t share(const struct backlog_pool *p)
{
    uint32_t members = atomic_load_explicit(&p->members, memory_order_relaxed);
    return limit_of(p) / MAX(members, 1U);
}

/* Somebody who has too little waits for memory. */
static bool wanted(const struct backlog *b)
{
    return !b->asking && atomic_load_explicit(&b->pool->asking, memory_order_relaxed) > 0;
}

static void ask(struct backlog *b, bool asking)
{
    if (b->asking != asking) {
        b->asking = asking;
        atomic_fetch_add_explicit(&b->pool->asking, asking ? 1U : -1U, memory_order_relaxed);
    }
}

struct backlog *backlog_new(struct backlog_pool *pool)
{
    struct backlog *b = calloc(1, sizeof(*b));
    if (b) {
        b->pool = pool;
        atomic_fetch_add_explicit(&pool->members, 1, memory_order_relaxed);
    }
    return b;
}

void backlog_free(struct backlog *b)
{
    if (b) {
        backlog_clear(b);
        atomic_fetch_sub_explicit(&b->pool->members, 1, memory_order_relaxed);
        free(b);
    }
}

static void unlink_head(struct backlog *b)
{
    struct chunk *c = b->head;
    b->head = c->next;
    b->tail = b->head ? b->tail : NULL;
    b->frames -= c->frames;
    b->bytes -= c->bytes;
    b->mapped -= c->size;
}

/* Returns the number of frames that were in it. */
static uint64_t drop_head(struct backlog *b)
{
    struct chunk *c = b->head;
    uint64_t n = c->frames;
    unlink_head(b);
    pool_give(b->pool, c->size);
    munmap(c, c->size);
    return n;
}

static void append(struct backlog *b, struct chunk *c, uint32_t size)
{
    *c = (struct chunk){.size = size, .read = sizeof(*c), .end = sizeof(*c)};
    if (b->tail) {
        b->tail->next = c;
    } else {
        b->head = c;
    }
    b->tail = c;
    b->mapped += size;
}

static void give_reserved(struct backlog *b)
{
    pool_give(b->pool, b->reserved);
    b->reserved = 0;
}

/* May this backlog take `size` bytes more? Not beyond its share while another asks. */
static bool take(struct backlog *b, uint64_t size)
{
    if (b->reserved == size) {
        b->reserved = 0;
        return true;
    }
    give_reserved(b);
    if (wanted(b) && b->mapped + size > share(b->pool)) {
        return false;
    }
    return pool_take(b->pool, size);
}

/* The oldest frames' memory serves again, if it is of that size. Adds to *dropped. */
static bool reuse(struct backlog *b, uint32_t size, uint64_t *dropped)
{
    struct chunk *c = b->head;
    if (c->size != size) {
        *dropped += drop_head(b);
        return false;
    }
    *dropped += c->frames;
    unlink_head(b);
    append(b, c, size);
    return true;
}

/* A chunk behind the others with room for `need` bytes. Returns how many frames went for it;
 * *ret_ok false: there is none. */
static uint64_t grow(struct backlog *b, uint32_t need, bool *ret_ok)
{
    uint32_t size = (uint32_t)sizeof(struct chunk) + need;
    uint64_t dropped = 0;
    size = MAX(b->pool->chunk, (size + PAGE - 1) / PAGE * PAGE);
    *ret_ok = false;
    while (!take(b, size)) {
        ask(b, b->mapped + size <= share(b->pool));
        if (!b->head) {
            return dropped;
        }
        if (reuse(b, size, &dropped)) {
            *ret_ok = true;
            return dropped;
        }
    }
    ask(b, false);
    struct chunk *c;
    while ((c = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) ==
           MAP_FAILED) { /* the system has less than the budget */
        *ret_ok = b->head && reuse(b, size, &dropped);
        if (*ret_ok || !b->head) {
            pool_give(b->pool, size);
            return dropped;
        }
    }
    append(b, c, size);
    *ret_ok = true;
    return dropped;
}

static uint8_t *bytes_of(struct chunk *c)
{
    return (uint8_t *)c;
}

uint64_t backlog_put(struct backlog *b, const struct frame *f)
{
    const struct entry e = {f->ts_ns, f->caplen, f->origlen, f->point,
                            f->more,  f->dir,    f->rung,    f->flows};
    uint64_t dropped = backlog_yield(b);
    uint32_t need = (uint32_t)sizeof(e) + f->caplen;
    if (!b->tail || b->tail->size - b->tail->end < need) {
        bool ok = false;
        dropped += grow(b, need, &ok);
        if (!ok) {
            return dropped + 1;
        }
    }
    struct chunk *c = b->tail;
    memcpy(bytes_of(c) + c->end, &e, sizeof(e));
    frame_copy(f, 0, bytes_of(c) + c->end + sizeof(e), f->caplen);
    c->end += need;
    c->frames++;
    c->bytes += f->caplen;
    b->frames++;
    b->bytes += f->caplen;
    return dropped;
}

const struct frame *backlog_front(struct backlog *b)
{
    struct chunk *c = b->head;
    struct entry e;
    if (!c) {
        return NULL;
    }
    memcpy(&e, bytes_of(c) + c->read, sizeof(e));
    b->front = (struct frame){.data = bytes_of(c) + c->read + sizeof(e),
                              .datalen = e.len,
                              .caplen = e.len,
                              .origlen = e.origlen,
                              .ts_ns = e.ts_ns,
                              .point = e.point,
                              .more = e.more,
                              .dir = e.dir,
                              .rung = e.rung,
                              .flows = e.flows};
    return &b->front;
}

void backlog_pop(struct backlog *b)
{
    struct chunk *c = b->head;
    const struct frame *f = backlog_front(b);
    if (!f) {
        return;
    }
    c->read += (uint32_t)sizeof(struct entry) + f->caplen;
    c->frames--;
    c->bytes -= f->caplen;
    b->frames--;
    b->bytes -= f->caplen;
    if (c->frames == 0) {
        drop_head(b);
        if (!b->head) {
            ask(b, false);
            give_reserved(b);
        }
    }
}

uint64_t backlog_yield(struct backlog *b)
{
    /* A chunk that another gave back for this backlog is taken before anyone else has it. */
    if (b->asking && pool_take(b->pool, b->pool->chunk)) {
        b->reserved = b->pool->chunk;
        ask(b, false);
    }
    uint64_t dropped = 0;
    if (b->head && wanted(b) && b->mapped > share(b->pool)) {
        dropped = drop_head(b);
    }
    while (b->head && backlog_pool_used(b->pool) > limit_of(b->pool)) {
        dropped += drop_head(b);
    }
    return dropped;
}

uint64_t backlog_clear(struct backlog *b)
{
    uint64_t n = 0;
    while (b->head) {
        n += drop_head(b);
    }
    ask(b, false);
    give_reserved(b);
    return n;
}

bool backlog_empty(const struct backlog *b)
{
    return !b->head;
}

uint64_t backlog_frames(const struct backlog *b)
{
    return b->frames;
}

uint64_t backlog_bytes(const struct backlog *b)
{
    return b->bytes;
}

uint64_t backlog_share(const struct backlog *b)
{
    return share(b->pool);
}

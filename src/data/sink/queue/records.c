/* SPDX-License-Identifier: Apache-2.0 */
#include "data/sink/queue/records.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    HEAD = sizeof(struct records_head),
    MARGIN = HEAD + FRAME_LEN_MAX + 64,
};

_Static_assert(HEAD % 8 == 0, "what follows a record's head is aligned");

int records_init(struct records *r, size_t frames, size_t commands)
{
    memset(r, 0, sizeof(*r));
    r->size = frames + commands;
    r->reserve = commands;
    r->mem = malloc(r->size + MARGIN); /* untouched: only what is used becomes memory */
    return r->mem ? 0 : -ENOMEM;
}

void records_done(struct records *r)
{
    free(r->mem);
    r->mem = NULL;
}

void records_rewind(struct records *r)
{
    r->put_at = r->take_at = 0;
}

static struct records_head *put(struct records *r, size_t bytes, size_t limit)
{
    size_t need = (HEAD + bytes + 7) & ~(size_t)7;
    if (r->put - r->head_seen + need > limit) {
        r->head_seen = atomic_load_explicit(&r->head, memory_order_acquire);
        if (r->put - r->head_seen + need > limit) {
            return NULL;
        }
    }
    struct records_head *h = (struct records_head *)(void *)(r->mem + r->put_at);
    h->size = (uint32_t)need;
    r->put += need;
    r->put_at += need;
    r->put_at = r->put_at < r->size ? r->put_at : 0;
    return h;
}

bool records_put_frame(struct records *r, const struct frame *f, uint64_t lost)
{
    struct records_head *h =
        f->caplen <= FRAME_LEN_MAX ? put(r, f->caplen, r->size - r->reserve) : NULL;
    if (!h) {
        return false;
    }
    h->is_command = false;
    h->dir = f->dir;
    h->rung = f->rung;
    h->clock = f->clock;
    if (f->clock) {
        h->clock_bound_us = f->clock_bound_us;
        h->clock_offset = f->clock_offset;
    }
    h->caplen = f->caplen;
    h->origlen = f->origlen;
    h->lost = (uint32_t)(lost < UINT32_MAX ? lost : UINT32_MAX);
    h->more = f->more;
    h->point = f->point;
    h->ts_ns = f->ts_ns;
    frame_copy(f, 0, (uint8_t *)(h + 1), f->caplen);
    return true;
}

bool records_put_command(struct records *r, void *command)
{
    struct records_head *h = put(r, sizeof(void *), r->size);
    if (h) {
        h->is_command = true;
        uint8_t *at = (uint8_t *)(h + 1);
        memcpy(at, &command, sizeof(command));
    }
    return h != NULL;
}

void records_frame(const struct records_head *h, struct frame *ret)
{
    /* Field by field: what says nothing while nothing is inserted is not worth writing. */
    ret->data = (const uint8_t *)(h + 1);
    ret->datalen = ret->caplen = h->caplen;
    ret->origlen = h->origlen;
    ret->lost = h->lost;
    ret->more = h->more;
    ret->ts_ns = h->ts_ns;
    ret->point = h->point;
    ret->dir = h->dir;
    ret->rung = h->rung;
    ret->clock = h->clock;
    ret->clock_bound_us = h->clock ? h->clock_bound_us : 0;
    ret->clock_offset = h->clock ? h->clock_offset : 0;
    ret->ins_len = 0;
    ret->ins_off = 0;
    ret->gso_type = ret->vnet_flags = 0;
    ret->gso_size = ret->csum_start = ret->csum_offset = 0;
}

void *records_command(const struct records_head *h)
{
    const uint8_t *at = (const uint8_t *)(h + 1);
    void *command;
    memcpy(&command, at, sizeof(command));
    return command;
}

void records_next(struct records *r)
{
    const struct records_head *h = (const struct records_head *)(const void *)(r->mem + r->take_at);
    size_t size = h->size;
    r->take += size;
    r->take_at += size;
    r->take_at = r->take_at < r->size ? r->take_at : 0;
}

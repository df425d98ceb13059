/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/flowsets.h"

enum {
    NONE = 4, /* reserved in both */
};

void flowsets_init(struct flowsets *f, size_t header, uint16_t align)
{
    f->set = NONE;
    f->align = align;
    f->used = header;
}

static size_t aligned(const struct flowsets *f, size_t at)
{
    return (at + f->align - 1) / f->align * f->align;
}

void flowsets_close(struct flowsets *f)
{
    if (f->set != NONE) {
        const size_t end = aligned(f, f->used);
        memset(f->bytes + f->used, 0, end - f->used);
        st_u16(f->bytes + f->set_at + 2, (uint16_t)(end - f->set_at));
        f->used = end;
        f->set = NONE;
    }
}

bool flowsets_open(struct flowsets *f, uint16_t set, size_t len)
{
    const bool open = f->set == set;
    const size_t from = open ? f->used : aligned(f, f->used) + FLOWSETS_HEADER;
    if (aligned(f, from + len) > FLOWSETS_MESSAGE) {
        return false;
    }
    if (!open) {
        flowsets_close(f);
        st_u16(f->bytes + f->used, set);
        st_u16(f->bytes + f->used + 2, 0); /* its length, by flowsets_close() */
        f->set = set;
        f->set_at = f->used;
        f->used += FLOWSETS_HEADER;
    }
    return true;
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * Sets of an IPFIX message (RFC 7011, section 3.3), and flow sets of a datagram of NetFlow 9 (RFC
 * 3954, section 5): a number, a length, and records of that kind. They are written in memory, one
 * after the other, behind the message's header. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

enum {
    FLOWSETS_MESSAGE = 1400, /* bytes at most: a datagram on most paths */
    FLOWSETS_HEADER = 4,     /* bytes of a set's */
};

struct flowsets {
    uint16_t set;   /* number of the one that is open; another one's, which is reserved: none is */
    uint16_t align; /* a set's length is a multiple of it */
    size_t set_at;  /* where it begins */
    size_t used;
    uint8_t bytes[FLOWSETS_MESSAGE];
};

/* An empty message, whose header has `header` bytes. */
void flowsets_init(struct flowsets *f, size_t header, uint16_t align);
/* Opens a set of that number, unless it is open, for `len` bytes, which are then written at
 * flowsets_end() and taken. False: there is no room. */
bool flowsets_open(struct flowsets *f, uint16_t set, size_t len);
/* Closes the set that is open, if one is, with the padding behind it. */
void flowsets_close(struct flowsets *f);
static inline struct wr flowsets_end(struct flowsets *f)
{
    return wr_make(f->bytes + f->used, FLOWSETS_MESSAGE - f->used);
}

/* The bytes that were written there belong to the message from now on. */
static inline void flowsets_take(struct flowsets *f, const struct wr *w)
{
    f->used += wr_len(w);
}

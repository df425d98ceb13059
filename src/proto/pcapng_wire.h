/* SPDX-License-Identifier: Apache-2.0
 *
 * The numbers of the format that pcapng.c and pcapng_read.c share: option codes, byte order, block
 * lengths. Not for other modules.
 */
#pragma once

#include "base/bytes.h"
#include "base/cleanup.h"
#include "proto/pcapng.h"

#define BYTE_ORDER_MAGIC UINT32_C(0x1a2b3c4d)

enum {
    OPT_END = 0,
    OPT_COMMENT = 1,
    OPT_SHB_HARDWARE = 2,
    OPT_SHB_OS = 3,
    OPT_SHB_USERAPPL = 4,
    OPT_IF_NAME = 2,
    OPT_IF_DESCRIPTION = 3,
    OPT_IF_SPEED = 8,
    OPT_IF_TSRESOL = 9,
    OPT_IF_FILTER = 11,
    OPT_IF_OS = 12,
    OPT_IF_FCSLEN = 13,
    OPT_IF_TSOFFSET = 14,
    OPT_EPB_FLAGS = 2, /* also of an obsolete packet block */
    OPT_EPB_DROPCOUNT = 4,
    OPT_ISB_START = 2,
    OPT_ISB_END = 3,
    OPT_ISB_IFRECV = 4, /* and ifdrop, filteraccept, osdrop, usrdeliv after it */
    OPT_ISB_USRDELIV = 8,

    FILTER_IS_TEXT = 0,
    TSRESOL_NS = 9,
    TSRESOL_DEFAULT = 6,
    TSRESOL_BINARY = 0x80,
};

static inline uint16_t wire_u16(struct rd *r, bool big)
{
    uint16_t v = rd_u16(r);
    return big ? v : __builtin_bswap16(v);
}

static inline uint32_t wire_u32(struct rd *r, bool big)
{
    uint32_t v = rd_u32(r);
    return big ? v : __builtin_bswap32(v);
}

static inline uint64_t wire_u64(struct rd *r, bool big)
{
    uint64_t v = rd_u64(r);
    return big ? v : __builtin_bswap64(v);
}

/* Reads the magic: 1 big-endian, 0 little-endian, -1 neither. */
static inline int wire_byte_order(struct rd *r)
{
    uint32_t magic = rd_u32(r);
    return magic == BYTE_ORDER_MAGIC ? 1 : __builtin_bswap32(magic) == BYTE_ORDER_MAGIC ? 0 : -1;
}

static inline bool wire_len_ok(uint32_t len)
{
    return len >= PCAPNG_BLOCK_MIN && len <= PCAPNG_BLOCK_MAX && len % 4 == 0;
}

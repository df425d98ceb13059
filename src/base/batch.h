/* SPDX-License-Identifier: Apache-2.0
 *
 * A batch moves through a pipeline: up to BATCH_MAX frames that somebody else owns (a capture ring,
 * a receive buffer). Pointers stay valid until the source is asked for its next batch, so a sink
 * that wants to keep a frame copies it.
 *
 * The bytes of a frame need not be in one piece. A capture ring hands the VLAN tag up beside the
 * frame, and an interface without a link layer gives frames without an Ethernet header; `ins` holds
 * the bytes to be put in at `ins_off`, and frame_copy() gives the frame as the wire had it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum {
    BATCH_MAX = 256,
    FRAME_INS_MAX = 16,
    FRAME_LEN_MAX = 1 << 20, /* the longest frame that anything here carries, in bytes */
};

enum frame_dir {
    FRAME_DIR_UNKNOWN = 0, /* the same numbers as pcapng's epb_flags, bits 0-1 */
    FRAME_DIR_IN = 1,
    FRAME_DIR_OUT = 2,
};

struct frame {
    const uint8_t *data; /* `datalen` bytes; not the whole frame when ins_len > 0 */
    uint32_t datalen;
    uint32_t caplen;  /* bytes that frame_copy() gives: at most datalen + ins_len, less if sliced */
    uint32_t origlen; /* bytes the frame had on the wire, inserted ones included, without FCS */
    uint32_t lost;    /* frames known to be lost between the frame before and this one */
    uint32_t more;    /* frames that it stands for beside itself: those that a sample left out */
    uint32_t full;    /* the caplen that it would have had the stage `cut` made more of it than what
                       * the stage `degrade` leaves; 0: it made all */
    int64_t ts_ns;    /* struct wall of the capture */
    uint32_t point;   /* where it was seen: an index that source and sink agree on */
    uint8_t dir;      /* enum frame_dir */
    uint8_t rung;     /* the step of the tap's limit that begins with it (data/limit.h); 0: none */
    uint8_t ins_len;  /* 0: nothing to insert */
    uint8_t clock;    /* ALIGN_… (data/align.h): the last two hold from this frame on; 0: they say
                       * nothing */
    uint16_t ins_off; /* <= datalen */
    uint8_t ins[FRAME_INS_MAX];
    /* The kernel's words on offloads (struct virtio_net_hdr); gso_type 0: an ordinary frame. */
    uint8_t gso_type, vnet_flags;
    uint16_t gso_size, csum_start, csum_offset;
    bool flows; /* no frame, but IPFIX messages with flow records of frames of this point */
    uint32_t clock_bound_us;
    int64_t clock_offset; /* ns that were taken off the tap's times, … and the bound of the error */
};

struct batch {
    uint32_t n;
    struct frame f[BATCH_MAX];
};

/* The frame stands for `n` times as many frames as before, up to what the link carries. */
static inline void frame_multiply(struct frame *f, uint32_t n)
{
    uint64_t weight = ((uint64_t)f->more + 1) * n;
    f->more = weight > UINT32_MAX ? UINT32_MAX - 1 : (uint32_t)(weight - 1);
}

/* Copies the frame's bytes [from, from + n) as they were on the wire to `to`.
 * The caller keeps from + n <= f->caplen. */
static inline void frame_copy(const struct frame *f, uint32_t from, uint8_t *to, uint32_t n)
{
    if (f->ins_len == 0) {
        memcpy(to, f->data + from, n);
        return;
    }
    uint32_t end = from + n;
    uint32_t ins_end = (uint32_t)f->ins_off + f->ins_len;
    if (from < f->ins_off) {
        uint32_t part = (end < f->ins_off ? end : f->ins_off) - from;
        memcpy(to, f->data + from, part);
        to += part;
        from += part;
    }
    if (from < end && from < ins_end) {
        uint32_t part = (end < ins_end ? end : ins_end) - from;
        memcpy(to, f->ins + (from - f->ins_off), part);
        to += part;
        from += part;
    }
    if (from < end) {
        memcpy(to, f->data + (from - f->ins_len), end - from);
    }
}

/* The frame's first bytes as they were on the wire, *ret_len of them: all, in place, where nothing
 * is inserted; else at most `cap`, copied to `room`. */
static inline const uint8_t *frame_head(const struct frame *f, uint8_t *room, uint32_t cap,
                                        size_t *ret_len)
{
    if (f->ins_len == 0) {
        *ret_len = f->caplen;
        return f->data;
    }
    uint32_t n = f->caplen < cap ? f->caplen : cap;
    frame_copy(f, 0, room, n);
    *ret_len = n;
    return room;
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * A pool of mixed Ethernet frames, the same for the same seed: what framegen sends and what the
 * tests expect to see at the far end. Every frame has room for a mark of 10 bytes: a 64-bit number
 * and a word that keeps the Internet checksum of the whole mark constant, so that a frame can be
 * numbered anew each time it is sent and its TCP or UDP checksum stays as right (or as wrong) as it
 * was made. The number makes each frame sent a different one.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum frame_kind {
    FRAME_TCP4,
    FRAME_UDP4,
    FRAME_ICMP4,
    FRAME_FRAG4,
    FRAME_TCP6,
    FRAME_UDP6,
    FRAME_ICMP6,
    FRAME_ARP,
    FRAME_LLDP,
    FRAME_VLAN,
    FRAME_QINQ,
    FRAME_VXLAN,
    FRAME_OTHER,     /* other ethertypes, 802.3 length fields */
    FRAME_MALFORMED, /* headers that lie */
    FRAME_RUNT,      /* shorter than Ethernet's minimum */
    FRAME_KINDS,
};

#define FRAME_MARK 10

struct frame {
    uint8_t *data;
    uint32_t len;
    uint32_t mark; /* offset of the mark */
    enum frame_kind kind;
};

struct frames {
    struct frame *v;
    size_t n;
    uint8_t *memory;
};

/* The word used on the command line and in reports, such as "tcp4". */
const char *frame_kind_name(enum frame_kind kind);

/*
 * Makes `n` frames of the kinds in the bit mask `kinds` (1 << FRAME_TCP4 …), none longer than
 * `max_len` bytes (at least 200). 0 or -ENOMEM; end with frames_done.
 */
int frames_build(struct frames *ret_frames, size_t n, uint64_t seed, uint32_t kinds,
                 uint32_t max_len);
void frames_done(struct frames *frames);

/* Writes `number` into the frame. */
void frame_mark(struct frame *frame, uint64_t number);

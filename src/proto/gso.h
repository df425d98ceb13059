/* SPDX-License-Identifier: Apache-2.0
 *
 * Super-packets, cut into the frames that are on the wire. Where a card segments on sending (TSO,
 * USO) or the kernel joins what it received (GRO), a capture sees one packet of up to 64 kB (more
 * with big TCP) that no wire ever carried. The kernel says how it is or was divided (struct
 * virtio_net_hdr); from that and the headers this makes each frame: lengths, identifications,
 * sequence numbers, flags and checksums as the kernel's own segmentation makes them.
 *
 * It knows Ethernet with VLAN tags, IPv4 with options, IPv6 with extension headers, TCP and UDP,
 * and these inside VXLAN, Geneve, GRE (with Ethernet or IP inside), and IP in IP. Pure functions
 * over bytes that are checked, not believed: what does not add up is refused, and the packet stays
 * as it is.
 *
 * Three things are not in the packet, and are settled so:
 * - Past 64 KiB a length field has no room: big TCP leaves it 0, and for IPv6 puts a jumbo option
 *   (RFC 2675) in front, which no wire sees. The option is taken out again.
 * - IPv4 identifications count up from the first frame's. A TCP packet with identification 0 that
 *   may not be fragmented is of a sender that leaves them 0 (RFC 6864, section 4.1), and stays so.
 * - CWR is in the first frame alone where the kernel says that it is the flag of RFC 3168, else it
 *   is part of a counter (accurate ECN) and in every frame.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/batch.h"

enum {
    GSO_HEADERS_MAX = 512, /* bytes of all headers together */
    GSO_LAYERS = 3,        /* IP headers within each other */
    GSO_FRAMES_MAX = 16384,

    /* The kernel's numbers: struct virtio_net_hdr in linux/virtio_net.h. */
    GSO_TCP4 = 1,
    GSO_TCP6 = 4,
    GSO_UDP = 5, /* "UDP_L4" */
    GSO_ECN = 0x80,
    GSO_NEEDS_CSUM = 1,
};

/* The needs of one IP header and of the bytes behind it in each frame. */
struct gso_layer {
    uint16_t ip; /* offset of the IP header */
    uint16_t l4; /* offset of what follows it and its extensions */
    bool v6;
    bool udp;     /* a UDP header at l4: of a tunnel, or the innermost */
    bool same_id; /* IPv4 identifications do not count up */
    uint16_t gre; /* offset of a GRE header with a checksum, else 0 */
};

struct gso_plan {
    struct gso_layer layer[GSO_LAYERS]; /* the outermost first */
    unsigned layers;
    bool tcp;            /* the innermost: TCP, else UDP */
    bool cwr_once;       /* the flag CWR belongs to the first frame alone */
    uint32_t header_len; /* bytes in front of the payload in each frame */
    uint32_t from;       /* where the payload begins in the packet: jumbo options are taken out */
    uint32_t payload;    /* bytes to be divided, on the wire */
    uint32_t size;       /* payload of each frame but the last */
    uint32_t frames;     /* how many: 2 or more */
    uint8_t header[GSO_HEADERS_MAX];
};

/* Finds out how `f` is to be cut. 0; -EINVAL: it is none, or does not add up; -EOPNOTSUPP: of a
 * kind that is not cut (fragments of UFO). */
int gso_plan(const struct frame *f, struct gso_plan *ret);

/* A frame that was made, in bytes. */
struct gso_made {
    uint32_t written; /* these, … */
    uint32_t caplen;  /* … of which there are so many in the capture … */
    uint32_t origlen; /* … and were so many on the wire */
};

/* Makes frame number `i` of the plan, and writes its first `most` bytes, of which its headers are
 * always some, to `to`, which has room for header_len + size. most >= GSO_HEADERS_MAX; UINT32_MAX:
 * all. More are written where the payload is not in one piece. The checksums are those of the whole
 * frame; where the capture had cut the payload off, they are left as they were. */
struct gso_made gso_frame(const struct gso_plan *p, const struct frame *f, uint32_t i,
                          uint32_t most, uint8_t *to);

/* Finishes a checksum that was left to the card, in `data` (the frame's `len` bytes, complete):
 * that of RFC 1071, or SCTP's (RFC 9260, appendix A), which alone lies at offset 8 of its header.
 * `start` and `offset` as in struct frame. -EINVAL when these lie outside. */
int gso_finish_checksum(uint8_t *data, uint32_t len, uint16_t start, uint16_t offset);

/* CRC-32C of `len` bytes (RFC 9260, appendix A). */
uint32_t gso_crc32c(const uint8_t *p, uint32_t len);

/* RFC 1071: the ones' complement sum of `len` bytes, added to `sum`; not folded. */
uint64_t gso_sum(const uint8_t *p, uint32_t len, uint64_t sum);
uint16_t gso_fold(uint64_t sum);

/* SPDX-License-Identifier: Apache-2.0
 *
 * Capture from an interface: a packet socket whose frames the kernel writes into memory that it
 * shares with us (TPACKET_V3), each with what it knows of offloads before it (PACKET_VNET_HDR). The
 * ring is walked in place and frames are lent out batch-wise; nothing is copied here.
 *
 * Two halves, for two processes. ring_open() needs CAP_NET_RAW: socket, options, memory, bind.
 * ring_attach() needs nothing: it maps the memory of a socket that it was handed, knowing its shape
 * from the same `struct ring_conf`. In between no unwanted frame slips in: the socket is made for
 * no protocol, gets a filter that refuses everything, and only then is bound; it stays closed until
 * ring_set_filter() swaps in the real program, which the kernel does in one step.
 *
 * The descriptor is for receiving. What is sent by it comes to no more than frames of 22 bytes,
 * whoever holds it: an engine that was taken over has no way to put packets onto what it taps.
 *
 * Counting. `seen` counts what the filter accepted and `dropped` what of that found no room; after
 * ring_stop() and reading until ring_drained(), seen == dropped + frames given out + frames
 * skipped, exactly. See packet(7) and the kernel's Documentation/networking/packet_mmap.rst.
 */
#pragma once

#include <linux/filter.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/batch.h"
#include "base/error.h"

enum {
    /* A block is handed over when it is full or RING_RETIRE_DEFAULT_MS old, however little is in
     * it. So it is the number of blocks by that time which says for how long slow traffic may wait
     * for a program that gets no processor: 256 of them are 5.6 s. The same time is the longest
     * that a single frame waits. A block also has to hold the largest frame: 64 kB of a
     * super-packet, and more where big TCP is in use; the kernel makes it a power of two. */
    RING_BLOCK_DEFAULT = 128 << 10,
    RING_BYTES_DEFAULT = 32 << 20,
    RING_BLOCKS_MIN = 32, /* by default, also where blocks must be larger */
    RING_LONGEST_MAX = 512 << 10,
    RING_RETIRE_DEFAULT_MS = 22,
};

struct ring_conf {
    int ifindex;
    uint32_t point; /* goes to frame.point */
    bool raw_ip;    /* this interface has no Ethernet header (NETIF_RAW_IP) */
    bool cooked;    /* nor does the ring have what header it has (NETIF_COOKED): the kernel
                     * leaves it out, and says nothing of offloads */
    bool promiscuous;
    bool ignore_outgoing; /* for direction "in": spares the kernel from showing sent frames */
    uint32_t bytes;       /* of the ring; 0: RING_BYTES_DEFAULT. Rounded up to whole blocks */
    uint32_t block_size;  /* 0: the default. A power of two from 4096 on; a frame must fit in one */
    uint32_t longest;     /* the longest super-packet that the interface may give, as far as known:
                           * the default block is made to hold it. Up to RING_LONGEST_MAX */
    uint32_t retire_ms;   /* a block is handed over after that at the latest; 0: the default */
    uint32_t snaplen;     /* keep no more than that of a frame; 0: all. The filter cuts first */
};

/* Frames that were captured and not given out, added up by ring_read(). */
struct ring_skips {
    uint64_t bad;      /* an entry that points outside its block */
    uint64_t unfilled; /* NOT part of the balance: room that the kernel took for a frame which it
                        * then counted as dropped (an offload that the header cannot tell of) */
    uint64_t clamped;  /* NOT part of the balance: frames that a block was too small for; they are
                        * given out, cut short */
};

struct ring;

/* May this process capture? 0, or -EPERM and the like with a sentence that says what it takes. */
int ring_may_capture(struct error *err);

/* Privileged. -ENODEV when the interface is gone; an interface that is down is no error here: it is
 * told by ring_error(), and capture begins when it comes up. */
int ring_open(const struct ring_conf *conf, int *ret_fd, struct error *err);

/* Takes `fd` over on success. `conf` must be the one that ring_open() had. */
int ring_attach(int fd, const struct ring_conf *conf, struct ring **ret, struct error *err);
void ring_free(struct ring *r);
DEFINE_FREEP(struct ring, ring_free)

/* To poll for POLLIN (a block is ready) and POLLERR (see ring_error). */
int ring_fd(const struct ring *r);

/* Gives out up to BATCH_MAX frames of one block; 0 when nothing is ready. Their bytes stay valid
 * until the next ring_read() or ring_release(). In each frame: VLAN tag put back at offset 12,
 * an Ethernet header (zero addresses) put before frames without one, csum_start counted from the
 * start of the frame as frame_copy() gives it (it may lie behind a cut). Adds to `*skips`. */
unsigned ring_read(struct ring *r, struct batch *b, struct ring_skips *skips);

/* Bytes of memory, for frames and what the kernel writes beside them. */
uint64_t ring_size(const struct ring *r);

/* Hands the last block back to the kernel now, if all of it was given out. */
void ring_release(struct ring *r);

/* Swaps the program in one step; frames that are already in the ring were judged by the old one. */
int ring_set_filter(struct ring *r, const struct sock_filter *insns, unsigned n, struct error *err);

/* Frames since the start: accepted by the filter, and dropped of those for want of room. */
int ring_stats(struct ring *r, uint64_t *ret_seen, uint64_t *ret_dropped);

/* Refuses everything from now on; what was accepted before can still be read. */
int ring_stop(struct ring *r);

/* After ring_stop(): true once every accepted frame was read. Until then poll (with a timeout of
 * some retire_ms) and read on. */
bool ring_drained(struct ring *r);

/* Takes the socket's pending error: 0, -ENETDOWN (the interface went down or away), … */
int ring_error(struct ring *r);

/* SPDX-License-Identifier: Apache-2.0
 *
 * The sending end of one stream: frames in, sealed records out. Frames are packed into a byte
 * stream that is cut into segments of the path's size, each sealed where it lies; up to
 * PACKER_SEGMENTS of equal size lie side by side, ready for one send call with UDP_SEGMENT.
 *
 * Single-threaded: belongs to one of the tap's data threads. Nothing is allocated after packer_new.
 */
#pragma once

#include "base/batch.h"
#include "sys/crypto/aead.h"

enum {
    PACKER_SEGMENTS = 44,
    PACKER_BYTES = 65000, /* of one send call: IP's 64 kB less headers */
};

struct packer;

struct packer_out {
    /* Sends `len` bytes as datagrams of `datagram` bytes each, the last one possibly shorter.
     * Returns how many datagrams the system refused; they count as lost on the link. */
    unsigned (*send)(void *user, const uint8_t *data, size_t len, uint32_t datagram);
    void *user;
};

struct packer_key {
    struct aead *aead; /* used, not owned: must outlive its use here */
    uint32_t receiver; /* the collector's index of this key */
    bool weights;      /* frames are sent with them, … */
    bool extensions;   /* … and with these, where they have something to say */
};

struct packer_stats {
    uint64_t frames;     /* numbered since packer_reset */
    uint64_t datagrams;  /* sealed since packer_reset */
    uint64_t wire_bytes; /* of datagrams, UDP payload, over all sessions */
    uint64_t unsent;     /* datagrams refused by the system, over all sessions */
};

struct packer *packer_new(uint16_t stream, const struct packer_out *out);
void packer_free(struct packer *p);

/* A new session: frame numbers and counters begin again at 0. What was not sent is forgotten, so
 * packer_flush goes first. */
void packer_reset(struct packer *p, const struct packer_key *key);
/* Another key in the same session: numbers go on. What is packed is sent with the old key first. */
void packer_rekey(struct packer *p, const struct packer_key *key);
/* Size of a datagram (UDP payload) in [LINK_DATAGRAM_MIN, LINK_DATAGRAM_MAX]; flushes first. */
void packer_set_size(struct packer *p, uint32_t datagram);

/* So many datagrams are sent at once, at most, from now on; flushes first where it is less. */
void packer_set_most(struct packer *p, unsigned datagrams);

/* Copies the frame in, or flow records in place of frames, for an end that understands them; sends
 * when enough has come together. */
void packer_frame(struct packer *p, const struct frame *f);
/* Sends what is there, the last datagram as short as it comes. */
void packer_flush(struct packer *p);
/* Sends the full datagrams only. */
void packer_push(struct packer *p);
/* The full datagrams that have not been sent, and whether there is anything else. */
unsigned packer_full(const struct packer *p);
bool packer_has_rest(const struct packer *p);

struct packer_stats packer_stats(const struct packer *p);

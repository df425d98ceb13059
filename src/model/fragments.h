/* SPDX-License-Identifier: Apache-2.0
 *
 * The ports of fragmented packets: only a packet's first fragment has them, and the later ones are
 * of the same flow. The first is remembered for a while, by the packet's identification. Bounded: a
 * new one takes the place of another whose place it has, so that the later fragments of that one
 * are unknown. Pure: time goes in with the packets, and hashes are the caller's, under its own key.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/time.h"

enum {
    FRAGMENTS = 4096, /* packets that are remembered; a power of two */
};

#define FRAGMENTS_NS (30 * NSEC_PER_SEC) /* a packet is remembered for so long */

/* A packet, of which all fragments have the same. Without padding: it is hashed and compared as
 * bytes. */
struct fragments_key {
    uint8_t addr[2][16]; /* source, destination; IPv4: 4 bytes, then zeros */
    uint32_t ident;
    uint32_t tunnel[2]; /* the kind and identifier of that in which it is; zeros: in none */
    uint16_t vlan[4];
    uint16_t point;
    uint8_t proto, version;
};

_Static_assert(sizeof(struct fragments_key) == 56, "a packet's key is hashed as bytes");

struct fragments_entry {
    struct fragments_key key;
    uint16_t port[2];
    bool used;
    int64_t seen_ns; /* struct wall */
};

struct fragments {
    struct fragments_entry entry[FRAGMENTS];
};

/* Zeros to begin with. A first fragment has come, with these ports. */
void fragments_first(struct fragments *f, const struct fragments_key *key, uint64_t hash,
                     const uint16_t port[2], int64_t ts_ns);
/* A later fragment's ports; false: its packet is not known, or no more. */
bool fragments_later(const struct fragments *f, const struct fragments_key *key, uint64_t hash,
                     int64_t ts_ns, uint16_t ret_port[2]);

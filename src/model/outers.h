/* SPDX-License-Identifier: Apache-2.0
 *
 * Surroundings of the packets of flows: the addresses outside a tunnel, and the MPLS label. Many
 * flows have the same, which is kept once, and they know it by its number: a flow's entry has no
 * room for two addresses of IPv6 more. Bounded: what has no place is not kept, until
 * others are let go. Pure; the caller hashes, under a key of its own, so that nobody can aim at a
 * chain.
 */
#pragma once

#include <stdint.h>

enum {
    OUTERS_MAX = 65535, /* 3 MB, where all were in use at some time */
};

/* Without padding: it is hashed and compared as bytes. */
struct outer {
    uint8_t addr[2][16]; /* IPv4: 4 bytes, then zeros */
    uint32_t version;    /* 4 or 6; 0: no tunnel, and the addresses are zeros */
    uint32_t label;      /* the caller's; 0: none */
};

_Static_assert(sizeof(struct outer) == 40, "it is hashed as bytes");

struct outers;

/* -ENOMEM. Memory is taken as it is used. */
int outers_new(struct outers **ret);
/* Takes NULL. */
void outers_free(struct outers *o);

/* Its number, > 0, which counts one user more; 0: there is no place for it. */
uint16_t outers_hold(struct outers *o, const struct outer *what, uint64_t hash);
/* The one that is held by that number. */
const struct outer *outers_get(const struct outers *o, uint16_t number);
/* One user less: without any the number is another's. */
void outers_drop(struct outers *o, uint16_t number);

/* SPDX-License-Identifier: Apache-2.0
 *
 * The messages between the control role and the data role: one message a datagram of a
 * SOCK_SEQPACKET pair, of WANTED_MESSAGE_MAX bytes at most: u32 magic "fsr1", u8 type, body. Bodies
 * by type, each with whom it comes from:
 *
 * 1 HELLO, both: u16 version, u64 life. It comes before all others, once.
 *
 * 2 WANT, control: u64 generation, u16 place, u16 number, one wanted of proto/wanted.h. A number of
 *   0 is an empty set; it has place 0 and no wanted. The set applies when all its places have come.
 *   In a session generations only grow: an older one than the last seen means nothing. A set that
 *   comes again is acknowledged again.
 *
 * 3 SNAPSHOT, control: u8 id[16]. The flows of this moment of a running netflow capture are to go
 *   into its second file.
 *
 * 4 APPLIED, data: u64 generation.
 *
 * 5 IS, data: one "is" of proto/wanted.h, at each change of state and once a second.
 *
 * 6 PORT, data: u32 round, one port of proto/wanted.h.
 *
 * 7 PORTS, data: u32 round, u32 number of its ports. It ends a round: what was not in it is gone.
 *
 * 8 SNAPPED, data: u8 id[16], u32 errno, 0 for done.
 *
 * 9 TAP, control: one want of proto/tapwant.h. The flow is wanted, as it says, from now on.
 *
 * 10 UNTAP, control: u8 id[16]. The flow is not wanted any more.
 *
 * 11 TAPS, control: u64 generation, u32 number. All changes up to here are one: so many flows are
 *   wanted now. The first one of a session ends the whole set, and what was not in it is not
 *   wanted any more; those behind it tell changes only.
 *
 * 12 TAPPED, data: u64 generation. What that TAPS ended is carried out as far as it can be: flows
 *   that were not wanted any more are gone.
 *
 * 13 TAP_IS, data: one "is" of proto/tapwant.h, at each change and once a second while it counts.
 */
#pragma once

#include "proto/tapwant.h"

enum {
    ROLEMSG_VERSION = 1,
};

enum rolemsg_type {
    ROLEMSG_HELLO = 1,
    ROLEMSG_WANT = 2,
    ROLEMSG_SNAPSHOT = 3,
    ROLEMSG_APPLIED = 4,
    ROLEMSG_IS = 5,
    ROLEMSG_PORT = 6,
    ROLEMSG_PORTS = 7,
    ROLEMSG_SNAPPED = 8,
    ROLEMSG_TAP = 9,
    ROLEMSG_UNTAP = 10,
    ROLEMSG_TAPS = 11,
    ROLEMSG_TAPPED = 12,
    ROLEMSG_TAP_IS = 13,
};

struct rolemsg {
    enum rolemsg_type type;
    uint16_t version;    /* HELLO */
    uint64_t life;       /* HELLO of data: any number that tells this process from those before and
                          * after it, as its start by the wall clock in ns; of control: 0 */
    uint64_t generation; /* WANT, APPLIED, TAPS, TAPPED */
    uint16_t place, n;   /* WANT: place < n, or both 0 */
    uint32_t round, ports; /* PORT, PORTS */
    uint32_t code;         /* SNAPPED: errno, 0: done */
    uint32_t taps;         /* TAPS */
    uint8_t id[WANTED_ID]; /* SNAPSHOT, SNAPPED, UNTAP */
    struct wanted wanted;  /* WANT with n > 0 */
    struct wanted_is is;
    struct wanted_port port;
    struct tap_want tap;
    struct tap_is tap_is;
};

/* The message's length, or -EMSGSIZE. */
int rolemsg_put(void *buf, size_t cap, const struct rolemsg *m);
/* Exactly one message: 0, or -EBADMSG. */
int rolemsg_get(const void *buf, size_t len, struct rolemsg *ret);

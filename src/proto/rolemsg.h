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
 */
#pragma once

#include "proto/wanted.h"

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
};

struct rolemsg {
    enum rolemsg_type type;
    uint16_t version;    /* HELLO */
    uint64_t life;       /* HELLO of data: any number that tells this process from those before and
                          * after it, as its start by the wall clock in ns; of control: 0 */
    uint64_t generation; /* WANT, APPLIED */
    uint16_t place, n;   /* WANT: place < n, or both 0 */
    uint32_t round, ports; /* PORT, PORTS */
    uint32_t code;         /* SNAPPED: errno, 0: done */
    uint8_t id[WANTED_ID]; /* SNAPSHOT, SNAPPED */
    struct wanted wanted;  /* WANT with n > 0 */
    struct wanted_is is;
    struct wanted_port port;
};

/* The message's length, or -EMSGSIZE. */
int rolemsg_put(void *buf, size_t cap, const struct rolemsg *m);
/* Exactly one message: 0, or -EBADMSG. */
int rolemsg_get(const void *buf, size_t len, struct rolemsg *ret);

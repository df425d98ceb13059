/* SPDX-License-Identifier: Apache-2.0
 *
 * The messages between the control role and the data role: one message a datagram of a
 * SOCK_SEQPACKET pair, of WANTED_MESSAGE_MAX bytes at most, with a type and a length-checked body.
 *
 *   both      HELLO     u16 version, before all others
 *   control   WANT      u64 generation, u16 place, u16 number, one `struct wanted`; a number of 0
 * is an empty set, and has none. The set applies when its last has come SNAPSHOT  an id: of a
 * running netflow capture, the flows of this moment into its second file data      APPLIED   u64
 * generation IS        one `struct wanted_is`: at each change of state, and once a second PORT u32
 * round, one `struct wanted_port`; PORTS u32 round, u32 number ends a round: what was not in it is
 * gone SNAPPED   an id, u32 errno
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
    uint16_t version;      /* HELLO */
    uint64_t generation;   /* WANT, APPLIED */
    uint16_t place, n;     /* WANT: place < n, or both 0 */
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

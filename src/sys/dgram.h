/* SPDX-License-Identifier: Apache-2.0
 *
 * Sockets for packets that others send unasked and in the clear, each with the time at which the
 * kernel got it: UDP on a port, or an IP protocol. While a raw socket of a protocol is open, the
 * kernel answers no packet of it with "protocol unreachable" (RFC 792).
 *
 * Two halves, for two processes, as in sys/ring.h: opening may need privileges (raw sockets
 * CAP_NET_RAW, the size of buffers CAP_NET_ADMIN), reading needs none.
 */
#pragma once

#include <stdint.h>

#include "base/error.h"
#include "sys/udp.h"

enum {
    DGRAM_MAX = 65536, /* bytes of room for one packet */
    DGRAM_READ = 32,   /* packets a call */
};

/* UDP on this port of an address, or of all addresses of both families (NULL; IPv4 alone where
 * there is no IPv6). Packets without a checksum are taken over IPv6 too (RFC 6935, section 5).
 * -EADDRINUSE and others with a sentence. */
int dgram_open_udp(const struct udp_addr *at, uint16_t port, int *ret_fd, struct error *err);
/* An IP protocol over AF_INET or AF_INET6, on an address of that family, or on all of them (NULL).
 * -EPERM, -EAFNOSUPPORT: there is no IPv6; with a sentence. */
int dgram_open_raw(int family, uint8_t protocol, const struct udp_addr *at, int *ret_fd,
                   struct error *err);

struct dgram {
    uint8_t *data; /* set by the caller: DGRAM_MAX bytes; what was read begins at `at` */
    uint32_t at, len;
    uint8_t from[16]; /* address of the sender, IPv4 mapped */
    int64_t time_ns;  /* struct wall; 0: the kernel did not tell */
};

/* Reads what is there, at most `n` packets (<= DGRAM_READ), without waiting. `raw`: of IPv4 these
 * begin with the IP header, which is passed over. A packet that was longer than the room has only
 * its beginning. How many, 0 for none, or -errno. */
int dgram_read(int fd, bool raw, struct dgram *d, unsigned n);

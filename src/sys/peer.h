/* SPDX-License-Identifier: Apache-2.0
 *
 * A socket to one peer that is only told things: datagrams, or bytes of a TCP connection. Opening
 * may need privileges, for the mark of what farspan sends (base/sockmark.h); use does not, and
 * never waits.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "sys/udp.h"

enum {
    PEER_SEND_BUFFER = 1 << 20, /* bytes of datagrams that may wait for the device */
    PEER_DEAD_MS = 20000,       /* after which a TCP peer that answers nothing is away */
};

/* `mark`: of what it sends, as far as privileges allow (base/sockmark.h); 0: none. UDP: connected,
 * without "don't fragment". TCP: the connection is under way, and sending says whether it came
 * about. 0 or -errno with a sentence. */
int peer_open(bool tcp, const struct udp_addr *to, uint32_t mark, int *ret_fd, struct error *err);

/* Sends a datagram whole. -EAGAIN: there is no room now; -ECONNREFUSED: it was not sent, as an
 * earlier one was refused by an ICMP message, and may be sent again; or another -errno. */
int peer_send(int fd, const void *data, size_t len);
/* Do both go to the same address and port? */
bool peer_same(int fd, int other);
/* 0, or the -errno of an ICMP message that came for an earlier datagram, which is told once. */
int peer_answer(int fd);

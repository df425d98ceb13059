/* SPDX-License-Identifier: Apache-2.0
 *
 * A TCP socket that programs connect to, to be given bytes. Two halves, for two processes: opening
 * may need privileges, use does not. The functions of use never wait.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "sys/udp.h"

enum {
    TCP_SEND_BUFFER = 8 << 20, /* bytes at least that a connection keeps for a slow reader */
};

/* Privileged. A socket at that address and port to which others connect. Its connections have a
 * send buffer of TCP_SEND_BUFFER, where the process may set that, or else the system's; those whose
 * other end is silent for a minute end; what they send has the mark of outputs (base/sockmark.h).
 * -EADDRINUSE, -EADDRNOTAVAIL, … in words. */
int tcp_listen(const struct udp_addr *at, uint16_t port, int *ret_fd, struct error *err);

/* The next connection, a descriptor of the caller's; -EAGAIN: there is none. */
int tcp_accept(int fd);
/* Gives bytes to the system; *ret_taken how many it took, fewer than `len` when the buffer is full.
 * 0; or -errno: the connection is over. */
int tcp_send(int fd, const void *data, size_t len, size_t *ret_taken);
/* Whether the other end has closed the connection, or its own half of it. What it has said is
 * thrown away. */
bool tcp_is_over(int fd);
/* Bytes that the other end's system has not taken yet, or -errno. */
int tcp_unsent(int fd);

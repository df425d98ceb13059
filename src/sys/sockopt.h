/* SPDX-License-Identifier: Apache-2.0
 *
 * Options of sockets that are a number.
 */
#pragma once

#include <errno.h>
#include <sys/socket.h>

/* 0 or -errno. */
static inline int sockopt_int(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof(value)) < 0 ? -errno : 0;
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * The changes of network interfaces, as the kernel tells them (rtnetlink's link group): one socket,
 * which may be opened by another process, in another namespace, than the one that reads it. Reading
 * needs no privilege, and nothing can be changed through a socket that was handed over by somebody
 * with fewer rights than the change needs: the kernel looks at the reader's.
 */
#pragma once

#include "sys/netif.h"

/* A socket that hears of every interface of the calling thread's namespace from now on. */
int ifwatch_open(int *ret_fd, struct error *err);

enum ifwatch_kind {
    IFWATCH_IS,   /* the interface is there, as described: new, changed, or asked for */
    IFWATCH_GONE, /* it is not there any more; index and name are set */
    IFWATCH_ALL,  /* the answer to ifwatch_ask is complete: what was not told of is gone */
    IFWATCH_LOST, /* the kernel had more to tell than the socket holds: ask anew */
};

typedef void ifwatch_fn(void *user, enum ifwatch_kind kind, const struct netif *link);

/* Asks for all interfaces: each is told of, then IFWATCH_ALL. -errno, -EAGAIN: later. */
int ifwatch_ask(int fd);

/* Tells of some of what is there to be read, without waiting; the socket stays readable while there
 * is more. 0 or -errno. */
int ifwatch_read(int fd, ifwatch_fn *fn, void *user);

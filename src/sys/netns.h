/* SPDX-License-Identifier: Apache-2.0
 *
 * Another network namespace: one that has a name (ip-netns(8)), or a process's. It is entered to
 * open a socket there and left at once; the caller has one thread. Nothing here keeps a namespace
 * alive that its owner is done with: a name is opened anew for each visit, and a process's
 * descriptor is closed when the process has ended. Sockets that were opened inside do keep it
 * alive, and are their owner's to close when netns_id says that it is gone.
 *
 * Entering needs CAP_SYS_ADMIN, and opening a process's namespace the right to trace it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

struct netns;

/* `what`: a number is a process's id, anything else a name in /run/netns. With -errno and a
 * sentence when there is no such namespace now. */
int netns_open(const char *what, struct netns **ret, struct error *err);
void netns_free(struct netns *n);
DEFINE_FREEP(struct netns, netns_free)

/* Names the namespace that is there now: 0, it is gone. Another number than before: another one of
 * the same name. */
uint64_t netns_id(struct netns *n);
/* A process's: once gone it will not come back. */
bool netns_of_process(const struct netns *n);

/* The calling thread is in it from now on. -ENOENT: it is gone. */
int netns_enter(struct netns *n, struct error *err);
/* Back to where the thread was when `n` was opened. Cannot fail: the process ends if it does, since
 * nothing that it opens later would be where it is wanted. */
void netns_leave(const struct netns *n);

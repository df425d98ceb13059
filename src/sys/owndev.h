/* SPDX-License-Identifier: Apache-2.0
 *
 * Which TAP devices collectors have made, so that a tap leaves those out and no others: what a
 * collector puts there would come back to it for ever. A device's name, alias and kind are for
 * anybody to choose who may change interfaces; this is not. Each collector keeps a list, a file in
 * the folder of status sockets (sys/unixsock.h), which only the user that it was started by can
 * write. It holds the namespace and the index of each of its devices, and counts for as long as the
 * collector lives and holds the file's lock. A tap believes the lists of root and of its own user;
 * where it sees none, it takes the device for anybody's, and taps it.
 */
#pragma once

#include <stdbool.h>

#include "base/error.h"

enum {
    OWNDEV_MAX = 4096, /* devices of one collector at a time */
};

struct owndev;

/* A collector's list, in `dir`, which is there. What collectors left that have ended is removed. */
int owndev_new(const char *dir, struct owndev **ret, struct error *err);
/* Closes it: the other process goes on with it, or nobody does. */
void owndev_free(struct owndev *o);
DEFINE_FREEP(struct owndev, owndev_free)
/* Takes the file away. By the process that adds, at its end. */
void owndev_remove(const struct owndev *o);

/* The device of this namespace is the collector's from now on: before a frame can be on it.
 * -ENOSPC: OWNDEV_MAX of its devices are there. */
int owndev_add(struct owndev *o, int ifindex, struct error *err);

/* Is the device of the calling thread's network namespace in a list in `dir`? */
bool owndev_is(const char *dir, int ifindex);

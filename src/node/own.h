/* SPDX-License-Identifier: Apache-2.0
 *
 * The collectors' devices of this host that a tap has told of, by index: interfaces.c leaves them
 * out although a pattern matches, since frames that a collector puts there would come back to it
 * for ever, and says so of each once. Only the lists of collectors (sys/owndev.h) say which those
 * are, for anybody may give an interface any name and alias; the broker reads them.
 */
#pragma once

#include <stdbool.h>

enum {
    OWN_TOLD = 1024, /* of others it is not told */
};

/* Zeros to begin with. */
struct own {
    int index[OWN_TOLD];
    unsigned n;
};

/* True the first time, for as many as there is room for. */
bool own_tell(struct own *o, int index);
/* There is no such device any more. */
void own_forget(struct own *o, int index);

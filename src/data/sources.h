/* SPDX-License-Identifier: Apache-2.0
 *
 * The sources that an interface can have, a row each: NAME_source() makes that one, in its file in
 * data/source/. The first that takes the interface is its source, so the ring, which takes each, is
 * the last. A capture (node/capture.c) begins with one of these; the link is no source of an
 * interface, and comes with its thread (link/receive/receiver.c).
 */
#pragma once

#include "data/source.h"

#define SOURCE_LIST(X) X(RING, ring)

/* The interface that wants a source. */
struct source_wishes {
    const char *name;
    struct ledger *ledger; /* its counts; outlives the source */
    uint32_t point;        /* frame.point of what it pushes */
};

/* Makes the source if this is one for the interface; else *ret stays NULL. 0 or -ENOMEM. */
#define X(ID, name) int name##_source(const struct source_wishes *w, struct source **ret);
SOURCE_LIST(X)
#undef X

/* Asks each of the list. It has no ring yet (source_swap). 0 or -errno. */
int source_make(const struct source_wishes *w, struct source **ret);

/* SPDX-License-Identifier: Apache-2.0
 *
 * The capture ring (sys/ring.h) as a pipeline's source, with its part of the ledger: what the
 * kernel saw and dropped, what was taken, and what cannot be carried.
 */
#pragma once

#include "base/ledger.h"
#include "data/source.h"
#include "sys/ring.h"

/* Takes `ring` over, also on failure. The ledger (RING, SELECT) must outlive the source. -ENOMEM.
 */
int ring_source_new(struct ring *ring, struct ledger *ledger, struct source **ret);

/* Asks the kernel for its counts; after a run, so that they include what was read. */
void ring_source_count(struct source *s);

/* The ring behind it, for its filter and its end. */
/* Frames come from another ring now, which is taken over (NULL: from none). What the old one has is
 * to be read before; what cannot be is counted. */
void ring_source_swap(struct source *s, struct ring *ring);
struct ring *ring_source_ring(struct source *s);

/* SPDX-License-Identifier: Apache-2.0
 *
 * The capture ring (sys/ring.h) as a pipeline's source, with its part of the ledger (RING, SELECT):
 * what the kernel saw and dropped, what was taken, and what cannot be carried. Captures know it as
 * a row of data/sources.h; its tests look at the ring behind it.
 */
#pragma once

#include "data/source.h"
#include "sys/ring.h"

/* The ring behind the source, borrowed, or NULL. */
struct ring *ring_source_ring(struct source *s);

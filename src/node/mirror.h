/* SPDX-License-Identifier: Apache-2.0
 *
 * Tap flows in the kernel, as the broker has them: what is wanted becomes programs at interfaces
 * (proto/ebpf_taps.h, sys/bpf.h), and their counters become those of flows. Flows of one port, one
 * direction and one service share programs of EBPF_TAPS_FLOWS flows, each of which makes one copy
 * of a frame, whichever of its flows match.
 *
 * What is wanted is told flow by flow, and mirror_apply() makes it so. It is called again and
 * again: interfaces come, go and come back, and somebody may have taken a program off. The kernel
 * takes the programs away when this process ends, however that ends. Features of destinations that
 * were switched off are put back by mirror_free(), and after kill -9 by the next process.
 *
 * Where a flow does not want super-packets as they are, all copies at its destination are frames as
 * on a cable, those of flows that would want them too (node/mirror_wire.h).
 *
 * All is called in one thread, in the network namespace of the interfaces.
 */
#pragma once

#include "base/cleanup.h"
#include "base/time.h"
#include "node/mirror_flow.h"

struct mirror;

/* `notes`: the folder in which it is noted what has to be put back at interfaces; it stays the
 * caller's. -1: nothing is noted. -ENOMEM. */
int mirror_new(int notes, struct mirror **ret);
/* Puts back what another process that was killed had noted there; the first mirror_apply() does it
 * otherwise. -errno with the sentence of the first failure: the rest is done all the same, and what
 * failed is tried again. */
int mirror_recover(struct mirror *m, struct error *err);
/* Takes NULL. */
void mirror_free(struct mirror *m);
DEFINE_FREEP(struct mirror, mirror_free)

/* The flow is wanted, or wanted otherwise than before; with a filter once all of that has come.
 * -ENOSPC: TAPWANT_MAX are; -EINVAL: source and destination are one; -ENOMEM. */
int mirror_put(struct mirror *m, const struct mirror_flow *f, struct error *err);
/* The next `n` instructions of a flow's filter, which begin at place `at`. -ENOENT: it is not
 * wanted; -EINVAL: they are not the next, or the filter is none once it is complete. */
int mirror_code(struct mirror *m, const uint8_t id[WANTED_ID], unsigned at,
                const struct sock_filter *code, unsigned n, struct error *err);
/* It is not wanted any more: with the next mirror_apply() it is gone. */
void mirror_drop(struct mirror *m, const uint8_t id[WANTED_ID]);
/* All that is wanted is about to be told anew; it has been: what was not told is not wanted. */
void mirror_begin(struct mirror *m);
void mirror_end(struct mirror *m);

/* Makes it so, as far as that can be done within some 20 ms. True: there is more to do. */
bool mirror_apply(struct mirror *m, struct mono now);
/* The number of this mirror's life, unlike those of others; not 0. */
uint64_t mirror_life(const struct mirror *m);
/* -ENOENT: it is not wanted. */
int mirror_read(const struct mirror *m, const uint8_t id[WANTED_ID], struct mirror_is *ret);

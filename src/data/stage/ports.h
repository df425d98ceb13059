/* SPDX-License-Identifier: Apache-2.0
 *
 * For a source of several interfaces (`-i any`): turns the kernel's interface index, which may be
 * any number, into the small number under which the collector was told of the interface. A frame of
 * another one (the collector is being told of it) gets 0: no interface of its own.
 */
#pragma once

#include "data/pipeline.h"

enum {
    PORTS_MAX = 250,
};

/* -ENOMEM. */
int ports_stage_new(struct stage **ret);
/* Interface ifindex[i] is number i + 1 from now on; at most PORTS_MAX; 0: none is. Copied. */
void ports_stage_set(struct stage *s, const uint32_t *ifindex, unsigned n);

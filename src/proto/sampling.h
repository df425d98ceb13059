/* SPDX-License-Identifier: Apache-2.0
 *
 * Samples of packets, as exports declare them.
 */
#pragma once

#include <stdint.h>

enum {
    SAMPLING_MAX = 1000000, /* packets or flows of which one is taken */
};

/* One packet of so many, at a random place among them; 0: nothing is declared. */
struct sampling {
    uint32_t packets;
};

/* SPDX-License-Identifier: Apache-2.0
 *
 * A token bucket: the bound of everything that a peer may cause at a rate. Pure: the time goes in.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/time.h"

/* A rate and a burst: `burst` tokens at most, `rate` more each second. */
struct bucket {
    int64_t milli; /* thousandths of tokens */
    struct mono at;
};

void bucket_init(struct bucket *b, int64_t burst, struct mono now);
/* Takes a token; false when there is none. */
bool bucket_take(struct bucket *b, int64_t rate, int64_t burst, struct mono now);
/* Is there one? */
bool bucket_has(struct bucket *b, int64_t rate, int64_t burst, struct mono now);
/* Adds the tokens that came since the last look; how many there are, in thousandths. */
int64_t bucket_fill(struct bucket *b, int64_t rate, int64_t burst, struct mono now);

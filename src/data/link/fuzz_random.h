/* SPDX-License-Identifier: Apache-2.0
 *
 * For fuzz targets that draw keys and indices: an input has to mean the same each time. One source
 * file of a program includes it, and sets `fuzz_drawn` at the start of each input.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/random.h>
#include <sys/types.h>

static uint64_t fuzz_drawn;

/* Instead of the C library's, for this program. */
ssize_t getrandom(void *to, size_t n, unsigned flags)
{
    uint8_t *p = to;
    (void)flags;
    for (size_t i = 0; i < n; i++) {
        uint64_t z = (fuzz_drawn += 0x9e3779b97f4a7c15u);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        p[i] = (uint8_t)(z >> 33);
    }
    return (ssize_t)n;
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * Cyclic redundancy checks of 32 bits whose bits go out in reverse, such as Ethernet's and SCTP's:
 * only the polynomial differs.
 */
#pragma once

#include <stdint.h>

/* Of `len` bytes, by a table of the remainders of four bits n, shifted out through the polynomial
 * (bits in reverse). */
static inline uint32_t crc32_of(const uint32_t table[16], const uint8_t *p, uint32_t len)
{
    uint32_t crc = UINT32_MAX;
    for (uint32_t i = 0; i < len; i++) {
        crc ^= p[i];
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    return ~crc;
}

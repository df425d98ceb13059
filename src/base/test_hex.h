/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests only: published vectors as bytes.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Exactly 2 * n digits, letters in lower case. */
static inline bool test_hex(const char *text, uint8_t *ret, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    if (strlen(text) != 2 * n) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        const char *hi = strchr(digits, text[2 * i]), *lo = strchr(digits, text[2 * i + 1]);
        if (!hi || !lo) {
            return false;
        }
        ret[i] = (uint8_t)((hi - digits) << 4 | (lo - digits));
    }
    return true;
}

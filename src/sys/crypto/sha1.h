/* SPDX-License-Identifier: Apache-2.0
 *
 * SHA-1 (FIPS 180-4), for names that other programs make in the same way, and for nothing that has
 * to be secure.
 */
#pragma once

#include <stddef.h>

enum {
    SHA1_BASE64_LEN = 28, /* characters, with padding (RFC 4648, section 4) */
};

/* The hash of `len` bytes as text. -EIO: the library has no SHA-1. */
int sha1_base64(const void *data, size_t len, char ret[SHA1_BASE64_LEN + 1]);

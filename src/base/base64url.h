/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes as text that may stand in an URL or a header: base64 with the alphabet of RFC 4648,
 * section 5, without padding. A text has one value and a value one text.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Characters of `n` bytes, without the end of the text. */
#define BASE64URL_LEN(n) (((n)*4 + 2) / 3)

/* Of `n` bytes; `ret` has room for BASE64URL_LEN(n) + 1 characters. */
void base64url_put(const void *from, size_t n, char *ret);
/* How many bytes are in `len` characters, at most `cap`. -EINVAL: it is no such text, or has bits
 * that no byte has; -EMSGSIZE: there are more. */
int base64url_get(const char *text, size_t len, uint8_t *ret, size_t cap);

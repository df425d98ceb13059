/* SPDX-License-Identifier: Apache-2.0
 *
 * Which form of an answer a client takes (RFC 9110, section 12.5.1), which form its body has, and
 * which part of a file it wants (section 14). Pure functions over headers.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The weight in thousandths that the header Accept gives to "type/subtype"; 0: not wanted. The most
 * exact of its ranges counts. NULL or "": all are welcome. */
unsigned negotiate_accept(const char *accept, const char *type);

/* Is the header Content-Type that type, whatever its parameters? Of a charset only UTF-8. */
bool negotiate_is(const char *content_type, const char *type);

/* Does the list of an If-None-Match have the tag ("\"a-1\""), or all? Weak ones compare alike. */
bool negotiate_has_tag(const char *list, const char *tag);

enum negotiate_range {
    RANGE_NONE, /* it is in another unit or form, or several: the whole is given */
    RANGE_PART, /* … from *ret_from to *ret_to, both included */
    RANGE_OUT,  /* nothing of it is there */
};

/* A header Range over `len` bytes that are there. `open`: more will come, so that nobody knows
 * where a range from the end begins: that is RANGE_OUT. */
enum negotiate_range negotiate_range(const char *range, uint64_t len, bool open, uint64_t *ret_from,
                                     uint64_t *ret_to);

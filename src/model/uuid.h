/* SPDX-License-Identifier: Apache-2.0
 *
 * UUIDs (RFC 9562) as ids of objects: those of version 7 sort by the time at which they were made,
 * those of version 8 come out of a name. Pure: time, random bytes and hashes are passed in.
 */
#pragma once

#include <stdint.h>

enum {
    UUID_BYTES = 16,
    UUID_RANDOM = 10, /* bytes of chance in one of version 7 */
    UUID_TEXT = 37,   /* bytes of its text, the end included */
};

/* Version 7 (section 5.7) out of a time in ms since 1970. */
void uuid_make(uint64_t ms, const uint8_t random[UUID_RANDOM], uint8_t ret[UUID_BYTES]);
/* The time of one of version 7, in ms since 1970. -EINVAL: it is of another version. */
int uuid_time(const uint8_t id[UUID_BYTES], uint64_t *ret_ms);
/* Version 8 (section 5.8) out of the first 16 bytes of a name's hash: alike for the same name. */
void uuid_of_hash(const uint8_t hash[UUID_BYTES], uint8_t ret[UUID_BYTES]);
/* In small letters. */
void uuid_text(const uint8_t id[UUID_BYTES], char ret[UUID_TEXT]);
/* Letters may be large or small. -EINVAL: not 36 characters in the form of one. */
int uuid_parse(const char *text, uint8_t ret[UUID_BYTES]);

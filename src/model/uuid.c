/* SPDX-License-Identifier: Apache-2.0 */
#include "model/uuid.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

static void stamp(uint8_t id[UUID_BYTES], unsigned version)
{
    id[6] = (uint8_t)((id[6] & 0x0f) | version << 4);
    id[8] = (uint8_t)((id[8] & 0x3f) | 0x80); /* the variant of RFC 9562 */
}

void uuid_make(uint64_t ms, const uint8_t random[UUID_RANDOM], uint8_t ret[UUID_BYTES])
{
    for (unsigned i = 0; i < 6; i++) {
        ret[i] = (uint8_t)(ms >> (40 - 8 * i));
    }
    memcpy(ret + 6, random, UUID_RANDOM);
    stamp(ret, 7);
}

int uuid_time(const uint8_t id[UUID_BYTES], uint64_t *ret_ms)
{
    uint64_t ms = 0;
    if (id[6] >> 4 != 7) {
        return -EINVAL;
    }
    for (unsigned i = 0; i < 6; i++) {
        ms = ms << 8 | id[i];
    }
    *ret_ms = ms;
    return 0;
}

void uuid_of_hash(const uint8_t hash[UUID_BYTES], uint8_t ret[UUID_BYTES])
{
    memmove(ret, hash, UUID_BYTES);
    stamp(ret, 8);
}

/* Before this byte of it there is a dash. */
static bool dash_before(unsigned byte)
{
    return byte == 4 || byte == 6 || byte == 8 || byte == 10;
}

void uuid_text(const uint8_t id[UUID_BYTES], char ret[UUID_TEXT])
{
    static const char digits[] = "0123456789abcdef";
    for (unsigned i = 0; i < UUID_BYTES; i++) {
        if (dash_before(i)) {
            *ret++ = '-';
        }
        *ret++ = digits[id[i] >> 4];
        *ret++ = digits[id[i] & 15];
    }
    *ret = '\0';
}

static int digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

int uuid_parse(const char *text, uint8_t ret[UUID_BYTES])
{
    uint8_t id[UUID_BYTES];
    for (unsigned i = 0; i < UUID_BYTES; i++) {
        if (dash_before(i) && *text++ != '-') {
            return -EINVAL;
        }
        int high = digit(text[0]), low = high < 0 ? -1 : digit(text[1]);
        if (low < 0) {
            return -EINVAL;
        }
        id[i] = (uint8_t)(high << 4 | low);
        text += 2;
    }
    if (*text != '\0') {
        return -EINVAL;
    }
    memcpy(ret, id, sizeof(id));
    return 0;
}

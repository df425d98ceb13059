/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base64url.h"

#include <errno.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void base64url_put(const void *from, size_t n, char *ret)
{
    const uint8_t *p = from;
    uint32_t bits = 0;
    unsigned have = 0;
    for (size_t i = 0; i < n; i++) {
        bits = bits << 8 | p[i];
        for (have += 8; have >= 6; have -= 6) {
            *ret++ = alphabet[bits >> (have - 6) & 63];
        }
    }
    if (have > 0) {
        *ret++ = alphabet[bits << (6 - have) & 63];
    }
    *ret = '\0';
}

static int digit(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    return c == '-' ? 62 : c == '_' ? 63 : -EINVAL;
}

int base64url_get(const char *text, size_t len, uint8_t *ret, size_t cap)
{
    uint32_t bits = 0;
    unsigned have = 0;
    size_t n = 0;
    if (len % 4 == 1) {
        return -EINVAL;
    }
    for (size_t i = 0; i < len; i++) {
        int d = digit(text[i]);
        if (d < 0) {
            return d;
        }
        bits = bits << 6 | (uint32_t)d;
        have += 6;
        if (have < 8) {
            continue;
        }
        if (n == cap) {
            return -EMSGSIZE;
        }
        have -= 8;
        ret[n++] = (uint8_t)(bits >> have);
    }
    return bits & ((1U << have) - 1) ? -EINVAL : (int)n;
}

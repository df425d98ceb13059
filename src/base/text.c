/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"

/* Adds `n` bytes as they are or escaped; false when there is no room. */
static bool add(char *to, size_t cap, size_t *at, const char *from, size_t n, bool escape)
{
    if (*at + n * (escape ? TEXT_ESCAPE : 1) >= cap) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        if (escape) {
            snprintf(to + *at, TEXT_ESCAPE + 1, "\\x%02x", (uint8_t)from[i]);
            *at += TEXT_ESCAPE;
        } else {
            to[(*at)++] = from[i];
        }
    }
    to[*at] = '\0';
    return true;
}

void text_hex(char *to, const uint8_t *bytes, size_t n)
{
    to[0] = '\0';
    for (size_t i = 0; i < n; i++) {
        (void)snprintf(to + 2 * i, 3, "%02x", bytes[i]);
    }
}

static bool is_escaped(char c)
{
    return c < ' ' || c > '~' || c == '\\';
}

void text_name(char *to, size_t cap, const char *from, size_t len)
{
    size_t at = 0;
    to[0] = '\0';
    for (size_t i = 0; i < len; i++) {
        if (!add(to, cap, &at, from + i, 1, is_escaped(from[i]))) {
            return;
        }
    }
}

/* One byte of a name, which ends before *ret_end. -EINVAL: nothing that text_name() makes. */
static int name_byte(const char *from, const char **ret_end)
{
    static const char digits[] = "0123456789abcdef";
    if (!is_escaped(from[0])) {
        *ret_end = from + 1;
        return from[0];
    }
    const char *high =
        from[0] == '\\' && from[1] == 'x' && from[2] ? strchr(digits, from[2]) : NULL;
    const char *low = high && from[3] ? strchr(digits, from[3]) : NULL;
    const int byte = low ? (int)(high - digits) << 4 | (int)(low - digits) : 0;
    *ret_end = from + TEXT_ESCAPE;
    return byte > 0 && is_escaped((char)byte) ? byte : -EINVAL;
}

int text_name_read(char *to, size_t cap, const char *from)
{
    size_t n = 0;
    while (*from) {
        const int byte = name_byte(from, &from);
        if (byte < 0 || n + 1 >= cap) {
            return -EINVAL;
        }
        to[n++] = (char)byte;
    }
    to[n] = '\0';
    return (int)n;
}

/* A character of UTF-8 (RFC 3629), its bytes in *ret_n; 0 when it is none. */
static uint32_t character(const uint8_t *p, size_t left, size_t *ret_n)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n = p[0] < 0x80 ? 1 : p[0] >> 5 == 6 ? 2 : p[0] >> 4 == 14 ? 3 : p[0] >> 3 == 30 ? 4 : 0;
    uint32_t c = n > 1 ? p[0] & (0x7fU >> n) : p[0];
    *ret_n = 1;
    if (n == 0 || n > left) {
        return 0;
    }
    for (size_t i = 1; i < n; i++) {
        if (p[i] >> 6 != 2) {
            return 0;
        }
        c = c << 6 | (p[i] & 0x3fU);
    }
    if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)) {
        return 0;
    }
    *ret_n = n;
    return c;
}

/* Controls of terminals (C0, C1), and marks that turn the direction of what follows or hide. */
static bool harmless(uint32_t c)
{
    return c >= ' ' && !(c >= 0x7f && c < 0xa0) && c != 0x61c && !(c >= 0x200b && c <= 0x200f) &&
           !(c >= 0x2028 && c <= 0x202e) && !(c >= 0x2060 && c <= 0x206f) && c != 0xfeff;
}

void text_line(char *to, size_t cap, const char *from)
{
    size_t at = 0, len = strlen(from), n = 1;
    to[0] = '\0';
    for (size_t i = 0; i < len; i += n) {
        uint32_t c = character((const uint8_t *)from + i, len - i, &n);
        if (!add(to, cap, &at, from + i, n, !harmless(c))) {
            return;
        }
    }
}

bool text_is_clean(const char *text)
{
    size_t len = strlen(text), n = 1;
    for (size_t i = 0; i < len; i += n) {
        if (!harmless(character((const uint8_t *)text + i, len - i, &n))) {
            return false;
        }
    }
    return true;
}

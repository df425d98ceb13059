/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a property file: names and values stay within their limits and are UTF-8, lines only
 * go up, each mistake has its sentence, and a property that is written with every character escaped
 * is read as the same.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "proto/properties.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The character at *at, which goes behind it. */
static uint32_t take(const char *text, size_t *at)
{
    const uint8_t first = (uint8_t)text[(*at)++];
    unsigned more = first < 0x80 ? 0 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
    assert(first < 0x80 || (first >= 0xc2 && first < 0xf5));
    uint32_t c = more == 0 ? first : first & (0x3fU >> more);
    for (; more > 0; more--) {
        const uint8_t next = (uint8_t)text[(*at)++];
        assert(next >> 6 == 2);
        c = c << 6 | (next & 0x3f);
    }
    assert(c > 0 && c <= 0x10ffff && !(c >= 0xd800 && c < 0xe000));
    return c;
}

static size_t escape(char *to, size_t cap, const char *text)
{
    size_t n = 0;
    for (size_t at = 0; text[at];) {
        const uint32_t c = take(text, &at);
        n += (size_t)(c < 0x10000 ? snprintf(to + n, cap - n, "\\u%04x", c)
                                  : snprintf(to + n, cap - n, "\\u%04x\\u%04x", 0xd7c0 + (c >> 10),
                                             0xdc00 | (c & 0x3ff)));
    }
    return n;
}

static void read_again(const struct property *it)
{
    static char file[6 * (PROPERTIES_NAME_MAX + PROPERTIES_VALUE_MAX) + 8];
    struct properties p;
    struct property again;
    size_t n = escape(file, sizeof(file), it->name);
    file[n++] = '=';
    n += escape(file + n, sizeof(file) - n, it->value);
    assert(n < sizeof(file));
    int r = properties_begin(&p, file, n, NULL);
    assert(r == 0);
    r = properties_next(&p, &again, NULL);
    assert(r == 1 && strcmp(again.name, it->name) == 0 && strcmp(again.value, it->value) == 0);
    (void)r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct properties p;
    struct property it;
    struct error err = {""};
    unsigned line = 0;
    if (properties_begin(&p, data, size, &err) < 0) {
        assert(err.text[0] != '\0');
        return 0;
    }
    for (int r; (r = properties_next(&p, &it, &err)) != 0;) {
        assert(p.line > line && p.line <= p.next && p.line <= size);
        line = p.line;
        if (r == 1) {
            assert(strlen(it.name) <= PROPERTIES_NAME_MAX);
            assert(strlen(it.value) <= PROPERTIES_VALUE_MAX);
            read_again(&it);
        } else {
            assert(r == -EINVAL && err.text[0] != '\0');
            err.text[0] = '\0';
        }
    }
    return 0;
}

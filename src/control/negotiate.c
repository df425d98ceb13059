/* SPDX-License-Identifier: Apache-2.0 */
#include "control/negotiate.h"

#include <string.h>
#include <strings.h>

static const char blank[] = " \t";

/* "0.8" in thousandths; 1000 for what is in no such form. */
static unsigned weight(const char *s, size_t len)
{
    unsigned v = 0, scale = 1000;
    if (len == 0 || (s[0] != '0' && s[0] != '1') || (len > 1 && s[1] != '.')) {
        return 1000;
    }
    v = s[0] == '1' ? 1000 : 0;
    for (size_t i = 2; i < len && i < 5 && s[i] >= '0' && s[i] <= '9'; i++) {
        scale /= 10;
        v += (unsigned)(s[i] - '0') * scale;
    }
    return v > 1000 ? 1000 : v;
}

/* The parameter q of ";a=b;q=0.5" of `len` bytes. */
static unsigned weight_of(const char *s, size_t len)
{
    const char *end = s + len;
    while (s < end) {
        s += 1 + strspn(s + 1, blank);
        const char *next = memchr(s, ';', s < end ? (size_t)(end - s) : 0);
        next = next ? next : end;
        if (s + 2 <= end && (s[0] | 0x20) == 'q' && s[1] == '=') {
            size_t n = strcspn(s + 2, " \t;,");
            return weight(s + 2, n);
        }
        s = next;
    }
    return 1000;
}

/* How exactly the range of `len` bytes means the type: 0: not at all, 1: all, 2: all of its kind.
 */
static unsigned exactness(const char *range, size_t len, const char *type)
{
    size_t kind = strcspn(type, "/") + 1;
    if (len == strlen(type) && strncasecmp(range, type, len) == 0) {
        return 3;
    }
    if (len == kind + 1 && range[kind] == '*' && strncasecmp(range, type, kind) == 0) {
        return 2;
    }
    return len == 3 && memcmp(range, "*/*", 3) == 0;
}

unsigned negotiate_accept(const char *accept, const char *type)
{
    unsigned best = 0, q = 0;
    if (!accept || !accept[strspn(accept, blank)]) {
        return 1000;
    }
    for (const char *p = accept; *p;) {
        p += strspn(p, " \t,");
        size_t all = strcspn(p, ","), len = strcspn(p, " \t;,");
        unsigned e = exactness(p, len, type);
        if (e > best) {
            const char *rest = p + len + strspn(p + len, blank);
            best = e;
            q = rest < p + all ? weight_of(rest, (size_t)(p + all - rest)) : 1000;
        }
        p += all;
    }
    return q;
}

bool negotiate_is(const char *content_type, const char *type)
{
    if (!content_type) {
        return false;
    }
    size_t len = strcspn(content_type, " \t;");
    if (len != strlen(type) || strncasecmp(content_type, type, len) != 0) {
        return false;
    }
    const char *charset = strcasestr(content_type + len, "charset=");
    if (!charset) {
        return true;
    }
    charset += strlen("charset=");
    charset += *charset == '"';
    return strncasecmp(charset, "utf-8", 5) == 0 && strcspn(charset, " \t;\"") == 5;
}

bool negotiate_has_tag(const char *list, const char *tag)
{
    size_t want = strlen(tag);
    for (const char *p = list; p && *p;) {
        p += strspn(p, " \t,");
        if (*p == '*') {
            return true;
        }
        if (strncmp(p, "W/", 2) == 0) {
            p += 2;
        }
        size_t len = *p == '"' ? strcspn(p + 1, "\"") + 2 : strcspn(p, ",");
        if (len > strlen(p)) {
            return false;
        }
        if (len == want && memcmp(p, tag, want) == 0) {
            return true;
        }
        p += len;
    }
    return false;
}

/* A number of at most 18 digits; the cursor behind it. */
static bool number(const char **p, uint64_t *ret)
{
    size_t n = strspn(*p, "0123456789");
    if (n == 0 || n > 18) {
        return false;
    }
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++) {
        v = v * 10 + (uint64_t)(*(*p)++ - '0');
    }
    *ret = v;
    return true;
}

enum negotiate_range negotiate_range(const char *range, uint64_t len, bool open, uint64_t *ret_from,
                                     uint64_t *ret_to)
{
    uint64_t from = 0, to = UINT64_MAX;
    if (!range || strncasecmp(range, "bytes=", 6) != 0) {
        return RANGE_NONE;
    }
    const char *p = range + 6;
    bool suffix = *p == '-';
    if (!suffix && !number(&p, &from)) {
        return RANGE_NONE;
    }
    if (*p++ != '-' || (*p && !number(&p, &to)) || *p || (suffix && p == range + 7) ||
        (!suffix && to < from)) {
        return RANGE_NONE;
    }
    if (suffix) {
        if (open || to == 0 || len == 0) {
            return RANGE_OUT;
        }
        from = to < len ? len - to : 0;
        to = len - 1;
    }
    if (from >= len) {
        return RANGE_OUT;
    }
    *ret_from = from;
    *ret_to = to < len ? to : len - 1;
    return RANGE_PART;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/properties.h"

#include <errno.h>

enum {
    NOTHING = -1, /* the line ends here */
};

/* ---- lines ---- */

static bool is_blank(int c)
{
    return c == ' ' || c == '\t' || c == '\f';
}

static int byte_at(const struct properties *p, size_t i)
{
    return rd_left(&p->in) > i ? p->in.p[i] : NOTHING;
}

static void skip_blanks(struct properties *p)
{
    while (is_blank(byte_at(p, 0))) {
        rd_skip(&p->in, 1);
    }
}

static bool ends_line(int c)
{
    return c == '\n' || c == '\r' || c == NOTHING;
}

/* The end of a line: "\n", "\r" or both, or that of the file. */
static void take_end(struct properties *p)
{
    const int c = byte_at(p, 0);
    if (c != NOTHING) {
        rd_skip(&p->in, c == '\r' && byte_at(p, 1) == '\n' ? 2 : 1);
        p->next++;
    }
}

/* A backslash before the end of a line joins it with the next, without the blanks that begin that.
 */
static void join_lines(struct properties *p)
{
    while (byte_at(p, 0) == '\\' && ends_line(byte_at(p, 1))) {
        rd_skip(&p->in, 1);
        take_end(p);
        skip_blanks(p);
    }
}

/* The next byte of the joined line, or NOTHING. */
static int look(struct properties *p)
{
    join_lines(p);
    const int c = byte_at(p, 0);
    return ends_line(c) ? NOTHING : c;
}

/* Leaves the cursor at a property's first byte, or at the end of the file. A backslash alone in its
 * line joins nothing. */
static void skip_between(struct properties *p)
{
    while (rd_left(&p->in) > 0) {
        skip_blanks(p);
        const int c = byte_at(p, 0);
        if (c == '#' || c == '!') {
            while (!ends_line(byte_at(p, 0))) {
                rd_skip(&p->in, 1);
            }
        } else if (c == '\\' && ends_line(byte_at(p, 1))) {
            rd_skip(&p->in, 1);
        } else if (!ends_line(c)) {
            return;
        }
        take_end(p);
    }
}

/* ---- characters ---- */

static int hex_digit(int c)
{
    return c >= '0' && c <= '9'                 ? c - '0'
           : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10
                                                : NOTHING;
}

/* The four digits behind "\u". */
static int take_unit(struct properties *p, uint32_t *ret, struct error *err)
{
    uint32_t unit = 0;
    for (unsigned i = 0; i < 4; i++) {
        const int digit = hex_digit(look(p));
        if (digit < 0) {
            return error_set(err, EINVAL,
                             "\\u is not followed by four hexadecimal digits, as in \\u00e4");
        }
        unit = unit << 4 | (uint32_t)digit;
        rd_skip(&p->in, 1);
    }
    *ret = unit;
    return 0;
}

/* A character behind "\u", which is a pair of such where it lies beyond U+FFFF. */
static int take_unicode(struct properties *p, uint32_t *ret, struct error *err)
{
    uint32_t first = 0, second = 0;
    int r = take_unit(p, &first, err);
    if (r < 0 || first >> 11 != 0xd800 >> 11) {
        *ret = first;
        return r;
    }
    if (first < 0xdc00 && look(p) == '\\' && byte_at(p, 1) == 'u') {
        rd_skip(&p->in, 2);
        r = take_unit(p, &second, err);
    }
    if (r == 0 && second >> 10 != 0xdc00 >> 10) {
        return error_set(err, EINVAL, "\\u%04x is half of a character: the other half is missing",
                         first);
    }
    *ret = 0x10000 + ((first & 0x3ff) << 10 | (second & 0x3ff));
    return r;
}

/* The next character of the joined line, of which look() has seen a byte. */
static int take_character(struct properties *p, uint32_t *ret, struct error *err)
{
    static const char letters[] = "tnrf", means[] = "\t\n\r\f";
    uint8_t c = rd_u8(&p->in);
    if (c == '\\') {
        c = rd_u8(&p->in);
        if (c == 'u') {
            return take_unicode(p, ret, err);
        }
        const char *letter = memchr(letters, c, sizeof(letters) - 1);
        c = letter ? (uint8_t)means[letter - letters] : c;
    }
    *ret = c;
    return 0;
}

/* Adds a character as UTF-8 (RFC 3629, 3); false where `cap` bytes cannot hold it and a zero. */
static bool add(char *to, size_t cap, size_t *at, uint32_t c)
{
    const size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    if (*at + n >= cap) {
        return false;
    }
    for (size_t i = n; i-- > 1; c >>= 6) {
        to[*at + i] = (char)(0x80 | (c & 0x3f));
    }
    to[*at] = (char)(n == 1 ? c : (0xf00 >> n & 0xff) | c);
    *at += n;
    to[*at] = '\0';
    return true;
}

/* ---- properties ---- */

/* A name, which ends at a separator, or a value, which goes to the line's end. */
static int take_text(struct properties *p, bool name, char *to, size_t cap, struct error *err)
{
    size_t at = 0;
    to[0] = '\0';
    for (int next; (next = look(p)) != NOTHING;) {
        uint32_t c = 0;
        if (name && (next == '=' || next == ':' || is_blank(next))) {
            break;
        }
        int r = take_character(p, &c, err);
        if (r < 0) {
            return r;
        }
        if (c == 0) {
            return error_set(err, EINVAL, "\\u0000 stands in it, which no setting has");
        }
        if (!add(to, cap, &at, c)) {
            return error_set(err, EINVAL, "the %s is longer than %zu bytes",
                             name ? "name" : "value", cap - 1);
        }
    }
    return 0;
}

static void take_separator(struct properties *p)
{
    while (is_blank(look(p))) {
        rd_skip(&p->in, 1);
    }
    const int c = look(p);
    if (c == '=' || c == ':') {
        rd_skip(&p->in, 1);
    }
    while (is_blank(look(p))) {
        rd_skip(&p->in, 1);
    }
}

/* Leaves the cursor at the end of the joined line. A backslash hides the next byte, as everywhere.
 */
static void skip_rest(struct properties *p)
{
    for (int c; (c = look(p)) != NOTHING;) {
        rd_skip(&p->in, c == '\\' ? 2 : 1);
    }
}

int properties_begin(struct properties *ret, const void *data, size_t len, struct error *err)
{
    struct properties p = {.in = rd_make(data, len), .next = 1};
    if (len > PROPERTIES_MAX) {
        return error_set(err, EFBIG, "it is larger than %d bytes: not a file of settings",
                         PROPERTIES_MAX);
    }
    const int first = byte_at(&p, 0), second = byte_at(&p, 1);
    if ((first == 0xff && second == 0xfe) || (first == 0xfe && second == 0xff)) {
        return error_set(err, EINVAL,
                         "it is written in UTF-16, which Java does not take for "
                         "settings: it has to be in Latin-1");
    }
    if (len > 0 && memchr(data, '\0', len)) {
        return error_set(err, EINVAL, "it has a zero byte: this is no text file");
    }
    if (first == 0xef && second == 0xbb && byte_at(&p, 2) == 0xbf) {
        rd_skip(&p.in, 3);
    }
    *ret = p;
    return 0;
}

int properties_next(struct properties *p, struct property *ret, struct error *err)
{
    struct property found;
    skip_between(p);
    if (rd_left(&p->in) == 0) {
        return 0;
    }
    p->line = p->next;
    int r = take_text(p, true, found.name, sizeof(found.name), err);
    if (r == 0) {
        take_separator(p);
        r = take_text(p, false, found.value, sizeof(found.value), err);
    }
    if (r < 0) {
        p->line = p->next;
        skip_rest(p);
        return r;
    }
    *ret = found;
    return 1;
}

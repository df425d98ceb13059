/* SPDX-License-Identifier: Apache-2.0 */
#include "node/document.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"

/* A large number begins with this in the tree, where no other text has it (text_line), and in
 * jansson's text. */
#define MARK "\x01"
#define MARK_TEXT "\"\\u0001"

enum {
    DIGITS_MAX = 20,
    CLEAN_MAX = 4096, /* bytes of a text that need cleaning; what is longer is cut */
};

/* ---- numbers ---- */

json_t *document_uint(uint64_t v)
{
    return v <= INT64_MAX ? json_integer((json_int_t)v) : json_sprintf(MARK "%" PRIu64, v);
}

void document_set(json_t *o, const char *key, uint64_t v)
{
    (void)json_object_set_new(o, key, document_uint(v));
}

uint64_t document_value(const json_t *v)
{
    const char *s = json_string_value(v);
    return s && s[0] == MARK[0] ? strtoull(s + 1, NULL, 10) : (uint64_t)json_integer_value(v);
}

/* ---- to text ---- */

/* Takes the marks and their quotes away, in place. */
static void unmark(char *text)
{
    const size_t mark = sizeof(MARK_TEXT) - 1;
    char *to = text;
    bool in_string = false;
    for (const char *p = text; *p;) {
        if (!in_string && strncmp(p, MARK_TEXT, mark) == 0) {
            for (p += mark; *p && *p != '"';) {
                *to++ = *p++;
            }
            p += *p == '"';
            continue;
        }
        in_string ^= *p == '"';
        if (*p == '\\' && p[1]) {
            *to++ = *p++;
        }
        *to++ = *p++;
    }
    *to = '\0';
}

char *document_text(const json_t *doc, size_t flags)
{
    char *text = json_dumps(doc, flags);
    if (text) {
        unmark(text);
    }
    return text;
}

void document_print(const json_t *doc, size_t flags, FILE *to)
{
    _cleanup_(freep) char *text = document_text(doc, flags);
    fprintf(to, "%s\n", text ? text : "");
}

/* ---- and back ---- */

static bool is_large(const char *digits, size_t n)
{
    static const char most[] = "9223372036854775807";
    const size_t len = sizeof(most) - 1;
    return digits[0] >= '0' && digits[0] <= '9' &&
           (n > len || (n == len && memcmp(digits, most, len) > 0));
}

/* Bytes of what begins here: a number, an escape in a string, or one byte. */
static size_t piece(const char *p, size_t left, bool in_string)
{
    size_t n = 1;
    if (in_string) {
        return *p == '\\' && left > 1 ? 2 : 1;
    }
    for (bool digit = *p >= '0' && *p <= '9'; digit && n < left && p[n] >= '0' && p[n] <= '9';) {
        n++;
    }
    return n;
}

/* The text with marks around what is too large for jansson. */
static char *mark(const char *text, size_t len)
{
    const size_t more = sizeof(MARK_TEXT) - 1;
    char *out = malloc(len * 2 + 1); /* they take 8 bytes, and a number that has them 19 or 20 */
    char *to = out;
    bool in_string = false;
    for (size_t i = 0, n; out && i < len; i += n) {
        n = piece(text + i, len - i, in_string);
        bool large = !in_string && n <= DIGITS_MAX && is_large(text + i, n) &&
                     (i == 0 || text[i - 1] != '-');
        if (large) {
            memcpy(to, MARK_TEXT, more);
            to += more;
        }
        memcpy(to, text + i, n);
        to += n;
        if (large) {
            *to++ = '"';
        }
        in_string ^= text[i] == '"';
    }
    if (out) {
        *to = '\0';
    }
    return out;
}

/* A large number, as mark() makes it. */
static bool is_number(const char *s)
{
    size_t n = s[0] == MARK[0] ? strspn(s + 1, "0123456789") : 0;
    return n > 0 && n <= DIGITS_MAX && s[n + 1] == '\0';
}

static void clean(json_t *v);

static void clean_members(json_t *o)
{
    const char *key;
    json_t *v;
    void *next;
    json_object_foreach_safe(o, next, key, v)
    {
        if (text_is_clean(key)) {
            clean(v);
        } else {
            json_object_del(o, key);
        }
    }
}

/* jansson has bounded how deep it goes. */
static void clean(json_t *v)
{
    const char *s = json_string_value(v);
    size_t i;
    json_t *each;
    if (json_is_object(v)) {
        clean_members(v);
    } else if (json_is_array(v)) {
        json_array_foreach(v, i, each)
        {
            clean(each);
        }
    } else if (s && !is_number(s) && !text_is_clean(s)) {
        char to[CLEAN_MAX];
        text_line(to, sizeof(to), s);
        (void)json_string_set(v, to);
    }
}

json_t *document_read(const char *text, size_t len)
{
    json_error_t je;
    _cleanup_(freep) char *marked = mark(text, len);
    json_t *doc = marked ? json_loads(marked, 0, &je) : NULL;
    if (doc) {
        clean(doc);
    }
    return doc;
}

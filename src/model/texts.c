/* SPDX-License-Identifier: Apache-2.0 */
#include "model/texts.h"

#include <errno.h>
#include <string.h>

#include "base/text.h"

int texts_add(char *buf, size_t cap, const char *item)
{
    size_t at = strlen(buf) - 1, n = strlen(item), more = 0;
    if (n == 0 || n >= TEXTS_ITEM || !text_is_clean(item)) {
        return -EINVAL;
    }
    for (size_t i = 0; i < n; i++) {
        more += item[i] == '"' || item[i] == '\\';
    }
    if (at + n + more + 5 > cap) { /* a comma, two quotes, the bracket and the end */
        return -EMSGSIZE;
    }
    if (at > 1) {
        buf[at++] = ',';
    }
    buf[at++] = '"';
    for (size_t i = 0; i < n; i++) {
        if (item[i] == '"' || item[i] == '\\') {
            buf[at++] = '\\';
        }
        buf[at++] = item[i];
    }
    memcpy(buf + at, "\"]", 3);
    return 0;
}

/* A string in quotes. */
static int take(const char **at, char ret[TEXTS_ITEM])
{
    const char *p = *at;
    size_t n = 0;
    if (*p++ != '"') {
        return -EINVAL;
    }
    for (; *p != '"'; p++) {
        if (*p == '\\' && *++p != '"' && *p != '\\') {
            return -EINVAL;
        }
        if (*p == '\0' || n == TEXTS_ITEM - 1) {
            return -EINVAL;
        }
        ret[n++] = *p;
    }
    ret[n] = '\0';
    *at = p + 1;
    return n > 0 && text_is_clean(ret) ? 1 : -EINVAL;
}

/* Between items *at is behind one; at first it is at the bracket. */
int texts_next(const char **at, char ret[TEXTS_ITEM])
{
    if (strcmp(*at, TEXTS_NONE) == 0 || strcmp(*at, "]") == 0) {
        return 0;
    }
    if (**at != '[' && **at != ',') {
        return -EINVAL;
    }
    (*at)++;
    int r = take(at, ret);
    return r == 1 && **at != ',' && **at != ']' ? -EINVAL : r;
}

int texts_count(const char *list)
{
    char item[TEXTS_ITEM];
    int n = 0, r;
    if (*list != '[') {
        return -EINVAL;
    }
    while ((r = texts_next(&list, item)) == 1) {
        n++;
    }
    return r < 0 ? r : n;
}

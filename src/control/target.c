/* SPDX-License-Identifier: Apache-2.0 */
#include "control/target.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/text.h"

static int hex(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* In place. `plus`: "+" is a blank, as forms and most clients' libraries write it in a query. */
static int decode(char *s, bool plus, const char *what, struct error *err)
{
    char *to = s;
    for (const char *p = s; *p; p++) {
        char c = plus && *p == '+' ? ' ' : *p;
        if (c == '%') {
            int high = hex(p[1]), low = high < 0 ? -1 : hex(p[2]);
            if (low < 0) {
                return error_set(err, EINVAL, "%s has a %% without two hexadecimal digits", what);
            }
            c = (char)(high << 4 | low);
            p += 2;
        }
        if ((unsigned char)c < ' ' || c == 0x7f) {
            return error_set(err, EINVAL, "%s has a control character or a zero byte", what);
        }
        *to++ = c;
    }
    *to = '\0';
    if (!text_is_clean(s)) {
        return error_set(err, EINVAL, "%s is not UTF-8 without control characters", what);
    }
    return 0;
}

static int check_segment(const char *s, struct error *err)
{
    if (strcmp(s, ".") == 0 || strcmp(s, "..") == 0) {
        return error_set(err, EINVAL, "the path has a segment of dots");
    }
    if (strpbrk(s, "/\\")) {
        return error_set(err, EINVAL, "a segment of the path has an encoded slash or backslash");
    }
    return 0;
}

static int take_path(char *path, struct target *t, struct error *err)
{
    if (path[1] == '\0') {
        return 0;
    }
    for (char *s = path; s;) {
        char *next = strchr(s + 1, '/');
        *s++ = '\0';
        if (next) {
            *next = '\0';
        }
        int r = decode(s, false, "the path", err);
        if (r == 0) {
            r = check_segment(s, err);
        }
        if (r < 0) {
            return r;
        }
        if (t->n_segments < TARGET_SEGMENTS) {
            t->segment[t->n_segments++] = s;
        } else {
            t->n_segments = TARGET_SEGMENTS + 1;
        }
        s = next;
    }
    return 0;
}

static int take_parameter(char *name, struct target *t, struct error *err)
{
    char *value = strchr(name, '=');
    if (value) {
        *value++ = '\0';
    } else {
        value = name + strlen(name);
    }
    int r = decode(name, true, "the query", err);
    if (r == 0) {
        r = decode(value, true, "the query", err);
    }
    if (r < 0) {
        return r;
    }
    if (!*name) {
        return error_set(err, EINVAL, "the query has a parameter without a name");
    }
    if (!t->twice && target_parameter(t, name)) {
        t->twice = name;
    }
    if (t->n_parameters == TARGET_PARAMETERS) {
        return error_set(err, EINVAL, "the query has more than %d parameters", TARGET_PARAMETERS);
    }
    t->parameter[t->n_parameters++] = (struct api_parameter){name, value};
    return 0;
}

static int take_query(char *query, struct target *t, struct error *err)
{
    while (query) {
        char *next = strchr(query, '&');
        if (next) {
            *next++ = '\0';
        }
        int r = *query ? take_parameter(query, t, err) : 0;
        if (r < 0) {
            return r;
        }
        query = next;
    }
    return 0;
}

int target_parse(const char *raw, struct target *ret, struct error *err)
{
    struct target t = {0};
    if (raw[0] != '/') {
        return error_set(err, EINVAL, "the target does not begin with a slash");
    }
    if (strchr(raw, '#')) {
        return error_set(err, EINVAL, "the target has a fragment, which no client sends");
    }
    t.text = strdup(raw);
    if (!t.text) {
        return error_set(err, ENOMEM, "memory is short");
    }
    char *query = strchr(t.text, '?');
    if (query) {
        *query++ = '\0';
    }
    int r = take_path(t.text, &t, err);
    if (r == 0) {
        r = take_query(query, &t, err);
    }
    if (r < 0) {
        target_done(&t);
        return r;
    }
    *ret = t;
    return 0;
}

void target_done(struct target *t)
{
    free(t->text);
    *t = (struct target){0};
}

void target_trim(struct target *t, const char *suffix)
{
    const unsigned n = t->n_segments;
    if (n == 0 || n > TARGET_SEGMENTS) {
        return;
    }
    char *last = t->segment[n - 1];
    const size_t len = strlen(last), end = strlen(suffix);
    if (len == 0) {
        t->n_segments--;
    } else if (len > end && strcmp(last + len - end, suffix) == 0) {
        last[len - end] = '\0';
    }
}

const char *target_parameter(const struct target *t, const char *name)
{
    for (unsigned i = 0; i < t->n_parameters; i++) {
        if (strcmp(t->parameter[i].name, name) == 0) {
            return t->parameter[i].value;
        }
    }
    return NULL;
}

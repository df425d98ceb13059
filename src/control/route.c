/* SPDX-License-Identifier: Apache-2.0 */
#include "control/route.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

const char *const api_list_parameters[] = {"limit", "marker", "sort", "fields", NULL};

int route_check(const struct route_tables *r, struct error *err)
{
    for (size_t i = 0; i < r->n_tables; i++) {
        for (size_t j = 0; j < r->n[i]; j++) {
            if (!r->table[i][j].handler || r->table[i][j].path[0] != '/') {
                return error_set(err, EINVAL, "a route without a handler or path");
            }
        }
    }
    return 0;
}

/* Does the decoded path match? Segments in braces go to `ret`. */
static bool matches(const char *path, const struct target *t, char *ret[TARGET_SEGMENTS],
                    unsigned *ret_n)
{
    unsigned n = 0, at = 0;
    if (t->n_segments > TARGET_SEGMENTS) {
        return false;
    }
    for (const char *p = path; *p && p[1];) {
        size_t len = strcspn(++p, "/");
        if (at == t->n_segments) {
            return false;
        }
        char *s = t->segment[at++];
        if (*p == '{' && *s) {
            ret[n++] = s;
        } else if (strlen(s) != len || memcmp(s, p, len) != 0) {
            return false;
        }
        p += len;
    }
    *ret_n = n;
    return at == t->n_segments;
}

static bool answers(const struct api_route *r, enum http_method method)
{
    return r->method == method || (method == HTTP_HEAD && r->method == HTTP_GET);
}

static void allow(enum http_method method, char list[ROUTE_ALLOW])
{
    static const char *const names[] = {
        [HTTP_GET] = "GET, HEAD", [HTTP_POST] = "POST",     [HTTP_PATCH] = "PATCH",
        [HTTP_PUT] = "PUT",       [HTTP_DELETE] = "DELETE",
    };
    const char *name = (size_t)method < ARRAY_SIZE(names) ? names[method] : NULL;
    size_t at = strlen(list);
    if (name && !strstr(list, name)) {
        snprintf(list + at, ROUTE_ALLOW - at, "%s%s", at ? ", " : "", name);
    }
}

int route_find(const struct route_tables *r, enum http_method method, const struct target *t,
               const struct api_route **ret, char *ret_segment[TARGET_SEGMENTS],
               unsigned *ret_n_segments, char ret_allow[ROUTE_ALLOW])
{
    char *segment[TARGET_SEGMENTS];
    unsigned n = 0;
    char list[ROUTE_ALLOW] = "";
    for (size_t i = 0; i < r->n_tables; i++) {
        for (size_t j = 0; j < r->n[i]; j++) {
            const struct api_route *at = &r->table[i][j];
            if (!matches(at->path, t, segment, &n)) {
                continue;
            }
            if (answers(at, method)) {
                *ret = at;
                memcpy(ret_segment, segment, n * sizeof(*segment));
                *ret_n_segments = n;
                return 0;
            }
            allow(at->method, list);
        }
    }
    if (!*list) {
        return -ENOENT;
    }
    memcpy(ret_allow, list, sizeof(list));
    return -EOPNOTSUPP;
}

const struct api_manner *route_manner(const struct route_tables *r, const struct target *t)
{
    for (size_t i = 0; i < r->n_tables && t->n_segments > 0; i++) {
        for (size_t j = 0; j < r->n[i]; j++) {
            const struct api_manner *m = r->table[i][j].manner;
            if (m && m->prefix && strcmp(m->prefix, t->segment[0]) == 0) {
                return m;
            }
        }
    }
    return NULL;
}

bool route_takes(const struct api_route *r, const char *name)
{
    for (const char *const *p = r->parameters; p && *p; p++) {
        if (strcmp(*p, name) == 0) {
            return true;
        }
    }
    int field = r->parameters == api_list_parameters && r->kind ? kind_find(r->kind, name) : -1;
    return field >= 0 && r->kind->field[field].flags & FIELD_FILTER;
}

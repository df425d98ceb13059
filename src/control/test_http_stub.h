/* SPDX-License-Identifier: Apache-2.0
 *
 * The three functions of sys/http.h that make and read messages, until the server is there.
 */
#pragma once
#include "sys/http.h"
#include <stdarg.h>
#include <string.h>
#include <strings.h>
const char *http_header_of(const struct http_request *r, const char *name)
{
    for (unsigned i = 0; i < r->n_headers; i++) {
        if (strcasecmp(r->header[i].name, name) == 0) {
            return r->header[i].value;
        }
    }
    return NULL;
}
void http_answer_header(struct http_answer *a, const char *name, const char *fmt, ...)
{
    char *v = NULL;
    va_list ap;
    va_start(ap, fmt);
    if (a->n_headers < HTTP_ANSWER_HEADERS && vasprintf(&v, fmt, ap) >= 0) {
        a->header[a->n_headers++] = (struct http_header){strdup(name), v};
    }
    va_end(ap);
}
void http_answer_done(struct http_answer *a)
{
    for (unsigned i = 0; i < a->n_headers; i++) {
        free((void *)(uintptr_t)a->header[i].name);
        free((void *)(uintptr_t)a->header[i].value);
    }
    free(a->bytes);
    if (a->fd >= 0) {
        close(a->fd);
    }
    if (a->body.free) {
        a->body.free(a->body.user);
    }
    *a = HTTP_ANSWER_NONE;
}

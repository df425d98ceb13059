/* SPDX-License-Identifier: Apache-2.0
 *
 * Requests, from their first word to the whole that the program gets (http_impl.h).
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "sys/http_impl.h"

struct header_count {
    struct http_call *call;
    size_t bytes;
    unsigned lengths, encodings;
    bool too_many;
};

static enum MHD_Result on_header(void *cls, enum MHD_ValueKind kind, const char *name,
                                 const char *value)
{
    struct header_count *h = cls;
    struct http_request *r = &h->call->request;
    (void)kind;
    h->bytes += strlen(name) + (value ? strlen(value) : 0) + 4;
    h->lengths += strcasecmp(name, "Content-Length") == 0;
    h->encodings += strcasecmp(name, "Transfer-Encoding") == 0;
    if (r->n_headers < HTTP_HEADERS) {
        r->header[r->n_headers++] = (struct http_header){name, value ? value : ""};
    } else {
        h->too_many = true;
    }
    return MHD_YES;
}

/* The status of a refusal, or 0. */
static int look_at_headers(struct http_call *call)
{
    struct header_count h = {.call = call};
    call->request.n_headers = 0;
    (void)MHD_get_connection_values(call->mhd, MHD_HEADER_KIND, on_header, &h);
    const char *length = http_header_of(&call->request, "Content-Length");
    if (!call->target || strlen(call->target) > HTTP_TARGET_MAX) {
        return 414;
    }
    if (h.too_many || h.bytes > HTTP_HEADERS_MAX) {
        return 431;
    }
    if (h.lengths > 1 || h.encodings > 1 || (h.lengths > 0 && h.encodings > 0)) {
        return 400;
    }
    return length && strtoull(length, NULL, 10) > HTTP_BODY_MAX ? 413 : 0;
}

static enum http_method method_of(const char *word)
{
    static const char *const words[] = {
        [HTTP_GET] = "GET",     [HTTP_HEAD] = "HEAD", [HTTP_POST] = "POST",
        [HTTP_PATCH] = "PATCH", [HTTP_PUT] = "PUT",   [HTTP_DELETE] = "DELETE"};
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        if (strcmp(word, words[i]) == 0) {
            return (enum http_method)i;
        }
    }
    return HTTP_OTHER;
}

/* Part of a body. Where it is too long the rest is thrown away. */
static void take_body(struct http_call *call, const char *data, size_t n)
{
    if (call->refused == 0 && call->len + n > HTTP_BODY_MAX) {
        call->refused = 413;
    }
    uint8_t *larger = call->refused == 0 ? realloc(call->body, call->len + n) : NULL;
    if (call->refused == 0 && !larger) {
        call->refused = 503;
    }
    if (call->refused == 0) {
        memcpy(larger + call->len, data, n);
        call->body = larger;
        call->len += n;
    }
}

/* The request is whole: the program answers it now or later. */
static enum MHD_Result give(struct http_call *call, const char *method)
{
    struct http *h = call->http;
    struct http_request *r = &call->request;
    (void)look_at_headers(call); /* the library has them at other places by now */
    r->method = method_of(method);
    r->target = call->target;
    r->body = call->body;
    r->len = call->len;
    r->peer = call->conn->peer;
    call->given = h->given = true;
    call->handling = true;
    h->conf.ops->request(h->conf.user, call, r);
    call->handling = false;
    if (call->replied) {
        return http_queue(call);
    }
    http_suspend(call->conn, call->mhd);
    return MHD_YES;
}

enum MHD_Result http_on_request(void *cls, struct MHD_Connection *mhd, const char *url,
                                const char *method, const char *version, const char *upload,
                                size_t *upload_size, void **con_cls)
{
    struct http_call *call = *con_cls;
    (void)cls;
    (void)url;
    (void)version;
    if (!call || !call->conn) {
        return MHD_NO;
    }
    call->mhd = mhd;
    if (!call->begun) {
        call->begun = true;
        const int status = look_at_headers(call);
        return status ? http_refuse(call, status) : MHD_YES;
    }
    if (*upload_size > 0) {
        take_body(call, upload, *upload_size);
        *upload_size = 0;
        return MHD_YES;
    }
    if (call->refused) {
        return http_refuse(call, call->refused);
    }
    if (!call->given) {
        return give(call, method);
    }
    return call->lost || !call->replied ? MHD_NO : http_queue(call);
}

static struct http_conn *conn_of(struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

/* The first word of a request: what it is for, as it was sent. */
void *http_on_target(void *cls, const char *uri, struct MHD_Connection *mhd)
{
    struct http_conn *c = conn_of(mhd);
    struct http_call *call = calloc(1, sizeof(*call));
    if (!call) {
        return NULL;
    }
    call->http = cls;
    call->conn = c;
    call->mhd = mhd;
    call->target = strdup(uri);
    call->answer = HTTP_ANSWER_NONE;
    if (c) {
        c->call = call;
    }
    return call;
}

void http_on_completed(void *cls, struct MHD_Connection *mhd, void **con_cls,
                       enum MHD_RequestTerminationCode code)
{
    struct http_call *call = *con_cls;
    struct http *h = cls;
    (void)mhd;
    (void)code;
    if (!call) {
        return;
    }
    if (call->given && !call->replied) {
        h->conf.ops->gone(h->conf.user, call);
    }
    if (call->conn) {
        call->conn->call = NULL;
        call->conn->since = mono_now();
    }
    http_answer_done(&call->answer);
    free(call->target);
    free(call->body);
    free(call);
    *con_cls = NULL;
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * Requests, from their first word to the whole that the program gets (http_impl.h).
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "sys/http_impl.h"

enum {
    SWALLOWED = 1 << 20, /* bytes of a body that is too long and is read all the same */
};

/* The headers of a request, counted. */
struct head {
    struct http_request *request; /* gets them */
    size_t bytes;
    unsigned hosts, lengths, encodings;
    bool too_many, malformed, coded;
};

/* A name as RFC 9110 has it (section 5.6.2). With anything else in it, "Content-Length " for one,
 * the library takes no notice of the header where another program would. */
static bool is_token(const char *s)
{
    const char *const at = s;
    for (; *s; s++) {
        const bool letter = (*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z');
        if (!letter && !(*s >= '0' && *s <= '9') && !strchr("!#$%&'*+-.^_`|~", *s)) {
            return false;
        }
    }
    return s > at;
}

static enum MHD_Result on_header(void *cls, enum MHD_ValueKind kind, const char *name,
                                 const char *value)
{
    struct head *h = cls;
    struct http_request *r = h->request;
    (void)kind;
    value = value ? value : "";
    h->bytes += strlen(name) + strlen(value) + 4;
    h->malformed |= !is_token(name);
    h->hosts += strcasecmp(name, "Host") == 0;
    h->lengths += strcasecmp(name, "Content-Length") == 0;
    if (strcasecmp(name, "Transfer-Encoding") == 0) {
        h->encodings++;
        h->coded |= strcasecmp(value, "chunked") != 0;
    }
    if (r->n_headers < HTTP_HEADERS) {
        r->header[r->n_headers++] = (struct http_header){name, value};
    } else {
        h->too_many = true;
    }
    return MHD_YES;
}

static struct head take_headers(struct http_call *call)
{
    struct head h = {.request = &call->request};
    call->request.n_headers = 0;
    (void)MHD_get_connection_values(call->mhd, MHD_HEADER_KIND, on_header, &h);
    return h;
}

/* The library lets spaces stand in a target. */
static bool is_target(const char *s)
{
    for (; *s; s++) {
        if ((unsigned char)*s <= ' ' || *s == 0x7f) {
            return false;
        }
    }
    return true;
}

/* A request must not be one that two programs read in two ways (RFC 9112, sections 3.2, 6). */
static struct http_refusal judge_form(const struct http_call *call, const struct head *h,
                                      const char *version)
{
    const bool old = strcmp(version, "HTTP/1.0") == 0;
    if (h->malformed || !is_target(call->target)) {
        return (struct http_refusal){400, "the request is malformed"};
    }
    if (h->hosts > 1 || (h->hosts == 0 && !old)) {
        return (struct http_refusal){400, "the request needs one Host"};
    }
    if (h->lengths > 1 || h->encodings > 1 || (h->lengths > 0 && h->encodings > 0)) {
        return (struct http_refusal){400, "the length of the body is told twice"};
    }
    if (h->encodings > 0 && old) {
        return (struct http_refusal){400, "HTTP/1.0 has no Transfer-Encoding"};
    }
    return h->coded ? (struct http_refusal){501, "the only Transfer-Encoding is chunked"}
                    : (struct http_refusal){.status = 0};
}

static struct http_refusal judge(const struct http_call *call, const struct head *h,
                                 const char *version)
{
    if (!call->target) {
        return (struct http_refusal){503, "out of memory"};
    }
    if (strlen(call->target) > HTTP_TARGET_MAX) {
        return (struct http_refusal){414, "the address is too long"};
    }
    if (h->too_many || h->bytes > HTTP_HEADERS_MAX) {
        return (struct http_refusal){431, "the headers are too long"};
    }
    return judge_form(call, h, version);
}

/* The body is too long: what a client would send all the same is thrown away before it is told, as
 * an end with unread bytes could take the answer back. */
static enum MHD_Result expect_body(struct http_call *call)
{
    const struct http_refusal why = {413, "the body is too long"};
    const char *length = http_header_of(&call->request, "Content-Length");
    const unsigned long long n = length ? strtoull(length, NULL, 10) : 0;
    if (n <= HTTP_BODY_MAX) {
        return MHD_YES;
    }
    if (n > SWALLOWED || http_header_of(&call->request, "Expect")) {
        return http_refuse(call, &why);
    }
    call->refused = why;
    return MHD_YES;
}

/* The headers are there. */
static enum MHD_Result begin_request(struct http_call *call, const char *version)
{
    const struct head h = take_headers(call);
    const struct http_refusal why = judge(call, &h, version);
    call->begun = true;
    return why.status ? http_refuse(call, &why) : expect_body(call);
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
    if (call->refused.status == 0 && call->len + n > HTTP_BODY_MAX) {
        call->refused = (struct http_refusal){413, "the body is too long"};
    }
    uint8_t *larger = call->refused.status == 0 ? realloc(call->body, call->len + n) : NULL;
    if (call->refused.status == 0 && !larger) {
        call->refused = (struct http_refusal){503, "out of memory"};
    }
    if (larger) {
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
    (void)take_headers(call); /* the library has them at other places by now */
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
    if (!call || !call->conn) {
        return MHD_NO;
    }
    call->mhd = mhd;
    if (!call->begun) {
        return begin_request(call, version);
    }
    if (*upload_size > 0) {
        take_body(call, upload, *upload_size);
        *upload_size = 0;
        return MHD_YES;
    }
    if (call->refused.status) {
        return http_refuse(call, &call->refused);
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
        c->since = c->kept ? mono_now() : c->since; /* that it was idle before does not count */
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
        call->conn->kept = true;
        call->conn->since = mono_now();
    }
    http_answer_done(&call->answer);
    free(call->target);
    free(call->body);
    free(call);
    *con_cls = NULL;
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * Answers, as the library takes them (http_impl.h).
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "sys/http_impl.h"

enum {
    READ_BLOCK = 64 << 10, /* bytes of an answer that are asked for at once */
};

/* ---- answers ---- */

void http_answer_header(struct http_answer *a, const char *name, const char *fmt, ...)
{
    char value[HTTP_TARGET_MAX + 64];
    va_list ap;
    va_start(ap, fmt);
    const int n = vsnprintf(value, sizeof(value), fmt, ap);
    va_end(ap);
    if (a->n_headers == HTTP_ANSWER_HEADERS || n < 0 || (size_t)n >= sizeof(value)) {
        return;
    }
    char *own_name = strdup(name), *own_value = strdup(value);
    if (!own_name || !own_value) {
        free(own_name);
        free(own_value);
        return;
    }
    a->header[a->n_headers++] = (struct http_header){own_name, own_value};
}

void http_answer_done(struct http_answer *a)
{
    for (unsigned i = 0; i < a->n_headers; i++) {
        free((char *)(uintptr_t)a->header[i].name);
        free((char *)(uintptr_t)a->header[i].value);
    }
    free(a->bytes);
    closep(&a->fd);
    if (a->body.read && a->body.free) {
        a->body.free(a->body.user);
    }
    *a = HTTP_ANSWER_NONE;
}

const char *http_header_of(const struct http_request *r, const char *name)
{
    for (unsigned i = 0; i < r->n_headers; i++) {
        if (strcasecmp(r->header[i].name, name) == 0) {
            return r->header[i].value;
        }
    }
    return NULL;
}

/* ---- suspended connections ---- */

void http_suspend(struct http_conn *c, struct MHD_Connection *mhd)
{
    if (!c->suspended) {
        c->suspended = mhd;
        MHD_suspend_connection(mhd);
    }
}

/* The time in which it was suspended does not count as standing still. */
void http_resume(struct http_conn *c)
{
    if (c->suspended) {
        c->http->resumed = true;
        c->body = NULL;
        c->moved = mono_now();
        MHD_resume_connection(TAKE_PTR(c->suspended));
    }
}

/* ---- bodies that are made as they are sent ---- */

/* The place of one in the library's answer. */
struct reading {
    struct http_body body;
    struct http_conn *conn; /* while the answer is being sent */
    struct MHD_Connection *mhd;
    int fd;            /* of a file that is read so; -1: … */
    uint8_t *bytes;    /* … or a text; NULL: it is the body */
    uint64_t at, left; /* there */
};

static ssize_t read_part(struct reading *r, char *buf, size_t cap)
{
    const size_t want = (size_t)MIN(r->left, (uint64_t)cap);
    ssize_t n = (ssize_t)want;
    if (want > 0 && r->fd >= 0) {
        n = pread(r->fd, buf, want, (off_t)r->at);
        n = n < 0 ? -errno : n == 0 ? -EIO : n; /* it is shorter than it was */
    } else if (want > 0) {
        memcpy(buf, r->bytes + r->at, want);
    }
    r->at += n > 0 ? (uint64_t)n : 0;
    r->left -= n > 0 ? (uint64_t)n : 0;
    return n;
}

/* The library asks for more when the system has taken what there was: the answer moves on. */
static ssize_t on_read(void *cls, uint64_t pos, char *buf, size_t cap)
{
    struct reading *r = cls;
    struct http_conn *c = r->conn;
    const bool own = r->fd >= 0 || r->bytes;
    (void)pos;
    if (c->call->lost) {
        return MHD_CONTENT_READER_END_WITH_ERROR;
    }
    const ssize_t n =
        own ? read_part(r, buf, cap) : r->body.read(r->body.user, (uint8_t *)buf, cap);
    if (n == -EAGAIN && !own) {
        c->body = r->body.user;
        http_suspend(c, r->mhd);
        return 0;
    }
    c->moved = mono_now();
    return n > 0    ? n
           : n == 0 ? MHD_CONTENT_READER_END_OF_STREAM
                    : MHD_CONTENT_READER_END_WITH_ERROR;
}

static void on_read_done(void *cls)
{
    struct reading *r = cls;
    if (r->body.read && r->body.free) {
        r->body.free(r->body.user);
    }
    closep(&r->fd);
    free(r->bytes);
    free(r);
}

/* Takes what the answer has of a body. */
static struct MHD_Response *read_response(struct http_call *call)
{
    struct http_answer *a = &call->answer;
    const bool known = a->fd >= 0 || a->bytes;
    struct reading *r = calloc(1, sizeof(*r));
    if (!r) {
        return NULL;
    }
    *r = (struct reading){.conn = call->conn, .mhd = call->mhd, .fd = -1};
    struct MHD_Response *m = MHD_create_response_from_callback(
        known ? a->len : MHD_SIZE_UNKNOWN, READ_BLOCK, on_read, r, on_read_done);
    if (!m) {
        free(r);
        return NULL;
    }
    if (!known && call->request.method == HTTP_HEAD) {
        /* The library would send the end of the chunks, which the client takes for the beginning
         * of the next answer. */
        (void)MHD_set_response_options(m, MHD_RF_HTTP_1_0_COMPATIBLE_STRICT, MHD_RO_END);
    }
    r->at = a->fd >= 0 ? a->offset : 0;
    r->left = a->len;
    r->fd = TAKE_FD(a->fd);
    r->bytes = TAKE_PTR(a->bytes);
    r->body = a->body;
    a->body = (struct http_body){.read = NULL};
    return m;
}

/* By the Unix socket no count of the system's tells how much was taken: what is long is read there
 * piece by piece. */
static struct MHD_Response *make_response(struct http_call *call)
{
    struct http_answer *a = &call->answer;
    const bool local = call->conn->peer.local;
    struct MHD_Response *m;
    if (a->body.read || (local && (a->fd >= 0 || a->len > READ_BLOCK))) {
        m = read_response(call);
    } else if (a->fd >= 0) {
        m = MHD_create_response_from_fd_at_offset64(a->len, a->fd, a->offset);
        a->fd = m ? -1 : a->fd;
    } else {
        m = MHD_create_response_from_buffer(a->len, a->bytes, MHD_RESPMEM_MUST_FREE);
        a->bytes = m ? NULL : a->bytes;
    }
    for (unsigned i = 0; m && i < a->n_headers; i++) {
        (void)MHD_add_response_header(m, a->header[i].name, a->header[i].value);
    }
    return m;
}

/* Gives the answer to the library. */
enum MHD_Result http_queue(struct http_call *call)
{
    struct MHD_Response *m = make_response(call);
    const int status = call->answer.status;
    http_answer_done(&call->answer);
    if (!m) {
        return MHD_NO;
    }
    call->queued = true;
    call->conn->moved = mono_now();
    const enum MHD_Result r = MHD_queue_response(call->mhd, (unsigned)status, m);
    MHD_destroy_response(m);
    return r;
}

/* ---- refusals of the server itself ---- */

size_t http_refusal_text(char ret[HTTP_REFUSAL_TEXT], const struct http_refusal *why)
{
    const int n = snprintf(ret, HTTP_REFUSAL_TEXT,
                           "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%d,"
                           "\"detail\":\"%s\"}\n",
                           why->words, why->status, why->words);
    return n > 0 ? (size_t)n : 0;
}

enum MHD_Result http_refuse(struct http_call *call, const struct http_refusal *why)
{
    char text[HTTP_REFUSAL_TEXT];
    struct http_answer *a = &call->answer;
    const size_t n = http_refusal_text(text, why);
    *a = HTTP_ANSWER_NONE;
    a->status = why->status;
    a->bytes = (uint8_t *)strdup(text);
    a->len = a->bytes ? n : 0;
    http_answer_header(a, "Content-Type", "application/problem+json");
    http_answer_header(a, "Connection", "close");
    return http_queue(call);
}

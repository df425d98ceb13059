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

void http_resume(struct http_conn *c)
{
    if (c->suspended) {
        c->http->resumed = true;
        MHD_resume_connection(TAKE_PTR(c->suspended));
    }
}

/* ---- bodies that are made as they are sent ---- */

/* The place of one in the library's answer. */
struct reading {
    struct http_body body;
    struct http_conn *conn; /* while the answer is being sent */
    struct MHD_Connection *mhd;
    int fd;            /* of a file that is read so; -1 */
    uint64_t at, left; /* there */
};

static ssize_t read_file_part(struct reading *r, char *buf, size_t cap)
{
    const size_t want = (size_t)MIN(r->left, (uint64_t)cap);
    const ssize_t n = want > 0 ? pread(r->fd, buf, want, (off_t)r->at) : 0;
    if (n > 0) {
        r->at += (uint64_t)n;
        r->left -= (uint64_t)n;
    }
    return n < 0 ? -errno : n;
}

static ssize_t on_read(void *cls, uint64_t pos, char *buf, size_t cap)
{
    struct reading *r = cls;
    (void)pos;
    const ssize_t n =
        r->fd >= 0 ? read_file_part(r, buf, cap) : r->body.read(r->body.user, (uint8_t *)buf, cap);
    if (n == -EAGAIN) {
        http_suspend(r->conn, r->mhd);
        return 0;
    }
    r->conn->sent += n > 0 ? (uint64_t)n : 0;
    return n > 0    ? n
           : n == 0 ? MHD_CONTENT_READER_END_OF_STREAM
                    : MHD_CONTENT_READER_END_WITH_ERROR;
}

static void on_read_done(void *cls)
{
    struct reading *r = cls;
    if (r->fd < 0 && r->body.free) {
        r->body.free(r->body.user);
    }
    closep(&r->fd);
    free(r);
}

static struct MHD_Response *read_response(struct http_call *call, int fd)
{
    struct http_answer *a = &call->answer;
    struct reading *r = calloc(1, sizeof(*r));
    if (!r) {
        return NULL;
    }
    *r = (struct reading){.body = a->body,
                          .conn = call->conn,
                          .mhd = call->mhd,
                          .fd = fd,
                          .at = a->offset,
                          .left = a->len};
    struct MHD_Response *m = MHD_create_response_from_callback(
        fd >= 0 ? a->len : MHD_SIZE_UNKNOWN, READ_BLOCK, on_read, r, on_read_done);
    if (!m) {
        free(r);
    }
    return m;
}

/* By the Unix socket no count of the system's tells how much was taken: files are read there. */
static struct MHD_Response *file_response(struct http_call *call)
{
    struct http_answer *a = &call->answer;
    struct MHD_Response *m =
        call->conn->peer.local ? read_response(call, a->fd)
                               : MHD_create_response_from_fd_at_offset64(a->len, a->fd, a->offset);
    if (m) {
        a->fd = -1; /* it is the response's */
    }
    return m;
}

static struct MHD_Response *make_response(struct http_call *call)
{
    struct http_answer *a = &call->answer;
    struct MHD_Response *m;
    if (a->fd >= 0) {
        m = file_response(call);
    } else if (a->body.read) {
        m = read_response(call, -1);
        a->body = m ? (struct http_body){.read = NULL} : a->body;
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

static const char *refusal_words(int status)
{
    switch (status) {
    case 413:
        return "the body is too long";
    case 414:
        return "the address is too long";
    case 431:
        return "the headers are too long";
    case 503:
        return "out of memory";
    default:
        return "the length of the body is told twice";
    }
}

enum MHD_Result http_refuse(struct http_call *call, int status)
{
    char text[200];
    struct http_answer *a = &call->answer;
    const int n =
        snprintf(text, sizeof(text), "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%d}\n",
                 refusal_words(status), status);
    *a = HTTP_ANSWER_NONE;
    a->status = status;
    a->bytes = (uint8_t *)strdup(text);
    a->len = a->bytes && n > 0 ? (size_t)n : 0;
    http_answer_header(a, "Content-Type", "application/problem+json");
    http_answer_header(a, "Connection", "close");
    return http_queue(call);
}

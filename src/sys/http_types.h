/* SPDX-License-Identifier: Apache-2.0
 *
 * Requests and answers of the HTTP server (sys/http.h), as its users and its files know them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "base/error.h"
#include "sys/loop.h"

enum {
    HTTP_BODY_MAX = 64 << 10,
    HTTP_HEADERS_MAX = 16 << 10,
    HTTP_TARGET_MAX = 8 << 10,
    HTTP_CONNECTIONS = 256,
    HTTP_OF_ADDRESS = 32,
    HTTP_REQUEST_MS = 10000,
    HTTP_STILL_MS = 60000,
    HTTP_HEADERS = 64, /* of a request */
    HTTP_ANSWER_HEADERS = 16,
};

enum http_method {
    HTTP_GET,
    HTTP_HEAD,
    HTTP_POST,
    HTTP_PATCH,
    HTTP_PUT,
    HTTP_DELETE,
    HTTP_OTHER,
};

struct http_header {
    const char *name, *value;
};

/* Whence a request comes. */
struct http_peer {
    bool local;    /* by the Unix socket, from a process of that user */
    bool loopback; /* by TCP, from a loopback address */
    uid_t uid;
    char address[48]; /* "127.0.0.1"; "local" */
};

struct http_request {
    enum http_method method;
    const char *target; /* path and query as they were sent, nothing decoded */
    struct http_header header[HTTP_HEADERS];
    unsigned n_headers;
    const uint8_t *body; /* `len` bytes */
    size_t len;
    struct http_peer peer;
};

/* The value of the header, its name in any case; NULL: there is none. */
const char *http_header_of(const struct http_request *r, const char *name);

/* A body that is made as it is sent. */
struct http_body {
    /* Up to `cap` bytes into `buf`: how many, 0: that was all, -EAGAIN: none now, http_more() will
     * say when; another -errno: the connection is cut. */
    ssize_t (*read)(void *user, uint8_t *buf, size_t cap);
    void (*free)(void *user); /* may be NULL */
    void *user;
};

struct http_answer {
    int status;
    struct http_header header[HTTP_ANSWER_HEADERS]; /* both texts owned, by free() */
    unsigned n_headers;
    /* The body is one of three; that of HEAD is not sent, but its length is told. */
    uint8_t *bytes; /* owned, by free(); `len` */
    size_t len;
    int fd; /* owned; -1: none. `len` bytes from `offset` on, sent by the kernel */
    uint64_t offset;
    struct http_body body; /* read NULL: none */
};

#define HTTP_ANSWER_NONE ((struct http_answer){.fd = -1})

/* Adds a header; texts are copied. Does nothing where memory is short or there is no room. */
void http_answer_header(struct http_answer *a, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void http_answer_done(struct http_answer *a);

struct http_call;

struct http_ops {
    /* A request is there. The call is answered by http_reply(), at once or later; the request is
     * valid until then. */
    void (*request)(void *user, struct http_call *call, const struct http_request *r);
    /* The client has gone: the call is no more, and must not be answered. Only before it was. */
    void (*gone)(void *user, struct http_call *call);
    /* The requests that were there have been handed over: what they changed can be made lasting,
     * and answered. May be NULL. */
    void (*turn)(void *user);
};

struct http_conf {
    struct loop *loop;
    int tcp[4]; /* listening sockets, borrowed and non-blocking; … */
    unsigned n_tcp;
    int local; /* … and a Unix socket's; -1: none */
    const struct http_ops *ops;
    void *user;
    /* For tests: 0: the constants above. */
    unsigned request_ms, still_ms;
};

/* SPDX-License-Identifier: Apache-2.0
 *
 * The HTTP server for its files: http_answer.c gives answers to the library, http_request.c takes
 * requests from it, http.c has the connections, their times and the loop. Each calls those before
 * it.
 */
#pragma once

#include <microhttpd.h>

#include "base/cleanup.h"
#include "base/time.h"
#include "sys/http_types.h"

enum {
    HTTP_DAEMONS = 5, /* listening sockets */
    HTTP_REFUSAL_TEXT = 320,
};

struct http_conn;

/* Why the server itself answers a request. `status` 0: it does not. */
struct http_refusal {
    int status;
    const char *words;
};

/* A request. Its connection has one at a time. */
struct http_call {
    struct http *http;
    struct http_conn *conn;
    struct MHD_Connection *mhd;
    char *target;
    uint8_t *body;
    size_t len;
    struct http_refusal refused; /* once its body is over */
    bool begun;                  /* its headers were looked at */
    bool given;                  /* to the program, … */
    bool replied, queued;
    bool handling; /* the library waits for the outcome of this call */
    bool lost;     /* the client has gone */
    struct http_answer answer;
    struct http_request request;
};

struct http_conn {
    struct http_conn *next, **at;
    int fd;
    struct http_peer peer;
    char whose[64]; /* whoever shares the room of HTTP_OF_ADDRESS */
    struct http *http;
    struct http_call *call; /* NULL: between two requests */
    struct MHD_Connection *suspended;
    const void *body;  /* that has nothing now, its user; NULL: none */
    bool kept;         /* it had a request before */
    struct mono since; /* a request is waited for since then, … */
    struct mono moved; /* … and an answer has moved on then last */
    uint64_t acked;    /* bytes that the other end's system has taken; by TCP only */
};

struct http_daemon {
    struct http *http;
    struct MHD_Daemon *mhd;
    struct loop_fd *event;
    bool local;
};

struct http {
    struct http_conf conf;
    struct http_daemon daemon[HTTP_DAEMONS];
    unsigned n;
    struct loop_timer *timer, *look;
    struct http_conn *conns;
    unsigned open;
    unsigned request_ms, still_ms;
    bool given;   /* requests, in this turn */
    bool resumed; /* the library has to look at a connection again */
};

/* ---- http_answer.c ---- */

/* A connection that waits for the program is not looked at by the library, until it is resumed. */
void http_suspend(struct http_conn *c, struct MHD_Connection *mhd);
void http_resume(struct http_conn *c);
/* Gives the call's answer to the library. */
enum MHD_Result http_queue(struct http_call *call);
/* The document of a refusal, ended with 0. Its length. */
size_t http_refusal_text(char ret[HTTP_REFUSAL_TEXT], const struct http_refusal *why);
enum MHD_Result http_refuse(struct http_call *call, const struct http_refusal *why);

/* ---- http_request.c: callbacks of the library ---- */

enum MHD_Result http_on_request(void *cls, struct MHD_Connection *mhd, const char *url,
                                const char *method, const char *version, const char *upload,
                                size_t *upload_size, void **con_cls);
void *http_on_target(void *cls, const char *uri, struct MHD_Connection *mhd);
void http_on_completed(void *cls, struct MHD_Connection *mhd, void **con_cls,
                       enum MHD_RequestTerminationCode code);

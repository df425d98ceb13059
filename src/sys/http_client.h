/* SPDX-License-Identifier: Apache-2.0
 *
 * Requests to a farspan service, one after the other, each waited for (libcurl behind it): over its
 * Unix socket, or over HTTP. Nothing is followed or tried again.
 */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum {
    HTTP_CLIENT_BODY = 16 << 20, /* bytes of an answer that is kept in memory */
    HTTP_CLIENT_TOKEN = 384,     /* bytes of a token, fewer than */
    HTTP_CLIENT_CONNECT_MS = 5000,
    HTTP_CLIENT_SILENT_S = 30, /* without a byte of an answer that is kept in memory */
};

struct http_client;

/* May it stand in a header? There the end of a line would begin another one. */
bool http_client_is_token(const char *token);
/* `server`: "unix:PATH", "http://HOST:PORT" or "https://…". `token` NULL: none. Both are copied.
 * -EINVAL with a sentence; -ENOMEM. */
int http_client_new(const char *server, const char *token, struct http_client **ret,
                    struct error *err);
void http_client_free(struct http_client *c);

struct http_client_ask {
    const char *method, *path; /* "GET", "/v1/captures?limit=10" */
    const char *accept;        /* NULL: application/json */
    const char *body;          /* of JSON; NULL: none */
    const char *range;         /* "100-": NULL: all */
    /* Takes the body of an answer of status 200 to 299 as it comes; NULL: it is kept. Other than 0:
     * the request ends with that. */
    int (*take)(void *user, const void *bytes, size_t len);
    void *user;
    void (*tick)(void *user);          /* about once a second while it lasts; may be NULL */
    const volatile sig_atomic_t *stop; /* not 0: the request ends with -EINTR; may be NULL */
};

struct http_client_answer {
    int status;
    char type[64]; /* Content-Type, without parameters */
    char *body;    /* owned; ends with 0; NULL where it was taken, or there is none */
    size_t len;
};

/* 0: there is an answer, whatever its status; -ECONNREFUSED, -ENOENT, -EINTR, … with a sentence. */
int http_client_ask(struct http_client *c, const struct http_client_ask *ask,
                    struct http_client_answer *ret, struct error *err);
void http_client_answer_done(struct http_client_answer *a);

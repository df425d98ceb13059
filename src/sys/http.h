/* SPDX-License-Identifier: Apache-2.0
 *
 * An HTTP/1.1 server in the loop's thread (libmicrohttpd behind it). A request comes whole, or is
 * refused here: target over HTTP_TARGET_MAX (414), headers over HTTP_HEADERS_MAX (431), body over
 * HTTP_BODY_MAX (413), what could be read in two ways, as two lengths of a body or two Hosts (400),
 * codings other than chunked (501). A request has HTTP_REQUEST_MS to its end, from the connection's
 * begin or, where that had one before, from its first line; so long may a connection be idle, too.
 * Connections beyond HTTP_CONNECTIONS, or HTTP_OF_ADDRESS of an address or a local user, are turned
 * away (503). An answer that stands still for HTTP_STILL_MS is cut.
 *
 * These refusals are problem documents (RFC 9457). What libmicrohttpd (0.9.75) cannot read it
 * answers by itself, before it calls anything that knows the connection: with the status, a page of
 * HTML and the connection's end. That is a malformed request line, header, Content-Length or chunk
 * (400), a length beyond 64 bits (413), a version that is not 1.x (505), and a target or headers
 * that a connection's memory has no room for (414, 431).
 *
 * The server knows no route and no right: it hands each request over as a call, which is answered
 * at once or later, from the same thread.
 */
#pragma once

#include "sys/http_types.h"

struct http;

/* The program ignores SIGPIPE. -EIO, -ENOMEM, … with a sentence. */
int http_new(const struct http_conf *conf, struct http **ret, struct error *err);
/* Ends all connections; calls that were not answered are told by gone(). Takes NULL. */
void http_free(struct http *h);

/* Takes what the answer owns. */
void http_reply(struct http_call *call, struct http_answer *answer);
/* A body that had nothing has more now, or its end. Only while it is being sent: its free() ends
 * that. `user` is that of the body. */
void http_more(struct http *h, void *user);
/* Connections that are open. */
unsigned http_open(const struct http *h);

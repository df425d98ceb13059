/* SPDX-License-Identifier: Apache-2.0
 *
 * The status socket: whoever connects gets the program's ledger as one JSON document, and the end.
 * Nothing is read from the client. Listening happens before the split (sys/broker.h), answering in
 * the engine, removing the name in the broker.
 */
#pragma once

#include <jansson.h>

#include "base/error.h"
#include "sys/loop.h"
#include "sys/unixsock.h"

struct status_socket {
    int fd; /* -1: none */
    char path[UNIXSOCK_PATH_MAX];
};

/* Listens as "NAME", or "NAME-PID" when that is taken. Without a folder to do it in there is no
 * status socket, which is not fatal: err says why, and c->fd stays -1. */
int status_socket_listen(struct status_socket *c, const char *name, struct error *err);
/* Takes the name away. */
void status_socket_remove(struct status_socket *c);

struct status_server;

/* Answers from the loop; `make` gives the document (owned by the caller, NULL: none now). */
int status_socket_serve(struct loop *l, const struct status_socket *c, json_t *(*make)(void *user),
                        void *user, struct status_server **ret);
void status_socket_free(struct status_server *s);

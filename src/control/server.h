/* SPDX-License-Identifier: Apache-2.0
 *
 * The control role assembled: HTTP (sys/http.h), the framework of routes (control/api.h), the
 * store, and the agents that carry captures out (control/agents.h), in one loop. Whoever starts it
 * introduces it to its broker: it knows no request by itself.
 */
#pragma once

#include "control/opentap_settings.h"
#include "control/server_asks.h"
#include "control/who.h"

enum {
    SERVER_TCP = 4,
};

/* Those that may become others while it runs; all is borrowed. */
struct server_settings {
    enum api_role anonymous;                /* what requests by loopback without a token may */
    const char *const *hosts;               /* beside loopback's; ends with NULL */
    const struct opentap_settings *opentap; /* NULL: no files of its own, and UTC */
};

struct server_conf {
    struct loop *loop;
    struct broker *broker;
    const struct server_asks *asks;
    const char *folder;  /* of the store: "." behind the walls */
    int tcp[SERVER_TCP]; /* listening sockets, borrowed */
    unsigned n_tcp;
    int local; /* a Unix socket's, borrowed; -1: none */
    struct server_settings settings;
    uid_t owner;
    void (*say)(void *user, const char *words);
    void *user;
};

struct server;

int server_new(const struct server_conf *conf, struct server **ret, struct error *err);
/* The next request finds these settings; connections stay. */
void server_become(struct server *s, const struct server_settings *settings);
/* Takes NULL. */
void server_free(struct server *s);

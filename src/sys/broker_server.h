/* SPDX-License-Identifier: Apache-2.0
 *
 * The broker's end of the socket to one engine: its requests, and their children, are answered
 * here. sys/broker.h has one of these, sys/roles.h one for each role.
 */
#pragma once

#include <signal.h>

#include "sys/broker_child.h"
#include "sys/broker_table.h"

struct broker_server {
    int sock; /* -1: nobody is there */
    const struct broker_request *requests;
    size_t n_requests;
    void *ctx;
    struct sandbox_conf wall; /* whom children of requests become */
    /* Answers the built-in requests BROKER_READY and BROKER_PEER, whose results are as a handler's;
     * NULL: there are no other roles. */
    int (*built_in)(void *owner, const struct broker_msg_request *q, struct broker_reply *reply);
    void *owner;
    struct broker_counters count;
    struct broker_reply reply; /* here because it is large */
    struct broker_child children[BROKER_CHILDREN];
};

/* Whether the table is one: 0, or -EINVAL with a sentence. */
int broker_server_check(const struct broker_request *requests, size_t n, struct error *err);

/* One message of the engine's, where there is one; -EPIPE when there will be no more. */
int broker_server_one(struct broker_server *s);

/* A process has ended, perhaps one of this engine's children: those are waited for and answered. */
void broker_server_reap(struct broker_server *s);

/* Kills children whose time is up. `*next` becomes the deadline of the next one, if that is earlier
 * or *next is "never". */
void broker_server_due(struct broker_server *s, struct mono now, struct mono *next);

/* The engine has ended: closes the socket, and kills the children, which nobody hears any more.
 * They are reaped as the others are. */
void broker_server_close(struct broker_server *s);
/* At the broker's end: closes, and waits for the children, which were killed. */
void broker_server_done(struct broker_server *s);

/* Behind the broker's wall: with capabilities of both lists. 0 or -errno with a sentence. */
int broker_server_confine(const int always[], size_t n_always, const int caps[], size_t n_caps,
                          struct error *err);

/* The signals that a broker waits for. */
void broker_server_signals(sigset_t *ret);
/* The exit status of a program whose engine ended so, `status` as from waitpid. */
int broker_server_exit_status(int status);

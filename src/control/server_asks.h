/* SPDX-License-Identifier: Apache-2.0
 *
 * Questions of handlers to the broker that nobody waits for. A handler asks, is told -EAGAIN, and
 * asks again with the same waiter once it is woken: then the answer is here.
 */
#pragma once

#include "sys/broker.h"
#include "sys/loop.h"

enum {
    SERVER_ASKS = BROKER_ASKS_MAX,
};

/* The requests to the broker, as broker_ask; but the last two, which wait, as broker_call. */
struct server_asks {
    int (*check)(struct broker *b, const char *filter, broker_answer_fn *fn, void *user,
                 struct error *err);
    int (*open)(struct broker *b, const uint8_t id[16], bool snapshot, broker_answer_fn *fn,
                void *user, struct error *err);
    int (*remove)(struct broker *b, const uint8_t id[16], broker_answer_fn *fn, void *user,
                  struct error *err);
    unsigned data_role; /* the number of the role that carries out */
    int (*list_now)(struct broker *b, int *ret_fd, struct error *err);
    int (*open_now)(struct broker *b, const uint8_t id[16], int *ret_fd, struct error *err);
};

struct server_questions;

/* A question under way, or its answer. */
struct server_ask {
    void *waiter; /* NULL: free */
    bool known;
    int result, fd; /* the descriptor is owned; -1: none */
    struct error err;
    struct server_questions *of;
};

struct server_questions {
    struct broker *broker;
    const struct server_asks *asks;
    struct loop *loop;
    struct loop_timer *timer; /* of answers that are overdue */
    struct server_ask ask[SERVER_ASKS];
    /* An answer has come that the waiter may fetch, now or never. */
    void (*wake)(void *user, void *waiter);
    void *user;
};

int server_questions_init(struct server_questions *q);
void server_questions_done(struct server_questions *q);

/* As the edges of control/api.h. */
int server_check(struct server_questions *q, const char *filter, void *waiter, struct error *err);
int server_open(struct server_questions *q, const uint8_t id[16], bool second, void *waiter,
                int *ret_fd, struct error *err);
void server_remove(struct server_questions *q, const uint8_t id[16]);
/* The broker's descriptor is readable. -EPIPE: it has ended. */
int server_answers(struct server_questions *q);

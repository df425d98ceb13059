/* SPDX-License-Identifier: Apache-2.0
 *
 * The list of requests to the broker that nobody waits for (broker_ask of sys/broker.h), with the
 * answers that have come and were not handed out yet. It has no socket and reads no clock.
 */
#pragma once

#include <stdbool.h>

#include "base/error.h"
#include "base/time.h"
#include "sys/broker_msg.h"

enum {
    BROKER_ASKS_MAX = 64,
};

/* An answer: as broker_call's, `result` 0 or -errno with a sentence. `data` is valid during the
 * call. `fd` is the callee's, -1: none. It may ask, call and forget. */
typedef void broker_answer_fn(void *user, int result, const uint8_t *data, size_t len, int fd,
                              const struct error *err);

struct broker_asked {
    uint32_t seq;
    broker_answer_fn *fn;
    void *user;
    struct mono deadline;
    bool answered; /* then: */
    int result;
    struct error err;
    uint8_t *data; /* owned */
    size_t len;
    int fd; /* owned */
};

struct broker_asks {
    struct broker_asked asked[BROKER_ASKS_MAX]; /* in the order of asking */
    size_t n;
};

/* -EAGAIN: BROKER_ASKS_MAX are under way. */
int broker_asks_add(struct broker_asks *a, uint32_t seq, broker_answer_fn *fn, void *user,
                    struct mono deadline);

/* A reply has come. True where it is one of these: *fd is taken then. */
bool broker_asks_answer(struct broker_asks *a, const struct broker_msg_reply *m, int *fd);
/* Those whose time is up, or all that are not answered, have failed. */
void broker_asks_due(struct broker_asks *a, struct mono now);
void broker_asks_fail(struct broker_asks *a, int code, const char *sentence);

/* Takes one that is answered out of the list: true, and broker_asked_done() is the caller's. */
bool broker_asks_take(struct broker_asks *a, struct broker_asked *ret);
void broker_asked_done(struct broker_asked *one);

/* Those of the user are no more. */
void broker_asks_forget(struct broker_asks *a, const void *user);
/* When to look next: {0} is "never", and a time long past is "now, an answer is there". */
struct mono broker_asks_next(const struct broker_asks *a);
void broker_asks_done(struct broker_asks *a);

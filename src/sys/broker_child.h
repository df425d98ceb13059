/* SPDX-License-Identifier: Apache-2.0
 *
 * A request that a short-lived child of the broker carries out (struct broker_request, `child`).
 * The child answers over a socket pair of its own: it could forge answers to other requests of the
 * engine, and take requests from it, had it the engine's. The broker looks at that pair once the
 * child has ended, and takes one well-formed answer to this request from it, or says that there is
 * none. It never waits.
 */
#pragma once

#include "base/time.h"
#include "sys/broker_table.h"
#include "sys/sandbox.h"

struct broker_child {
    pid_t pid;            /* 0: this one is free */
    int sock;             /* the broker's end of the pair */
    uint32_t seq;         /* the request's */
    struct mono deadline; /* it is killed then; {0}: it was */
    const char *name;     /* the request's */
    bool abandoned;       /* nobody is there for the answer */
};

/* The request `q` as it came, and what is needed to carry it out. */
struct broker_child_job {
    const struct broker_request *kind;
    const struct broker_msg_request *q;
    void *ctx;
    struct sandbox_conf wall; /* whom the child becomes */
};

/* 0 or -errno with a sentence. `reply` is the memory for the child's. */
int broker_child_start(struct broker_child *c, const struct broker_child_job *job,
                       struct broker_reply *reply, struct error *err);

/* Kills it where its time is up. */
void broker_child_due(struct broker_child *c, struct mono now);
void broker_child_kill(struct broker_child *c);

/* It has ended with this status: fills the reply, returns the result and frees *c. */
int broker_child_ended(struct broker_child *c, int status, struct broker_reply *reply);

/* A result as the engine may see it: that of a wrong handler is -EIO, and each failure has a
 * sentence. */
int broker_result(const struct broker_request *kind, int result, struct broker_reply *reply);

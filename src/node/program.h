/* SPDX-License-Identifier: Apache-2.0
 *
 * The frame of a program that runs until a signal: the status socket, the split of privileges, the
 * walls around the engine, its loop and signals, and the end. A command (cmd/tap.c,
 * cmd/collector.c) calls the functions below in their order, and between them makes what it runs.
 */
#pragma once

#include "node/status_socket.h"
#include "node/teller.h"
#include "sys/broker.h"
#include "sys/loop.h"
#include "sys/sandbox.h"

struct program_conf {
    const char *command; /* "tap", for sentences */
    const char *name;    /* of the status socket; NULL: it has none */
    const char *user;    /* whom the engine runs as; NULL: the default */
    const struct broker_request *requests;
    size_t n_requests;
    void *grants; /* the requests' ctx */
    const int *caps;
    size_t n_caps; /* that the broker keeps */
    enum sandbox_sends sends;
    unsigned max_files;
    /* In the broker, once it is on its own: to wipe what only the engine needs. */
    void (*alone)(void *ctx);
    /* In the broker when the engine has ended: to remove what only the broker can. May be NULL. */
    void (*over)(void *ctx);
    void *ctx; /* of both */
    const struct teller *teller;
};

/* Zeros to begin with. */
struct program {
    struct program_conf conf;
    struct broker_conf split; /* lives as long as the process */
    struct status_socket control;
    struct status_server *status;
    struct broker *broker; /* the engine's end */
    struct loop *loop;
};

/* With privileges: makes the status socket, holds signals and splits. Returns in the engine, and
 * where the split failed, with -errno and nothing left to remove. */
int program_split(struct program *p, const struct program_conf *conf, struct error *err);
/* Any process that had no loop yet: *ret is one, whose signals go to `fn` with `user`, and then it
 * is behind the walls. What it has to do without is told; teller NULL: by another process. */
int program_enter(const struct sandbox_conf *sc, const struct teller *teller, loop_signal_fn *fn,
                  void *user, struct loop **ret, struct error *err);
/* The same in the engine, which has the loop then. */
int program_wall_in(struct program *p, loop_signal_fn *fn, void *user, struct error *err);
/* The status socket answers from now on with what `make` gives. */
int program_serve(struct program *p, json_t *(*make)(void *user), void *user, struct error *err);
/* A document to standard output, whole. -errno with a sentence. Takes `doc`. */
int program_print(json_t *doc, struct error *err);
/* After all that is in the loop. */
void program_done(struct program *p);

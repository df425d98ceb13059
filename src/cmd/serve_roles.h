/* SPDX-License-Identifier: Apache-2.0
 *
 * The roles of `farspan serve` in their processes: data (node/engine.h) and control
 * (control/server.h). Neither knows the other: they are introduced here.
 */
#pragma once

#include "cmd/reload.h"
#include "cmd/serve_line.h"
#include "cmd/serve_prepare.h"
#include "control/server.h"
#include "node/serve_requests.h"
#include "sys/loop.h"

/* A service, as all of its processes know it. */
struct serve_command {
    struct serve_line line;
    struct serve_opened opened;
    struct serve_grants grants;
    struct reload reload; /* its line is `line`, until it is another */
    char system[128];     /* "Linux 6.1.0 x86_64" */
};

struct engine;

/* A role in its process. */
struct serve_process {
    struct serve_command *command;
    struct broker *broker;
    struct loop *loop;
    struct engine *engine;           /* of data, … */
    struct loop_timer *stop;         /* … and while it ends */
    struct server *server;           /* of control, … */
    struct opentap_settings opentap; /* … whose settings these are */
};

/* Is the role to its end: an exit status. */
int serve_run_role(void *ctx, struct broker *b,
                   int (*be)(struct serve_process *p, struct error *err));

/* The line as it holds. */
struct serve_line *serve_line_of(const struct serve_command *c);
/* The functions of struct role; `ctx` is a struct serve_command. */
int serve_be_data(void *ctx, struct broker *b);
int serve_be_control(void *ctx, struct broker *b);

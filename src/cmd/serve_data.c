/* SPDX-License-Identifier: Apache-2.0
 *
 * The data role of `farspan serve`.
 */
#include <signal.h>
#include <stdlib.h>

#include "cmd/cmd.h"
#include "cmd/serve_reload.h"
#include "node/engine.h"
#include "node/program.h"

enum {
    STOP_MS = 100, /* between two looks whether captures have ended */
    DATA_FILES = 4096,
};

static void tell(void *user, const char *text)
{
    (void)user;
    say("serve", "%s", text);
}

static const struct teller teller = {tell, NULL};

static void on_stop_timer(struct loop *l, struct mono now, void *user)
{
    struct serve_process *p = user;
    (void)now;
    if (engine_is_stopped(p->engine)) {
        loop_stop(l, EXIT_SUCCESS);
    }
}

static void on_data_signal(struct loop *l, const struct loop_signal *sig, void *user)
{
    struct serve_process *p = user;
    if (p->stop || !p->engine) {
        return;
    }
    if (sig->number == SIGHUP) {
        if (serve_reload_take(p, &serve_reload_data_ops)) {
            engine_select(p->engine, &serve_line_of(p->command)->select);
        }
        return;
    }
    engine_stop(p->engine);
    if (loop_add_timer(l, mono_now(), STOP_MS * NSEC_PER_MSEC, on_stop_timer, p, &p->stop) < 0) {
        loop_stop(l, EXIT_SUCCESS);
    }
}

static int meet_control(void *user, int *ret_fd)
{
    const struct serve_process *p = user;
    return broker_peer(p->broker, SERVE_CONTROL, ret_fd, NULL);
}

static int be_data(struct serve_process *p, struct error *err)
{
    struct serve_command *c = p->command;
    struct sandbox_conf sc;
    broker_sandbox(p->broker, &sc);
    sc.sends = SANDBOX_SENDS_CONNECTED;
    sc.max_files = DATA_FILES;
    serve_close(&c->opened, false); /* those of the broker and of control */
    int r = program_enter(&sc, &teller, on_data_signal, p, &p->loop, err);
    if (r < 0) {
        return r;
    }
    const struct engine_conf ec = {.loop = p->loop,
                                   .broker = p->broker,
                                   .teller = &teller,
                                   .select = &serve_line_of(c)->select,
                                   .system = c->system,
                                   .meet = meet_control,
                                   .user = p};
    r = engine_new(&ec, &p->engine, err);
    r = r < 0 ? r : broker_ready(p->broker, err);
    r = r < 0 ? r : loop_run(p->loop);
    engine_free(p->engine);
    loop_del_timer(p->loop, p->stop);
    return r;
}

int serve_be_data(void *ctx, struct broker *b)
{
    return serve_run_role(ctx, b, be_data);
}

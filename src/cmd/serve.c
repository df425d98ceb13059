/* SPDX-License-Identifier: Apache-2.0
 *
 * `farspan serve`: the roles data (node/engine.h) and control (control/server.h) under one broker
 * (sys/roles.h). Neither knows the other: they are introduced here.
 */
#include <linux/capability.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/serve_line.h"
#include "cmd/serve_prepare.h"
#include "control/server.h"
#include "node/engine.h"
#include "node/serve_requests.h"
#include "sys/crypto/kdf.h"
#include "sys/roles.h"

enum {
    STOP_MS = 100, /* between two looks whether captures have ended */
    DATA_FILES = 4096,
};

struct command {
    struct serve_line line;
    struct serve_opened opened;
    struct serve_grants grants;
    char system[128];
};

/* A role in its process. */
struct role_process {
    struct command *command;
    struct broker *broker;
    struct loop *loop;
    struct engine *engine;
    struct loop_timer *stop;
};

static void tell(void *user, const char *text)
{
    (void)user;
    say("serve", "%s", text);
}

static const struct teller teller = {tell, NULL};

static int wall_in(struct role_process *p, struct sandbox_conf *sc, loop_signal_fn *fn,
                   struct error *err)
{
    int r = loop_new(&p->loop);
    r = r < 0 ? r : loop_add_signals(p->loop, fn, p);
    return r < 0 ? error_sys(err, -r, "cannot start") : sandbox_enter(sc, err);
}

/* ---- the data role ---- */

static void on_stop_timer(struct loop *l, struct mono now, void *user)
{
    struct role_process *p = user;
    (void)now;
    if (engine_is_stopped(p->engine)) {
        loop_stop(l, EXIT_SUCCESS);
    }
}

static void on_data_signal(struct loop *l, const struct loop_signal *sig, void *user)
{
    struct role_process *p = user;
    if (sig->number == SIGHUP || p->stop || !p->engine) {
        return;
    }
    engine_stop(p->engine);
    if (loop_add_timer(l, mono_now(), STOP_MS * NSEC_PER_MSEC, on_stop_timer, p, &p->stop) < 0) {
        loop_stop(l, EXIT_SUCCESS);
    }
}

static int meet_control(void *user, int *ret_fd)
{
    const struct role_process *p = user;
    return broker_peer(p->broker, SERVE_CONTROL, ret_fd, NULL);
}

static int be_data(struct role_process *p, struct error *err)
{
    struct command *c = p->command;
    struct sandbox_conf sc;
    const struct engine_conf ec = {.broker = p->broker,
                                   .teller = &teller,
                                   .select = &c->line.select,
                                   .system = c->system,
                                   .meet = meet_control,
                                   .user = p};
    broker_sandbox(p->broker, &sc);
    sc.sends = SANDBOX_SENDS_CONNECTED;
    sc.max_files = DATA_FILES;
    serve_close(&c->opened, false); /* those of the broker and of control */
    int r = wall_in(p, &sc, on_data_signal, err);
    if (r == 0) {
        struct engine_conf with_loop = ec;
        with_loop.loop = p->loop;
        r = engine_new(&with_loop, &p->engine, err);
    }
    r = r < 0 ? r : broker_ready(p->broker, err);
    r = r < 0 ? r : loop_run(p->loop);
    engine_free(p->engine);
    loop_del_timer(p->loop, p->stop);
    return r;
}

/* ---- the control role ---- */

static void on_control_signal(struct loop *l, const struct loop_signal *sig, void *user)
{
    (void)user;
    if (sig->number != SIGHUP) {
        loop_stop(l, EXIT_SUCCESS);
    }
}

static enum api_role anonymous_role(const struct serve_line *l)
{
    return l->anonymous == SERVE_CAPTURE ? API_CAPTURE
           : l->anonymous == SERVE_READ  ? API_READ
                                         : API_NOBODY;
}

static int be_control(struct role_process *p, struct error *err)
{
    static const struct server_asks asks = {serve_ask_check, serve_ask_open, serve_ask_delete,
                                            SERVE_DATA};
    struct command *c = p->command;
    struct sandbox_conf sc;
    struct server *server = NULL;
    closep(&c->opened.captures); /* a folder's descriptor would lead out */
    c->opened.captures = -1;
    broker_sandbox(p->broker, &sc);
    sc.sends = SANDBOX_SENDS_CONNECTED;
    sc.root = c->opened.store;
    sc.http = true;
    int r = wall_in(p, &sc, on_control_signal, err);
    if (r < 0) {
        return r;
    }
    struct server_conf conf = {.loop = p->loop,
                               .broker = p->broker,
                               .asks = &asks,
                               .folder = ".",
                               .n_tcp = c->opened.n_tcp,
                               .local = c->opened.local,
                               .anonymous = anonymous_role(&c->line),
                               .hosts = c->line.host,
                               .owner = getuid(),
                               .say = tell};
    memcpy(conf.tcp, c->opened.tcp, sizeof(conf.tcp));
    r = server_new(&conf, &server, err);
    r = r < 0 ? r : broker_ready(p->broker, err);
    r = r < 0 ? r : loop_run(p->loop);
    server_free(server);
    return r;
}

/* ---- both ---- */

static int run_role(void *ctx, struct broker *b,
                    int (*be)(struct role_process *p, struct error *err))
{
    struct role_process p = {.command = ctx, .broker = b};
    struct error err = {""};
    const int r = be(&p, &err);
    if (r < 0) {
        say("serve", "%s", err.text);
    }
    loop_free(p.loop);
    return r < 0 ? EXIT_FAILURE : r;
}

static int run_data(void *ctx, struct broker *b)
{
    return run_role(ctx, b, be_data);
}

static int run_control(void *ctx, struct broker *b)
{
    return run_role(ctx, b, be_control);
}

/* ---- the broker ---- */

static void on_ready(void *owner)
{
    const struct command *c = owner;
    const struct serve_line *l = &c->line;
    for (unsigned i = 0; i < l->n_listen; i++) {
        const bool v6 = strchr(l->listen[i].host, ':') != NULL;
        say("serve", "http://%s%s%s:%u%s", v6 ? "[" : "", l->listen[i].host, v6 ? "]" : "",
            l->listen[i].port,
            l->anonymous == SERVE_CAPTURE ? ", anyone on this host may capture"
            : l->anonymous == SERVE_READ  ? ", anyone on this host may look"
                                          : "");
    }
}

static void on_died(void *owner, const struct role *role, int status, int64_t again_ms)
{
    char words[64] = "";
    (void)owner;
    if (again_ms >= 0) {
        (void)snprintf(words, sizeof(words), "; it starts again in %.1f s",
                       (double)again_ms / 1000);
    }
    if (WIFSIGNALED(status)) {
        say("serve", "the %s role was ended by signal %d (%s)%s", role->name, WTERMSIG(status),
            strsignal(WTERMSIG(status)), words);
    } else {
        say("serve", "the %s role ended with status %d%s", role->name, WEXITSTATUS(status), words);
    }
}

static int prepare(struct command *c, struct error *err)
{
    struct selection *s = &c->line.select;
    s->take_links = true; /* as tcpdump sees it */
    s->metered = true;    /* what other programs of farspan send counts */
    system_words(c->system, sizeof(c->system));
    int r = crypto_init(err);
    r = r < 0 ? r : interface_grants_prepare(s, &c->grants.interfaces, err);
    r = r < 0 ? r : serve_open(&c->line, &c->opened, err);
    c->grants.captures = c->opened.captures;
    return r;
}

static int serve(struct command *c, struct error *err)
{
    static const int caps[] = {CAP_NET_RAW, CAP_NET_ADMIN, CAP_IPC_LOCK, CAP_SYS_ADMIN};
    const struct role roles[SERVE_ROLES] = {
        [SERVE_DATA] = {"data", serve_data_requests, SERVE_DATA_REQUESTS, &c->grants, run_data, c},
        [SERVE_CONTROL] = {"control", serve_control_requests, SERVE_CONTROL_REQUESTS, &c->grants,
                           run_control, c},
    };
    const struct roles_conf rc = {.roles = roles,
                                  .n = SERVE_ROLES,
                                  .caps = caps,
                                  .n_caps = c->grants.interfaces.netns ? 4 : 3,
                                  .user = c->line.common.user,
                                  .ready = on_ready,
                                  .died = on_died,
                                  .owner = c};
    loop_hold_signals(); /* what was made is taken away in order */
    int r = prepare(c, err);
    r = r < 0 ? r : roles_run(&rc, err);
    serve_close(&c->opened, true);
    netns_free(c->grants.interfaces.netns);
    return r;
}

int cmd_serve(int argc, char **argv)
{
    static struct command c;
    struct error err = {""};
    int r = serve_parse(&c.line, argc, argv);
    if (r != EXIT_SUCCESS) {
        return -1 - r;
    }
    r = serve(&c, &err);
    if (r < 0) {
        say("serve", "%s", err.text);
    }
    serve_line_done(&c.line);
    return r < 0 ? EXIT_FAILURE : r;
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * The control role of `farspan serve`.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/serve_reload.h"
#include "node/program.h"
#include "sys/zone.h"

static void tell(void *user, const char *text)
{
    (void)user;
    say("serve", "%s", text);
}

static int64_t local_offset_ns(int64_t ns)
{
    return zone_offset_ns((struct wall){ns});
}

static enum api_role anonymous_role(const struct serve_line *l)
{
    return l->anonymous == SERVE_CAPTURE ? API_CAPTURE
           : l->anonymous == SERVE_READ  ? API_READ
                                         : API_NOBODY;
}

static struct server_settings settings_of(struct serve_process *p)
{
    const struct serve_line *l = serve_line_of(p->command);
    p->opentap = (struct opentap_settings){l->opentap ? &l->opentap_conf : NULL, local_offset_ns};
    return (struct server_settings){anonymous_role(l), l->host, &p->opentap};
}

static void reread(struct serve_process *p)
{
    const struct serve_line *before = serve_line_of(p->command);
    struct error err = {""};
    if (!serve_reload_take(p, &serve_reload_control_ops)) {
        return;
    }
    struct serve_line *l = serve_line_of(p->command);
    if (serve_request_other_settings(p->broker, &l->opentap_conf, sizeof(l->opentap_conf), &err) <
        0) {
        l->opentap_conf = before->opentap_conf;
        say("serve", "SIGHUP: %s", err.text);
    }
    const struct server_settings settings = settings_of(p);
    server_become(p->server, &settings);
}

static void on_control_signal(struct loop *l, const struct loop_signal *sig, void *user)
{
    struct serve_process *p = user;
    if (sig->number != SIGHUP) {
        loop_stop(l, EXIT_SUCCESS);
    } else if (p->server) {
        reread(p);
    }
}

static int be_control(struct serve_process *p, struct error *err)
{
    static const struct server_asks asks = {serve_ask_check,    serve_ask_open,
                                            serve_ask_delete,   SERVE_DATA,
                                            serve_request_list, serve_request_open};
    struct serve_command *c = p->command;
    struct sandbox_conf sc;
    closep(&c->opened.captures); /* a folder's descriptor would lead out */
    c->opened.captures = -1;
    broker_sandbox(p->broker, &sc);
    sc.sends = SANDBOX_SENDS_CONNECTED;
    sc.root = c->opened.store;
    sc.http = true;
    int r = program_enter(&sc, NULL, on_control_signal, p, &p->loop, err); /* the data role tells */
    if (r < 0) {
        return r;
    }
    struct server_conf conf = {.loop = p->loop,
                               .broker = p->broker,
                               .asks = &asks,
                               .folder = ".",
                               .n_tcp = c->opened.n_tcp,
                               .local = c->opened.local,
                               .settings = settings_of(p),
                               .owner = getuid(),
                               .say = tell};
    memcpy(conf.tcp, c->opened.tcp, sizeof(conf.tcp));
    r = server_new(&conf, &p->server, err);
    r = r < 0 ? r : broker_ready(p->broker, err);
    r = r < 0 ? r : loop_run(p->loop);
    server_free(p->server);
    return r;
}

int serve_be_control(void *ctx, struct broker *b)
{
    return serve_run_role(ctx, b, be_control);
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * `farspan tap`: the command line becomes one tap (node/tap.h) in one program (node/program.h).
 */
#include <linux/capability.h>
#include <signal.h>

#include "cmd/cmd.h"
#include "cmd/secrets.h"
#include "cmd/tap_line.h"
#include "cmd/tap_reload.h"
#include "cmd/tap_summary.h"
#include "node/program.h"

struct command {
    struct tap_line line;
    struct secrets secrets;
    struct tap_grants grants;
    struct program program;
    struct tap *tap;
    struct reload reload;
};

static void tell(void *user, const char *text)
{
    (void)user;
    say("tap", "%s", text);
}

static const struct teller teller = {tell, NULL};

static void on_signal(struct loop *l, const struct loop_signal *sig, void *user)
{
    (void)l;
    struct command *c = user;
    if (sig->number == SIGHUP && !sig->from_kernel && reload_can(&c->reload)) {
        reload_ask(&c->reload, c->program.broker, c->tap);
    } else if (!sig->ignored) {
        tap_stop(c->tap);
    }
}

static void on_stopped(void *user)
{
    struct command *c = user;
    loop_stop(c->program.loop, EXIT_SUCCESS);
}

/* The broker knows no secret. */
static void on_alone(void *ctx)
{
    struct command *c = ctx;
    secrets_done(&c->secrets);
}

static int split(struct command *c, struct error *err)
{
    /* The last one is for --netns only: to enter another namespace. */
    static const int caps[] = {CAP_NET_RAW, CAP_NET_ADMIN, CAP_SETUID,
                               CAP_SETGID,  CAP_IPC_LOCK,  CAP_SYS_ADMIN};
    const struct program_conf pc = {.command = "tap",
                                    .name = c->line.conf.name,
                                    .user = c->line.conf.user,
                                    .requests = tap_requests,
                                    .n_requests = TAP_REQUESTS,
                                    .grants = &c->grants,
                                    .caps = caps,
                                    .n_caps =
                                        ARRAY_SIZE(caps) - (c->grants.interfaces.netns ? 0 : 1),
                                    .sends = SANDBOX_SENDS_CONNECTED,
                                    .alone = on_alone,
                                    .ctx = c,
                                    .teller = &teller};
    int r = program_split(&c->program, &pc, err);
    netns_free(
        TAKE_PTR(c->grants.interfaces.netns)); /* the broker's copy is the one that is used */
    return r;
}

/* Of a tap that has ended by itself; `asked`: else. */
static int exit_status(const struct tap *t, int asked)
{
    enum link_close why = tap_ended(t);
    return why == LINK_CLOSE_LIMIT ? EXIT_LIMIT : why == LINK_CLOSE_IDLE ? EXIT_IDLE : asked;
}

static int engine(struct command *c, struct error *err)
{
    char host[128];
    system_words(host, sizeof(host));
    const struct tap_around around = {.conf = &c->line.conf,
                                      .handshake = &c->secrets.conf,
                                      .loop = c->program.loop,
                                      .broker = c->program.broker,
                                      .teller = &teller,
                                      .host = host,
                                      .stopped = on_stopped,
                                      .user = c};
    int r = tap_new(&around, &c->tap, err);
    r = r < 0 ? r : program_serve(&c->program, tap_document, c->tap, err);
    if (r < 0) {
        return r;
    }
    tap_start(c->tap);
    bool ok = loop_run(c->program.loop) == EXIT_SUCCESS;
    int status = tap_summary(c->tap, c->line.conf.collector_text, c->line.strict);
    r = c->line.common.json ? program_print(tap_document(c->tap), err) : 0;
    return r < 0 ? r : ok ? exit_status(c->tap, status) : EXIT_FAILURE;
}

static int run(struct command *c, struct error *err)
{
    int r = tap_prepare(&c->line.conf, &c->grants, err);
    reload_grant(&c->reload, &c->grants.reload, &c->grants);
    r = r < 0 ? r : secrets_load(&c->line.secret, "tap", false, &c->secrets, err);
    r = r < 0 ? r : split(c, err);
    r = r < 0 ? r : program_wall_in(&c->program, on_signal, c, err);
    return r < 0 ? r : engine(c, err);
}

int cmd_tap(int argc, char **argv)
{
    static struct command c = {.program.control.fd = -1};
    struct error err = {""};
    c.reload = (struct reload){&tap_reload_ops, argc, argv, .line = &c.line};
    int r = tap_parse(&c.line, argc, argv);
    if (r != EXIT_SUCCESS) {
        return -1 - r;
    }
    r = run(&c, &err);
    if (r < 0) {
        say("tap", "%s", err.text);
    }
    tap_free(c.tap);
    program_done(&c.program);
    netns_free(c.grants.interfaces.netns);
    secrets_done(&c.secrets);
    reload_done(&c.reload);
    tap_line_done(&c.line);
    return r < 0 ? EXIT_FAILURE : r;
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * `farspan collector`: the command line becomes one collector (node/collector.h) in one program.
 */
#include <signal.h>

#include "cmd/cmd.h"
#include "cmd/collector_reload.h"
#include "cmd/collector_summary.h"
#include "node/program.h"

struct command {
    struct collector_line line;
    struct secrets secrets;
    struct collector_opened opened;
    struct collector_grants grants;
    struct program program;
    struct collector *collector;
    struct reload reload;
    char name[64];
};

static void tell(void *user, const char *text)
{
    (void)user;
    say("collector", "%s", text);
}

static const struct teller teller = {tell, NULL};

static void on_signal(struct loop *l, const struct loop_signal *sig, void *user)
{
    struct command *c = user;
    if (sig->number == SIGHUP && !sig->from_kernel) {
        collector_reread(&c->reload, c->program.broker, c->collector, &c->secrets);
    } else if (!sig->ignored) { /* a terminal that goes away ends us, but for nohup */
        loop_stop(l, EXIT_SUCCESS);
    }
}

static void on_over(void *user, bool failed)
{
    const struct command *c = user;
    loop_stop(c->program.loop, failed ? EXIT_FAILURE : EXIT_SUCCESS);
}

/* The broker knows no secret, and gives no record. */
static void on_alone(void *ctx)
{
    secrets_done(&((struct command *)ctx)->secrets);
    exports_opened_done(&((struct command *)ctx)->opened.exports);
}

/* In the broker when the engine has ended. */
static void on_end(void *ctx)
{
    owndev_remove(((const struct command *)ctx)->grants.own);
    exports_over(&((const struct command *)ctx)->opened.exports);
}

static int split(struct command *c, struct error *err)
{
    static int caps[COLLECTOR_CAPS];
    const struct program_conf pc = {.command = "collector",
                                    .name = c->name,
                                    .user = c->line.conf.user,
                                    .requests = collector_requests,
                                    .n_requests = COLLECTOR_REQUESTS,
                                    .grants = &c->grants,
                                    .caps = caps,
                                    .n_caps = collector_caps(&c->line.conf, caps),
                                    .sends = collector_sends(&c->line.conf),
                                    .max_files = c->grants.one_each ? COLLECTOR_DEVICE_FILES : 0,
                                    .alone = on_alone,
                                    .over = on_end,
                                    .ctx = c,
                                    .teller = &teller};
    int r = program_split(&c->program, &pc, err);
    owndev_free(TAKE_PTR(c->grants.own)); /* the broker has it */
    return r;
}

static int engine(struct command *c, struct error *err)
{
    char os[128];
    system_words(os, sizeof(os));
    const struct collector_around around = {.conf = &c->line.conf,
                                            .handshake = &c->secrets.conf,
                                            .opened = &c->opened,
                                            .loop = c->program.loop,
                                            .broker = c->program.broker,
                                            .teller = &teller,
                                            .name = c->name,
                                            .os = os,
                                            .over = on_over,
                                            .user = c};
    int r = collector_new(&around, &c->collector, err);
    r = r < 0 ? r : program_serve(&c->program, collector_document, c->collector, err);
    if (r < 0) {
        return r;
    }
    collector_say_where(&c->line.conf);
    bool ok = loop_run(c->program.loop) == EXIT_SUCCESS;
    collector_stop(c->collector);
    collector_summary(c->collector);
    ok = ok && !collector_outputs(c->collector)->failed;
    r = c->line.common.json ? program_print(collector_document(c->collector), err) : 0;
    return r < 0 ? r : ok ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int run(struct command *c, struct error *err)
{
    int r = secrets_load(&c->line.secret, "collector", true, &c->secrets, err);
    if (r < 0) {
        return r;
    }
    r = collector_prepare(&c->line.conf, &teller, &c->opened, &c->grants, err);
    reload_grant(&c->reload, &c->grants.reload, &c->grants);
    if (r < 0) {
        owndev_remove(c->grants.own);
        owndev_free(TAKE_PTR(c->grants.own));
    }
    r = r < 0 ? r : split(c, err);
    r = r < 0 ? r : program_wall_in(&c->program, on_signal, c, err);
    r = r < 0 ? r : engine(c, err);
    collector_free(c->collector);
    program_done(&c->program);
    collector_opened_done(&c->opened);
    return r;
}

int cmd_collector(int argc, char **argv)
{
    static struct command c = {.program.control.fd = -1};
    struct error err = {""};
    c.reload = (struct reload){&collector_reload_ops, argc, argv, .line = &c.line};
    int r = collector_parse(&c.line, argc, argv);
    if (r != EXIT_SUCCESS) {
        return -1 - r;
    }
    snprintf(c.name, sizeof(c.name), "collector-%u", c.line.conf.port);
    r = run(&c, &err);
    if (r < 0) {
        say("collector", "%s", err.text);
    }
    secrets_done(&c.secrets);
    reload_done(&c.reload);
    collector_line_done(&c.line);
    return r < 0 ? EXIT_FAILURE : r;
}

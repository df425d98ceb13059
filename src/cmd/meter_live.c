/* SPDX-License-Identifier: Apache-2.0
 *
 * `farspan meter -i`: one meter of interfaces (node/meter_live.h) in one program (node/program.h).
 */
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/sockmark.h"
#include "cmd/cmd.h"
#include "cmd/meter_line.h"
#include "cmd/print.h"
#include "node/meter_live.h"
#include "node/meter_requests.h"
#include "node/program.h"

struct command {
    struct meter_line *line;
    struct meter_grants grants;
    struct exports_opened opened;
    struct program program;
    struct meter_live *meter;
};

static void tell(void *user, const char *text)
{
    (void)user;
    say("meter", "%s", text);
}

static const struct teller teller = {tell, NULL};

static void on_signal(struct loop *l, const struct loop_signal *sig, void *user)
{
    struct command *c = user;
    (void)l;
    if (!sig->ignored) {
        meter_live_stop(c->meter);
    }
}

static void on_stopped(void *user)
{
    loop_stop(((struct command *)user)->program.loop, EXIT_SUCCESS);
}

/* In the broker, which has no use for the files. */
static void on_alone(void *ctx)
{
    exports_opened_done(&((struct command *)ctx)->opened);
}

/* In the broker when the engine has ended. */
static void on_end(void *ctx)
{
    exports_over(&((struct command *)ctx)->opened);
}

static int prepare(struct command *c, struct error *err)
{
    struct meter_line *l = c->line;
    l->select.filter = l->filter ? strdup(l->filter) : NULL;
    meter_live_select(&l->select);
    l->select.no_mark = l->conf.exports.net.mark = sockmark_records((uint32_t)getpid());
    l->conf.exports.net.user = l->user;
    c->grants.exports.list = &l->conf.exports.net;
    int r = interface_grants_prepare(&l->select, &c->grants.interfaces, err);
    return r < 0 ? r : exports_open(&l->conf.exports, &c->opened, err);
}

static int split(struct command *c, struct error *err)
{
    static int caps[6] = {CAP_NET_RAW, CAP_NET_ADMIN, CAP_IPC_LOCK};
    size_t n_caps = 3;
    if (c->grants.interfaces.netns) { /* to enter another namespace */
        caps[n_caps++] = CAP_SYS_ADMIN;
    }
    if (c->grants.exports.list->n > 0) { /* to look names up as another user */
        caps[n_caps++] = CAP_SETUID;
        caps[n_caps++] = CAP_SETGID;
    }
    const struct program_conf pc = {.command = "meter",
                                    .name = c->line->name,
                                    .user = c->line->user,
                                    .requests = meter_requests,
                                    .n_requests = METER_REQUESTS,
                                    .grants = &c->grants,
                                    .caps = caps,
                                    .n_caps = n_caps,
                                    .sends = SANDBOX_SENDS_CONNECTED,
                                    .alone = on_alone,
                                    .over = on_end,
                                    .ctx = c,
                                    .teller = &teller};
    int r = program_split(&c->program, &pc, err);
    netns_free(TAKE_PTR(c->grants.interfaces.netns)); /* the broker has it */
    return r;
}

static int engine(struct command *c, struct error *err)
{
    const struct meter_live_around around = {.name = c->line->name,
                                             .conf = &c->line->conf,
                                             .select = &c->line->select,
                                             .stages = &c->line->stages,
                                             .opened = &c->opened,
                                             .loop = c->program.loop,
                                             .broker = c->program.broker,
                                             .teller = &teller,
                                             .stopped = on_stopped,
                                             .user = c};
    int r = meter_live_new(&around, &c->meter, err);
    r = r < 0 ? r : program_serve(&c->program, meter_live_document, c->meter, err);
    if (r < 0) {
        return r;
    }
    (void)loop_run(c->program.loop);
    const int result = meter_live_finish(c->meter, err);
    json_t *doc = meter_live_document(c->meter);
    print_report(doc, stderr);
    r = c->line->ledger ? program_print(json_incref(doc), err) : r;
    json_decref(doc);
    return result < 0 ? result : r;
}

static int run(struct command *c, struct error *err)
{
    int r = prepare(c, err);
    r = r < 0 ? r : split(c, err);
    r = r < 0 ? r : program_wall_in(&c->program, on_signal, c, err);
    return r < 0 ? r : engine(c, err);
}

int meter_run_live(struct meter_line *l)
{
    static struct command c = {.opened = EXPORTS_NOT_OPENED, .program.control.fd = -1};
    struct error err = {""};
    c.line = l;
    const int r = run(&c, &err);
    if (r < 0) {
        say("meter", "%s", err.text);
    }
    meter_live_free(c.meter);
    program_done(&c.program);
    exports_opened_done(&c.opened);
    netns_free(c.grants.interfaces.netns);
    return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

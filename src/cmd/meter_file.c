/* SPDX-License-Identifier: Apache-2.0
 *
 * `farspan meter -r`: one meter of a file (node/meter_file.h) in one program (node/program.h).
 */
#include <linux/capability.h>
#include <stdlib.h>

#include "cmd/cmd.h"
#include "cmd/meter_line.h"
#include "cmd/print.h"
#include "node/meter_file.h"
#include "node/meter_requests.h"
#include "node/program.h"

struct command {
    const struct meter_line *line;
    struct meter_file_conf conf;
    struct meter_grants grants;
    struct meter_file_opened opened;
    struct program program;
    struct meter_file *meter;
};

static void tell(void *user, const char *text)
{
    (void)user;
    say("meter", "%s", text);
}

static const struct teller teller = {tell, NULL};

static void on_signal(struct loop *l, const struct loop_signal *sig, void *user)
{
    (void)user;
    if (!sig->ignored) { /* a terminal that goes away ends us, but for nohup */
        loop_stop(l, EXIT_SUCCESS);
    }
}

static void on_over(void *user)
{
    loop_stop(((struct command *)user)->program.loop, EXIT_SUCCESS);
}

/* In the broker, which has no use for the files. */
static void on_alone(void *ctx)
{
    meter_file_opened_done(&((struct command *)ctx)->opened);
}

/* In the broker when the engine has ended. */
static void on_end(void *ctx)
{
    exports_over(&((struct command *)ctx)->opened.exports);
}

static int run(struct command *c, struct error *err)
{
    /* To look names up as another user, and to mark what is sent; where nothing is, for nothing. */
    static const int caps[] = {CAP_SETUID, CAP_SETGID, CAP_NET_ADMIN};
    const struct export_list *net = &c->conf.meter.exports.net;
    const struct program_conf pc = {.command = "meter",
                                    .user = c->line->user,
                                    .requests = meter_file_requests,
                                    .n_requests = METER_REQUESTS,
                                    .grants = &c->grants,
                                    .caps = caps,
                                    .n_caps = net->n > 0 ? ARRAY_SIZE(caps) : 0,
                                    .sends = SANDBOX_SENDS_CONNECTED,
                                    .alone = on_alone,
                                    .over = on_end,
                                    .ctx = c,
                                    .teller = &teller};
    c->grants.exports.list = net;
    int r = meter_file_open(&c->conf, &c->opened, err);
    r = r < 0 ? r : program_split(&c->program, &pc, err);
    r = r < 0 ? r : program_wall_in(&c->program, on_signal, c, err);
    if (r < 0) {
        return r;
    }
    const struct meter_file_around around = {.conf = &c->conf,
                                             .opened = &c->opened,
                                             .loop = c->program.loop,
                                             .broker = c->program.broker,
                                             .over = on_over,
                                             .user = c};
    r = meter_file_new(&around, &c->meter, err);
    if (r < 0) {
        return r;
    }
    (void)loop_run(c->program.loop);
    const int result = meter_file_stop(c->meter, err);
    json_t *doc = meter_file_document(c->meter);
    print_report(doc, stderr);
    if (c->line->ledger) {
        r = program_print(json_incref(doc), err);
    }
    json_decref(doc);
    return result < 0 ? result : r;
}

int meter_run_file(const struct meter_line *l)
{
    static struct command c = {.opened = {.file = -1, .exports = EXPORTS_NOT_OPENED},
                               .program.control.fd = -1};
    struct error err = {""};
    c.line = l;
    c.conf = (struct meter_file_conf){l->file, l->conf, &l->stages, l->filter};
    c.conf.meter.exports.net.user = l->user;
    c.conf.meter.exports.net.waits = true;
    const int r = run(&c, &err);
    if (r < 0) {
        say("meter", "%s", err.text);
    }
    meter_file_free(c.meter);
    program_done(&c.program);
    meter_file_opened_done(&c.opened);
    return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * `farspan serve`: the roles data (node/engine.h) and control (control/server.h) under one broker
 * (sys/roles.h).
 */
#include <linux/capability.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/serve_reload.h"
#include "sys/loop.h"
#include "sys/roles.h"
#include "sys/zone.h"

/* ---- the broker ---- */

static void on_ready(void *owner)
{
    const struct serve_command *c = owner;
    const struct serve_line *l = &c->line;
    for (unsigned i = 0; i < l->n_listen; i++) {
        const bool v6 = strchr(l->listen[i].host, ':') != NULL;
        say("serve", "http://%s%s%s:%u%s", v6 ? "[" : "", l->listen[i].host, v6 ? "]" : "",
            l->listen[i].port, serve_anonymous_words(l));
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

static int prepare(struct serve_command *c, struct error *err)
{
    struct selection *s = &c->line.select;
    system_words(c->system, sizeof(c->system));
    int r = zone_load(NULL, err); /* OpenTap's flows are in local time */
    r = r < 0 ? r : serve_read_opentap(&c->line, err);
    r = r < 0 ? r : interface_grants_prepare(s, &c->grants.taps.interfaces, err);
    r = r < 0 ? r : serve_open(&c->line, &c->opened, err);
    c->grants.captures = c->opened.captures;
    c->grants.others = &c->line.opentap_conf;
    c->grants.others_len = sizeof(c->line.opentap_conf);
    reload_grant_read(&c->reload, &c->grants.reload, &c->grants);
    if (r == 0) {
        struct error why = {""};
        if (mirror_grants_prepare(&c->grants.taps, c->opened.interfaces, &why) < 0) {
            say("serve", "%s", why.text);
        }
    }
    return r;
}

static int serve(struct serve_command *c, struct error *err)
{
    static const int caps[] = {CAP_NET_RAW, CAP_NET_ADMIN, CAP_IPC_LOCK, CAP_BPF, CAP_SYS_ADMIN};
    const struct role roles[SERVE_ROLES] = {
        [SERVE_DATA] = {"data", serve_data_requests, SERVE_DATA_REQUESTS, &c->grants, serve_be_data,
                        c},
        [SERVE_CONTROL] = {"control", serve_control_requests, SERVE_CONTROL_REQUESTS, &c->grants,
                           serve_be_control, c},
    };
    const struct roles_conf rc = {.roles = roles,
                                  .n = SERVE_ROLES,
                                  .caps = caps,
                                  .n_caps = c->grants.taps.interfaces.netns ? 5 : 4,
                                  .user = c->line.common.user,
                                  .ready = on_ready,
                                  .died = on_died,
                                  .hangup = serve_reread,
                                  .owner = c};
    loop_hold_signals(); /* what was made is taken away in order */
    int r = prepare(c, err);
    r = r < 0 ? r : roles_run(&rc, err);
    mirror_grants_done(&c->grants.taps);
    serve_close(&c->opened, true);
    netns_free(c->grants.taps.interfaces.netns);
    return r;
}

int cmd_serve(int argc, char **argv)
{
    static struct serve_command c;
    struct error err = {""};
    c.reload = (struct reload){&serve_reload_ops, argc, argv, .line = &c.line};
    int r = serve_parse(&c.line, argc, argv);
    if (r != EXIT_SUCCESS) {
        return -1 - r;
    }
    r = serve(&c, &err);
    if (r < 0) {
        say("serve", "%s", err.text);
    }
    reload_done(&c.reload);
    serve_line_done(&c.line);
    return r < 0 ? EXIT_FAILURE : r;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/serve_reload.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/cmd.h"

static int parse(void *line, int argc, char **argv, struct error *err)
{
    return serve_parse(line, argc, argv) == EXIT_SUCCESS
               ? 0
               : error_set(err, EINVAL, "nothing of it is used");
}

/* With the files that the configuration names, which only the broker may open. */
static int parse_all(void *line, int argc, char **argv, struct error *err)
{
    const int r = parse(line, argc, argv, err);
    return r < 0 ? r : serve_read_opentap(line, err);
}

static void done(void *line)
{
    serve_line_done(line);
}

/* Another address may come from OpenTap's file only: the other one's is compared before. */
static int may(const void *from, const void *to, struct error *err)
{
    const struct serve_line *now = from, *then = to;
    bool same = now->n_listen == then->n_listen;
    for (unsigned i = 0; same && i < now->n_listen; i++) {
        same = now->listen[i].port == then->listen[i].port &&
               strcmp(now->listen[i].host, then->listen[i].host) == 0;
    }
    return same ? 0
                : error_set(err, EBUSY,
                            "%s: websrv-addr: another value needs a restart, and nothing of the "
                            "file is used",
                            now->opentap);
}

static void holds(void *grants, const void *line)
{
    struct serve_grants *g = grants;
    const struct serve_line *l = line;
    g->taps.interfaces.select = &l->select;
    g->others = &l->opentap_conf;
}

#define COMMON                                                                                     \
    .command = "serve", .size = sizeof(struct serve_line),                                         \
    .file = offsetof(struct serve_line, file),                                                     \
    .config = offsetof(struct serve_line, common.config), .done = done

const struct reload_ops serve_reload_ops = {COMMON, .parse = parse_all, .may = may, .holds = holds};
const struct reload_ops serve_reload_data_ops = {COMMON, .parse = parse,
                                                 .request = serve_request_data_settings};
const struct reload_ops serve_reload_control_ops = {COMMON, .parse = parse,
                                                    .request = serve_request_control_settings};

bool serve_reread(void *owner)
{
    struct serve_command *c = owner;
    struct error err = {""};
    const struct serve_line *l = serve_line_of(c);
    const char *config = l->common.config, *opentap = l->opentap;
    if (!config && !opentap) {
        say("serve", "SIGHUP: there is no file of settings to be read again");
        return false;
    }
    if (reload_read(&c->reload, &err) < 0) {
        say("serve", "SIGHUP: all stays as it is: %s", err.text);
        return false;
    }
    say("serve", "SIGHUP: %s%s%s was read again%s", config ? config : "",
        config && opentap ? " with " : "", opentap ? opentap : "",
        serve_anonymous_words(serve_line_of(c)));
    return true;
}

bool serve_reload_take(struct serve_process *p, const struct reload_ops *ops)
{
    struct reload *r = &p->command->reload;
    struct error err = {""};
    r->ops = ops;
    if (reload_take(r, p->broker, &err) < 0) {
        say("serve", "SIGHUP: %s", err.text);
        return false;
    }
    return true;
}

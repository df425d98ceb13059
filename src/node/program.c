/* SPDX-License-Identifier: Apache-2.0 */
#include "node/program.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>

#include "node/document.h"

/* In the broker. */
static void at_start(void *owner)
{
    const struct program *p = owner;
    p->conf.alone(p->conf.ctx);
}

/* In the broker when the engine has ended. */
static void at_end(void *owner, int status)
{
    struct program *p = owner;
    status_socket_remove(&p->control);
    if (p->conf.over) {
        p->conf.over(p->conf.ctx);
    }
    if (WIFSIGNALED(status)) {
        teller_tell(p->conf.teller, "the engine was ended by signal %d (%s)", WTERMSIG(status),
                    strsignal(WTERMSIG(status)));
    }
}

int program_split(struct program *p, const struct program_conf *conf, struct error *err)
{
    *p = (struct program){.conf = *conf, .control = {.fd = -1}};
    loop_hold_signals(); /* what is made from here on is taken away in order */
    if (conf->name && status_socket_listen(&p->control, conf->name, err) < 0) {
        teller_tell(conf->teller, "warning: farspan status will not see this %s: %s", conf->command,
                    err->text);
    }
    p->split = (struct broker_conf){.requests = conf->requests,
                                    .n_requests = conf->n_requests,
                                    .ctx = conf->grants,
                                    .caps = conf->caps,
                                    .n_caps = conf->n_caps,
                                    .user = conf->user,
                                    .at_start = at_start,
                                    .at_end = at_end,
                                    .owner = p};
    int r = broker_start(&p->split, &p->broker, err);
    if (r < 0) {
        status_socket_remove(&p->control);
        if (conf->over) {
            conf->over(conf->ctx);
        }
    }
    return r;
}

int program_enter(const struct sandbox_conf *sc, const struct teller *teller, loop_signal_fn *fn,
                  void *user, struct loop **ret, struct error *err)
{
    int r = loop_new(ret);
    r = r < 0 ? r : loop_add_signals(*ret, fn, user);
    if (r < 0) {
        return error_sys(err, -r, "cannot start");
    }
    if (teller && sandbox_does_without(sc, err)) {
        teller_tell(teller, "%s", err->text);
    }
    return sandbox_enter(sc, err);
}

int program_wall_in(struct program *p, loop_signal_fn *fn, void *user, struct error *err)
{
    struct sandbox_conf sc;
    broker_sandbox(p->broker, &sc);
    sc.sends = p->conf.sends;
    sc.max_files = p->conf.max_files;
    return program_enter(&sc, p->conf.teller, fn, user, &p->loop, err);
}

int program_serve(struct program *p, json_t *(*make)(void *user), void *user, struct error *err)
{
    int r = status_socket_serve(p->loop, &p->control, make, user, &p->status);
    return r < 0 ? error_sys(err, -r, "cannot start") : 0;
}

int program_print(json_t *doc, struct error *err)
{
    document_print(doc, JSON_INDENT(2), stdout);
    json_decref(doc);
    return fflush(stdout) != 0 ? error_sys(err, errno, "cannot write to standard output") : 0;
}

void program_done(struct program *p)
{
    status_socket_free(p->status);
    loop_free(p->loop);
    broker_free(p->broker);
    closep(&p->control.fd);
}

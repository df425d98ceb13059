/* SPDX-License-Identifier: Apache-2.0
 *
 * broker_start of sys/broker.h: the split into a broker and one engine.
 */
#include <errno.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/time.h"
#include "sys/broker.h"
#include "sys/broker_io.h"
#include "sys/broker_server.h"

/* -- the broker: living and ending with the engine --------------------------------------------- */

struct server {
    const struct broker_conf *conf;
    int signals;
    pid_t engine;
    struct broker_server of;
};

/* True once the engine has ended; its status is in *ret_status then. */
static bool on_signal(struct server *s, int *ret_status)
{
    struct signalfd_siginfo si;
    while (read(s->signals, &si, sizeof(si)) == sizeof(si)) {
        int number = (int)si.ssi_signo;
        if (number != SIGCHLD) {
            if (si.ssi_code != SI_KERNEL && (pid_t)si.ssi_pid != s->engine) {
                kill(s->engine, number);
            }
        } else if (waitpid(s->engine, ret_status, WNOHANG) == s->engine) {
            return true;
        } else {
            broker_server_reap(&s->of);
        }
    }
    return false;
}

/* Milliseconds until the next child of a request is due; -1: none is. */
static int next_due(struct server *s)
{
    struct mono now = mono_now(), next = {0};
    broker_server_due(&s->of, now, &next);
    return mono_wait_ms(next, now);
}

static int serve(struct server *s)
{
    int status = 0;
    for (;;) {
        struct pollfd p[] = {{s->signals, POLLIN, 0}, {s->of.sock, POLLIN, 0}};
        if (poll(p, ARRAY_SIZE(p), next_due(s)) < 0) {
            if (errno == EINTR) {
                continue;
            }
            kill(s->engine, SIGTERM);
            waitpid(s->engine, &status, 0);
            return status;
        }
        if (p[0].revents && on_signal(s, &status)) {
            return status;
        }
        if (p[1].revents && broker_server_one(&s->of) < 0) {
            close(s->of.sock); /* poll passes over the negative number from now on */
            s->of.sock = -1;
        }
    }
}

static _Noreturn void be_broker(struct server *s)
{
    /* Without CAP_KILL even root may not pass a signal on to an engine, or stop a child, that runs
     * as somebody else. */
    static const int always[] = {CAP_KILL};
    prctl(PR_SET_NAME, "farspan-broker");
    if (s->conf->at_start) {
        s->conf->at_start(s->conf->owner);
    }
    /* The first message, to nobody's request, tells the engine whether there is a wall. */
    s->of.reply.fd = -1;
    int r = broker_server_confine(always, ARRAY_SIZE(always), s->conf->caps, s->conf->n_caps,
                                  &s->of.reply.err);
    broker_send_reply(s->of.sock, 0, r, &s->of.reply);
    int status = serve(s);
    broker_server_done(&s->of);
    if (s->conf->at_end) {
        s->conf->at_end(s->conf->owner, status);
    }
    _exit(broker_server_exit_status(status));
}

/* -- the split --------------------------------------------------------------------------------- */

int broker_check(const struct broker_conf *conf, struct error *err)
{
    if (conf->n_caps > CAP_LAST_CAP) {
        return error_set(err, EINVAL, "the broker's list of capabilities is too long");
    }
    return broker_server_check(conf->requests, conf->n_requests, err);
}

/* The things that both halves need, made before the fork so that failing is simple. */
struct split {
    struct broker *b;
    struct server *s;
    sigset_t old_mask;
    pid_t parent;
};

static void split_done(struct split *sp)
{
    if (sp->s) {
        closep(&sp->s->of.sock);
        closep(&sp->s->signals);
        free(sp->s);
    }
    broker_free(sp->b);
}

static int split_prepare(struct split *sp, const struct broker_conf *conf, struct error *err)
{
    int pair[2];
    sigset_t mask;
    struct sandbox_conf wall;
    broker_server_signals(&mask);
    int r = broker_find_user(conf->user, &wall, err);
    if (r < 0) {
        return r;
    }
    sp->s = calloc(1, sizeof(*sp->s));
    if (!sp->s) {
        return error_set(err, ENOMEM, "cannot start the privileged broker: out of memory");
    }
    *sp->s = (struct server){.conf = conf,
                             .signals = -1,
                             .of = {.sock = -1,
                                    .requests = conf->requests,
                                    .n_requests = conf->n_requests,
                                    .ctx = conf->ctx,
                                    .wall = wall}};
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
        return error_sys(err, errno, "cannot make the privileged broker's socket");
    }
    sp->s->of.sock = pair[0];
    sp->b = broker_new(pair[1], &wall, conf->call_ms);
    if (!sp->b) {
        close(pair[1]);
        return error_set(err, ENOMEM, "cannot start the privileged broker: out of memory");
    }
    sp->s->signals = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
    if (sp->s->signals < 0) {
        return error_sys(err, errno, "cannot make the privileged broker's signal descriptor");
    }
    return 0;
}

int broker_start(const struct broker_conf *conf, struct broker **ret, struct error *err)
{
    _cleanup_(split_done) struct split sp = {.parent = getpid()};
    sigset_t mask;
    int r = broker_check(conf, err);
    if (r >= 0) {
        r = split_prepare(&sp, conf, err);
    }
    if (r < 0) {
        return r;
    }
    /* A signal that comes now waits for the signalfd. Were SIGCHLD ignored, as some parents leave
     * it, the kernel would not keep the engine's status. */
    broker_server_signals(&mask);
    signal(SIGCHLD, SIG_DFL);
    pthread_sigmask(SIG_BLOCK, &mask, &sp.old_mask);
    pid_t pid = fork();
    if (pid > 0) {
        broker_free(TAKE_PTR(sp.b));
        sp.s->engine = pid;
        be_broker(sp.s);
    }
    pthread_sigmask(SIG_SETMASK, &sp.old_mask, NULL);
    if (pid < 0) {
        return error_sys(err, errno, "cannot split off the engine");
    }
    closep(&sp.s->of.sock); /* at once: the engine is to see when the broker ends */
    sp.s->of.sock = -1;
    r = broker_tie(sp.b, sp.parent, err);
    if (r >= 0) {
        r = broker_first(sp.b, err);
    }
    if (r >= 0) {
        *ret = TAKE_PTR(sp.b);
    }
    return r;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/roles.h"

#include <errno.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/bytes.h"
#include "sys/broker_server.h"

enum {
    PACE_FIRST_MS = 1000,
    PACE_MOST_MS = 30000,
    PACE_GOOD_MS = 60000, /* whoever has run for so long begins anew */
    END_MS = 30000,       /* roles that have not ended by then are killed */
    FAILED = 1,
};

/* One role, and its process if it has one. */
struct one {
    struct roles *all;
    const struct role *role;
    struct broker_server server;
    pid_t pid;         /* 0: there is none */
    bool stood;        /* it has said so, this process or one before */
    struct mono since; /* the process's start */
    struct mono again; /* the next one's; {0}: none is planned */
    struct roles_pace pace;
};

struct roles {
    const struct roles_conf *conf;
    struct sandbox_conf wall;
    sigset_t old_mask;
    int signals;
    pid_t self;
    struct one one[ROLES_MAX];
    int waiting[ROLES_MAX][ROLES_MAX]; /* [a][b]: b's end of a pair that a has asked for; -1 */
    bool told_ready;
    bool ending;
    struct mono end_by;
    int status;
};

int64_t roles_pace_ms(struct roles_pace *p, int64_t ran_ms)
{
    if (ran_ms >= PACE_GOOD_MS) {
        p->deaths = 0;
    }
    unsigned n = p->deaths++;
    int64_t ms = 0;
    for (unsigned i = 0; i < n && ms < PACE_MOST_MS; i++) {
        ms = ms == 0 ? PACE_FIRST_MS : 2 * ms;
    }
    p->deaths = MIN(p->deaths, 16U);
    return MIN(ms, PACE_MOST_MS);
}

/* -- meeting ----------------------------------------------------------------------------------- */

static void set_fd(int *at, int fd)
{
    closep(at);
    *at = fd;
}

static int meet(struct roles *r, size_t from, size_t to, struct broker_reply *reply)
{
    int pair[2];
    if (r->waiting[to][from] >= 0) {
        reply->fd = TAKE_FD(r->waiting[to][from]);
        return 0;
    }
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
        return error_sys(&reply->err, errno, "cannot connect to the %s role",
                         r->conf->roles[to].name);
    }
    set_fd(&r->waiting[from][to], pair[1]);
    reply->fd = pair[0];
    return 0;
}

/* All have stood once. */
static void stands(struct one *o)
{
    struct roles *r = o->all;
    o->stood = true;
    for (size_t i = 0; i < r->conf->n; i++) {
        if (!r->one[i].stood) {
            return;
        }
    }
    if (!r->told_ready && !r->ending && r->conf->ready) {
        r->conf->ready(r->conf->owner);
    }
    r->told_ready = true;
}

static int on_built_in(void *owner, const struct broker_msg_request *q, struct broker_reply *reply)
{
    struct one *o = owner;
    struct roles *r = o->all;
    struct rd rd = rd_make(q->args, q->len);
    if (q->number == BROKER_READY && q->len == 0) {
        stands(o);
        return 0;
    }
    uint32_t to = rd_u32(&rd);
    size_t from = (size_t)(o - r->one);
    if (q->number != BROKER_PEER || !rd_ok(&rd) || rd_left(&rd) != 0) {
        return error_set(&reply->err, EINVAL, "the broker refused a request of the %s role",
                         o->role->name);
    }
    if (to >= r->conf->n || to == from) {
        return error_set(&reply->err, EINVAL, "the %s role has no peer %u", o->role->name, to);
    }
    return meet(r, from, to, reply);
}

/* -- processes --------------------------------------------------------------------------------- */

/* In the new process: descriptors of the broker and of the other roles are closed. */
static void close_others(struct roles *r)
{
    closep(&r->signals);
    for (size_t i = 0; i < r->conf->n; i++) {
        closep(&r->one[i].server.sock);
        for (size_t k = 0; k < BROKER_CHILDREN; k++) {
            if (r->one[i].server.children[k].pid > 0) {
                close(r->one[i].server.children[k].sock);
            }
        }
        for (size_t k = 0; k < r->conf->n; k++) {
            closep(&r->waiting[i][k]);
        }
    }
}

static _Noreturn void be_role(struct one *o, int sock)
{
    struct roles *r = o->all;
    struct error err = {""};
    char name[16];
    close_others(r);
    snprintf(name, sizeof(name), "farspan-%s", o->role->name);
    prctl(PR_SET_NAME, name);
    struct broker *b = broker_new(sock, &r->wall, 0);
    if (!b || broker_tie(b, r->self, &err) < 0) {
        _exit(FAILED);
    }
    pthread_sigmask(SIG_SETMASK, &r->old_mask, NULL);
    int status = o->role->run(o->role->ctx, b);
    fflush(NULL);
    _exit(status);
}

static int start(struct one *o, struct error *err)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
        return error_sys(err, errno, "cannot start the %s role", o->role->name);
    }
    pid_t pid = fork();
    if (pid == 0) {
        close(pair[0]);
        be_role(o, pair[1]);
    }
    int r = pid < 0 ? error_sys(err, errno, "cannot start the %s role", o->role->name) : 0;
    close(pair[1]);
    if (r < 0) {
        close(pair[0]);
        return r;
    }
    o->server.sock = pair[0];
    o->server.count = (struct broker_counters){0};
    o->pid = pid;
    o->since = mono_now();
    o->again = (struct mono){0};
    return 0;
}

static void plan(struct one *o, int status, struct mono now)
{
    struct roles *r = o->all;
    int64_t ms = roles_pace_ms(&o->pace, mono_diff(now, o->since) / NSEC_PER_MSEC);
    o->again = mono_add_ms(now, ms);
    if (r->conf->died) {
        r->conf->died(r->conf->owner, o->role, status, ms);
    }
}

/* Passes a signal on to all roles but the one that it came from. */
static void tell(struct roles *r, int number, pid_t from)
{
    for (size_t i = 0; i < r->conf->n; i++) {
        if (r->one[i].pid > 0 && r->one[i].pid != from) {
            kill(r->one[i].pid, number);
        }
    }
}

static void begin_end(struct roles *r, struct mono now)
{
    if (!r->ending) {
        r->ending = true;
        r->end_by = mono_add_ms(now, END_MS);
    }
    for (size_t i = 0; i < r->conf->n; i++) {
        r->one[i].again = (struct mono){0};
    }
}

static void on_death(struct one *o, int status, struct mono now)
{
    struct roles *r = o->all;
    size_t number = (size_t)(o - r->one);
    int code = broker_server_exit_status(status);
    o->pid = 0;
    broker_server_close(&o->server);
    for (size_t i = 0; i < r->conf->n; i++) {
        set_fd(&r->waiting[number][i], -1);
    }
    if (o->stood && !r->ending) {
        plan(o, status, now);
        return;
    }
    r->status = r->status == 0 ? code : r->status;
    if (code != 0 && r->conf->died) {
        r->conf->died(r->conf->owner, o->role, status, -1);
    }
    if (!r->ending) {
        begin_end(r, now);
        tell(r, SIGTERM, 0);
    }
}

/* -- the broker -------------------------------------------------------------------------------- */

static void reap(struct roles *r)
{
    struct mono now = mono_now();
    for (size_t i = 0; i < r->conf->n; i++) {
        struct one *o = &r->one[i];
        int status = 0;
        broker_server_reap(&o->server);
        if (o->pid > 0 && waitpid(o->pid, &status, WNOHANG) == o->pid) {
            on_death(o, status, now);
        }
    }
}

static void on_signals(struct roles *r)
{
    struct signalfd_siginfo si;
    while (read(r->signals, &si, sizeof(si)) == sizeof(si)) {
        int number = (int)si.ssi_signo;
        if (number == SIGCHLD) {
            reap(r);
            continue;
        }
        if (number != SIGHUP) {
            begin_end(r, mono_now());
        }
        if (si.ssi_code != SI_KERNEL && /* a terminal's has reached them already */
            (number != SIGHUP || !r->conf->hangup || r->conf->hangup(r->conf->owner))) {
            tell(r, number, (pid_t)si.ssi_pid);
        }
    }
}

/* Starts and kills that are due are done. Milliseconds until there are more; -1: none is planned.
 */
static int work(struct roles *r)
{
    struct mono now = mono_now(), next = {0};
    struct error err;
    for (size_t i = 0; i < r->conf->n; i++) {
        struct one *o = &r->one[i];
        if (mono_due(now, o->again) && start(o, &err) < 0) {
            o->since = now;
            plan(o, FAILED << 8, now);
        }
        next = mono_earlier(next, o->again);
        broker_server_due(&o->server, now, &next);
    }
    if (r->ending && mono_due(now, r->end_by)) {
        tell(r, SIGKILL, 0);
        r->end_by = (struct mono){0};
    }
    return mono_wait_ms(mono_earlier(next, r->end_by), now);
}

static bool over(const struct roles *r)
{
    for (size_t i = 0; i < r->conf->n; i++) {
        if (r->one[i].pid > 0) {
            return false;
        }
    }
    return r->ending;
}

static void serve(struct roles *r)
{
    size_t n = r->conf->n;
    while (!over(r)) {
        struct pollfd p[ROLES_MAX + 1];
        int ms = work(r);
        for (size_t i = 0; i < n; i++) {
            p[i] = (struct pollfd){r->one[i].server.sock, POLLIN, 0};
        }
        p[n] = (struct pollfd){r->signals, POLLIN, 0};
        if (poll(p, n + 1, ms) < 0) {
            if (errno != EINTR) { /* no memory: it is tried again, but not at once */
                poll(NULL, 0, 10);
            }
            continue;
        }
        for (size_t i = 0; i < n; i++) {
            if (p[i].revents && broker_server_one(&r->one[i].server) < 0) {
                set_fd(&r->one[i].server.sock, -1);
            }
        }
        if (p[n].revents) {
            on_signals(r);
        }
    }
}

/* -- the beginning ----------------------------------------------------------------------------- */

static int check(const struct roles_conf *conf, struct error *err)
{
    if (conf->n == 0 || conf->n > ROLES_MAX) {
        return error_set(err, EINVAL, "there are 1 to %d roles", ROLES_MAX);
    }
    for (size_t i = 0; i < conf->n; i++) {
        const struct role *role = &conf->roles[i];
        if (!role->name || !role->run) {
            return error_set(err, EINVAL, "role %zu is wrong", i);
        }
        int r = broker_server_check(role->requests, role->n_requests, err);
        if (r < 0) {
            error_prefix(err, "the %s role", role->name);
            return r;
        }
    }
    return 0;
}

static void init(struct roles *r, const struct roles_conf *conf)
{
    *r = (struct roles){.conf = conf, .signals = -1, .self = getpid()};
    for (size_t i = 0; i < ROLES_MAX; i++) {
        for (size_t k = 0; k < ROLES_MAX; k++) {
            r->waiting[i][k] = -1;
        }
        r->one[i].server.sock = -1;
    }
    for (size_t i = 0; i < conf->n; i++) {
        const struct role *role = &conf->roles[i];
        r->one[i].all = r;
        r->one[i].role = role;
        r->one[i].server.requests = role->requests;
        r->one[i].server.n_requests = role->n_requests;
        r->one[i].server.ctx = role->grants;
        r->one[i].server.built_in = on_built_in;
        r->one[i].server.owner = &r->one[i];
    }
}

static void done(struct roles *r)
{
    for (size_t i = 0; i < r->conf->n; i++) {
        broker_server_done(&r->one[i].server);
        for (size_t k = 0; k < r->conf->n; k++) {
            closep(&r->waiting[i][k]);
        }
    }
    closep(&r->signals);
}

/* From here on this process is the broker. A role starts behind the broker's wall the first time as
 * any other time, so that it cannot come to need what it will not have again. */
static int become_broker(struct roles *r, struct error *err)
{
    /* For the roles' own walls; and CAP_KILL, as even root may not pass a signal on without it. */
    static const int always[] = {CAP_KILL, CAP_SETUID, CAP_SETGID, CAP_SYS_CHROOT, CAP_SETPCAP};
    sigset_t mask;
    int e = broker_find_user(r->conf->user, &r->wall, err);
    if (e < 0) {
        return e;
    }
    for (size_t i = 0; i < r->conf->n; i++) {
        r->one[i].server.wall = r->wall;
    }
    broker_server_signals(&mask);
    signal(SIGCHLD, SIG_DFL); /* were it ignored, the kernel would keep no status */
    pthread_sigmask(SIG_BLOCK, &mask, &r->old_mask);
    r->signals = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
    if (r->signals < 0) {
        return error_sys(err, errno, "cannot make the privileged broker's signal descriptor");
    }
    prctl(PR_SET_NAME, "farspan-broker");
    fflush(NULL); /* or each role would print it again */
    return broker_server_confine(always, ARRAY_SIZE(always), r->conf->caps, r->conf->n_caps, err);
}

int roles_run(const struct roles_conf *conf, struct error *err)
{
    int e = check(conf, err);
    if (e < 0) {
        return e;
    }
    _cleanup_(freep) struct roles *r = malloc(sizeof(*r));
    if (!r) {
        return error_set(err, ENOMEM, "cannot start the roles: out of memory");
    }
    init(r, conf);
    e = become_broker(r, err);
    for (size_t i = 0; e >= 0 && i < conf->n; i++) {
        e = start(&r->one[i], err);
    }
    if (e < 0) {
        begin_end(r, mono_now());
        tell(r, SIGTERM, 0);
    }
    serve(r);
    done(r);
    if (conf->at_end) {
        conf->at_end(conf->owner);
    }
    return e < 0 ? e : r->status;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/broker.h"

#include <errno.h>
#include <linux/capability.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "base/bytes.h"
#include "base/time.h"

enum {
    CALL_MS_DEFAULT = 10000,
    BUILT_IN_COUNT = 0x7fffffff, /* a request that every table has: broker_count */
    COUNTERS_LEN = 16,
};

/* -- the engine's end -------------------------------------------------------------------------- */

struct broker {
    int sock;
    uint32_t seq;
    unsigned call_ms;
    struct sandbox_conf sandbox;
};

void broker_free(struct broker *b)
{
    if (b) {
        closep(&b->sock);
        free(b);
    }
}

void broker_sandbox(const struct broker *b, struct sandbox_conf *ret)
{
    *ret = b->sandbox;
}

int broker_fd(const struct broker *b)
{
    return b->sock;
}

/* One message and at most one descriptor, or -errno; 0 at the other's end. */
static ssize_t receive(int sock, void *buf, size_t cap, int *ret_fd)
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
    struct iovec iov = {buf, cap};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control,
                         .msg_controllen = sizeof(control)};
    ssize_t n = recvmsg(sock, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (n < 0) {
        return -errno;
    }
    *ret_fd = -1;
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
    if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
        c->cmsg_len == CMSG_LEN(sizeof(int))) {
        memcpy(ret_fd, CMSG_DATA(c), sizeof(int));
    }
    return n;
}

static int wait_reply(const struct broker *b, struct mono deadline)
{
    struct pollfd p = {b->sock, POLLIN, 0};
    for (;;) {
        int64_t left = mono_diff(deadline, mono_now());
        int r = left <= 0 ? 0 : poll(&p, 1, (int)(left / NSEC_PER_MSEC) + 1);
        if (r > 0) {
            return 0;
        }
        if (r == 0) {
            return -ETIMEDOUT;
        }
        if (errno != EINTR) {
            return -errno;
        }
    }
}

/* The reply to the last request. Those to earlier ones, that were given up, are thrown away. */
static int next_reply(const struct broker *b, struct mono deadline, uint8_t buf[BROKER_REPLY_MAX],
                      struct broker_msg_reply *ret, int *ret_fd)
{
    for (;;) {
        _cleanup_(closep) int fd = -1;
        int r = wait_reply(b, deadline);
        if (r < 0) {
            return r;
        }
        ssize_t n = receive(b->sock, buf, BROKER_REPLY_MAX, &fd);
        if (n == -EAGAIN || n == -EINTR) {
            continue;
        }
        if (n <= 0) {
            return n < 0 && n != -ECONNRESET ? (int)n : -EPIPE;
        }
        r = broker_msg_get_reply(buf, (size_t)n, ret);
        if (r < 0) {
            return r;
        }
        if (ret->seq == b->seq) {
            if (ret->has_fd != (fd >= 0)) {
                return -EMFILE; /* the kernel drops a descriptor that has no place any more */
            }
            *ret_fd = TAKE_FD(fd);
            return 0;
        }
    }
}

static int ask(struct broker *b, uint32_t number, const void *args, size_t len)
{
    uint8_t buf[BROKER_REQUEST_MAX];
    struct broker_msg_request q = {++b->seq, number, args, len};
    int n = broker_msg_put_request(buf, sizeof(buf), &q);
    if (n < 0) {
        return n;
    }
    return send(b->sock, buf, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

int broker_call(struct broker *b, unsigned request, const void *args, size_t len, void *ret_data,
                size_t *len_data, int *ret_fd, struct error *err)
{
    uint8_t buf[BROKER_REPLY_MAX];
    struct broker_msg_reply reply = {.result = 0};
    _cleanup_(closep) int fd = -1;
    int r = ask(b, request, args, len);
    if (r >= 0) {
        r = next_reply(b, mono_add_ms(mono_now(), b->call_ms), buf, &reply, &fd);
    }
    if (r == -EPIPE || r == -ECONNRESET) {
        return error_set(err, EPIPE, "the privileged broker has ended");
    }
    if (r == -EMFILE) {
        return error_set(err, EMFILE,
                         "no descriptor is free for what the privileged broker hands over: raise "
                         "the limit (ulimit -n)");
    }
    if (r < 0) {
        return error_sys(err, -r, "no answer from the privileged broker");
    }
    if (reply.result < 0) {
        if (err) {
            *err = reply.err;
        }
        return reply.result;
    }
    if (reply.len > (len_data ? *len_data : 0)) {
        return error_set(err, EMSGSIZE, "the privileged broker answered too much");
    }
    if (len_data) {
        if (reply.len) {
            memcpy(ret_data, reply.data, reply.len);
        }
        *len_data = reply.len;
    }
    if (ret_fd) {
        *ret_fd = TAKE_FD(fd);
    }
    return 0;
}

int broker_count(struct broker *b, struct broker_counters *ret, struct error *err)
{
    uint8_t data[COUNTERS_LEN];
    size_t len = sizeof(data);
    int r = broker_call(b, BUILT_IN_COUNT, NULL, 0, data, &len, NULL, err);
    if (r < 0) {
        return r;
    }
    struct rd rd = rd_make(data, len);
    struct broker_counters c = {rd_u64(&rd), rd_u64(&rd)};
    if (!rd_ok(&rd)) {
        return error_set(err, EBADMSG, "the privileged broker answered too little");
    }
    *ret = c;
    return 0;
}

/* -- the broker: answering --------------------------------------------------------------------- */

struct server {
    const struct broker_conf *conf;
    int sock, signals;
    pid_t engine;
    struct broker_counters count;
    struct broker_reply reply; /* here because it is large */
};

static void send_reply(struct server *s, uint32_t seq, int result)
{
    uint8_t buf[BROKER_REPLY_MAX];
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {0};
    _cleanup_(closep) int fd = s->reply.fd;
    struct broker_msg_reply m = {.seq = seq, .result = result, .err = s->reply.err};
    if (result == 0) {
        m.has_fd = fd >= 0;
        m.err = (struct error){""};
        m.data = s->reply.data;
        m.len = s->reply.len;
    }
    int n = broker_msg_put_reply(buf, sizeof(buf), &m);
    if (n < 0) {
        return; /* only a wrong handler: the engine's deadline says so */
    }
    struct iovec iov = {buf, (size_t)n};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    if (m.has_fd) {
        msg.msg_control = control;
        msg.msg_controllen = sizeof(control);
        struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(c), &fd, sizeof(fd));
    }
    /* Never waits: an engine that does not read its answers must not keep signals from it. */
    _unused_ ssize_t sent = sendmsg(s->sock, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static int refuse(struct server *s, int code, const char *why, uint32_t number)
{
    s->count.refused++;
    return error_set(&s->reply.err, code, "the broker refused request %u: %s", number, why);
}

static int answer_count(struct server *s)
{
    struct wr w = wr_make(s->reply.data, sizeof(s->reply.data));
    wr_u64(&w, s->count.answered);
    wr_u64(&w, s->count.refused);
    s->reply.len = wr_len(&w);
    return 0;
}

static int handle(struct server *s, const struct broker_msg_request *q)
{
    if (q->number == BUILT_IN_COUNT && q->len == 0) {
        return answer_count(s);
    }
    if (q->number >= s->conf->n_requests) {
        return refuse(s, EOPNOTSUPP, "there is no such request", q->number);
    }
    const struct broker_request *kind = &s->conf->requests[q->number];
    if (q->len < kind->args_min || q->len > kind->args_max) {
        return refuse(s, EINVAL, "its arguments have a wrong size", q->number);
    }
    s->count.answered++;
    int r = kind->handle(s->conf->ctx, q->args, q->len, &s->reply);
    if (r > 0 || s->reply.len > sizeof(s->reply.data)) {
        r = error_set(&s->reply.err, EIO, "cannot %s: the broker's answer is wrong", kind->name);
    } else if (r < 0 && s->reply.err.text[0] == '\0') {
        r = error_sys(&s->reply.err, -r, "cannot %s", kind->name);
    }
    return r;
}

/* One message of the engine's; -EPIPE when there will be no more. Descriptors are not even taken:
 * without room for them the kernel closes them and says so. */
static int serve_one(struct server *s)
{
    uint8_t buf[BROKER_REQUEST_MAX];
    struct broker_msg_request q = {.seq = 0};
    struct iovec iov = {buf, sizeof(buf)};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    ssize_t n = recvmsg(s->sock, &msg, MSG_DONTWAIT);
    if (n < 0) {
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    }
    if (n == 0) {
        return -EPIPE;
    }
    s->reply.fd = -1;
    s->reply.err.text[0] = '\0';
    s->reply.len = 0;
    int r;
    if (broker_msg_get_request(buf, (size_t)n, &q) < 0 || msg.msg_flags & MSG_TRUNC) {
        r = refuse(s, EBADMSG, "it is malformed", q.number);
    } else if (msg.msg_flags & MSG_CTRUNC) {
        r = refuse(s, EINVAL, "it came with a descriptor", q.number);
    } else {
        r = handle(s, &q);
    }
    send_reply(s, q.seq, r);
    return 0;
}

/* -- the broker: living and ending with the engine --------------------------------------------- */

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
        }
    }
    return false;
}

static int serve(struct server *s)
{
    int status = 0;
    for (;;) {
        struct pollfd p[] = {{s->signals, POLLIN, 0}, {s->sock, POLLIN, 0}};
        if (poll(p, ARRAY_SIZE(p), -1) < 0 && errno != EINTR) {
            kill(s->engine, SIGTERM);
            waitpid(s->engine, &status, 0);
            return status;
        }
        if (p[0].revents && on_signal(s, &status)) {
            return status;
        }
        if (p[1].revents && serve_one(s) < 0) {
            close(s->sock); /* poll passes over the negative number from now on */
            s->sock = -1;
        }
    }
}

/* The caller's capabilities and CAP_KILL: without that one even root may not pass a signal on to an
 * engine, or stop a resolver child, that runs as somebody else. */
static int confine(const struct broker_conf *conf, struct error *err)
{
    int caps[CAP_LAST_CAP + 2] = {CAP_KILL};
    if (conf->n_caps) {
        memcpy(caps + 1, conf->caps, conf->n_caps * sizeof(caps[0]));
    }
    return sandbox_confine_broker(caps, conf->n_caps + 1, err);
}

static _Noreturn void be_broker(struct server *s)
{
    prctl(PR_SET_NAME, "farspan-broker");
    if (s->conf->at_start) {
        s->conf->at_start(s->conf->owner);
    }
    /* The first message, to nobody's request, tells the engine whether there is a wall. */
    s->reply.fd = -1;
    int r = confine(s->conf, &s->reply.err);
    send_reply(s, 0, r);
    int status = serve(s);
    if (s->conf->at_end) {
        s->conf->at_end(s->conf->owner, status);
    }
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

/* -- the split --------------------------------------------------------------------------------- */

int broker_check(const struct broker_conf *conf, struct error *err)
{
    if (conf->n_caps > CAP_LAST_CAP) {
        return error_set(err, EINVAL, "the broker's list of capabilities is too long");
    }
    for (size_t i = 0; i < conf->n_requests; i++) {
        const struct broker_request *q = &conf->requests[i];
        if (!q->name || !q->handle || q->args_min > q->args_max || q->args_max > BROKER_ARGS_MAX) {
            return error_set(err, EINVAL, "request %zu of the broker's table is wrong", i);
        }
    }
    return 0;
}

/* Root that may not change its user, as in a container that has dropped the capabilities for it,
 * goes on as it is, unless somebody else was asked for. */
static int use_user(const struct passwd *pw, bool asked_for, struct sandbox_conf *ret,
                    struct error *err)
{
    bool may = sandbox_may_change_ids();
    if (!may && asked_for && pw->pw_uid != 0) {
        return error_set(err, EPERM,
                         "root without CAP_SETUID and CAP_SETGID cannot run the engine as user "
                         "\"%s\": leave --user out, or give it these capabilities",
                         pw->pw_name);
    }
    *ret = (struct sandbox_conf){.change_ids = may, .uid = pw->pw_uid, .gid = pw->pw_gid};
    return 0;
}

int broker_find_user(const char *user, struct sandbox_conf *ret, struct error *err)
{
    const char *names[] = {user ? user : "farspan", user ? NULL : "nobody"};
    if (geteuid() != 0) {
        if (user) {
            return error_set(err, EPERM, "only root can run the engine as user \"%s\"", user);
        }
        *ret = (struct sandbox_conf){.change_ids = false};
        return 0;
    }
    for (size_t i = 0; i < ARRAY_SIZE(names) && names[i]; i++) {
        char buf[4096];
        struct passwd pw, *found = NULL;
        int e = getpwnam_r(names[i], &pw, buf, sizeof(buf), &found);
        if (found) {
            return use_user(&pw, user != NULL, ret, err);
        }
        if (e == EMFILE || e == ENFILE || e == ENOMEM) {
            return error_sys(err, e, "cannot look for the user \"%s\"", names[i]);
        }
    }
    if (!user && !sandbox_may_change_ids()) {
        *ret = (struct sandbox_conf){.change_ids = false};
        return 0;
    }
    return error_set(err, ENOENT,
                     "there is no user \"%s\" to run the engine as; make one or give --user",
                     user ? user : "nobody");
}

/* The engine's half of the split: waits until the broker stands. */
static int be_engine(struct broker *b, pid_t parent, struct error *err)
{
    uint8_t buf[BROKER_REPLY_MAX];
    struct broker_msg_reply reply;
    _cleanup_(closep) int fd = -1;
    b->sandbox.parent = parent;
    if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0 || getppid() != parent) {
        return error_set(err, ESRCH, "the privileged broker has ended");
    }
    int r = next_reply(b, mono_add_ms(mono_now(), b->call_ms), buf, &reply, &fd);
    if (r < 0) {
        return error_sys(err, -r, "the privileged broker did not start");
    }
    if (reply.result < 0 && err) {
        *err = reply.err;
    }
    return reply.result;
}

static void broker_signals(sigset_t *ret)
{
    sigemptyset(ret);
    sigaddset(ret, SIGINT);
    sigaddset(ret, SIGTERM);
    sigaddset(ret, SIGHUP);
    sigaddset(ret, SIGCHLD);
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
        closep(&sp->s->sock);
        closep(&sp->s->signals);
        free(sp->s);
    }
    broker_free(sp->b);
}

static int split_prepare(struct split *sp, const struct broker_conf *conf, struct error *err)
{
    int pair[2];
    sigset_t mask;
    broker_signals(&mask);
    sp->b = calloc(1, sizeof(*sp->b));
    sp->s = calloc(1, sizeof(*sp->s));
    if (sp->s) {
        sp->s->sock = sp->s->signals = -1;
    }
    if (sp->b) {
        sp->b->sock = -1;
    }
    if (!sp->b || !sp->s) {
        return error_set(err, ENOMEM, "cannot start the privileged broker: out of memory");
    }
    int r = broker_find_user(conf->user, &sp->b->sandbox, err);
    if (r < 0) {
        return r;
    }
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
        return error_sys(err, errno, "cannot make the privileged broker's socket");
    }
    sp->s->conf = conf;
    sp->s->sock = pair[0];
    sp->b->sock = pair[1];
    sp->b->call_ms = conf->call_ms ? conf->call_ms : CALL_MS_DEFAULT;
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
    broker_signals(&mask);
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
    closep(&sp.s->sock); /* at once: the engine is to see when the broker ends */
    sp.s->sock = -1;
    r = be_engine(sp.b, sp.parent, err);
    if (r >= 0) {
        *ret = TAKE_PTR(sp.b);
    }
    return r;
}

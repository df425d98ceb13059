/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/broker_child.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "sys/broker_io.h"
#include "sys/sandbox_filter.h"

enum {
    FILE_BYTES_MAX = 1 << 20, /* of any file that the child writes, one in memory too */
};

int broker_result(const struct broker_request *kind, int result, struct broker_reply *reply)
{
    if (result > 0 || reply->len > sizeof(reply->data)) {
        return error_set(&reply->err, EIO, "cannot %s: the broker's answer is wrong", kind->name);
    }
    if (result < 0 && reply->err.text[0] == '\0') {
        return error_sys(&reply->err, -result, "cannot %s", kind->name);
    }
    return result;
}

/* Were the broker to miss the deadline, the child would still end by itself. It makes no process
 * of its own either, which would outlive it. */
static void set_limits(void)
{
    /* SIGXCPU at the first, which tells its end from a crash, SIGKILL at the second. */
    const struct rlimit seconds = {BROKER_CHILD_MS / 1000, BROKER_CHILD_MS / 1000 + 1};
    const struct rlimit bytes = {BROKER_CHILD_BYTES, BROKER_CHILD_BYTES};
    const struct rlimit file = {FILE_BYTES_MAX, FILE_BYTES_MAX};
    const struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CPU, &seconds);
    setrlimit(RLIMIT_FSIZE, &file);
    setrlimit(RLIMIT_NPROC, &none);
    if (!SANDBOX_LENIENT) { /* a sanitizer's shadow is larger than that */
        setrlimit(RLIMIT_AS, &bytes);
    }
}

static _Noreturn void be_child(const struct broker_child_job *job, int sock, pid_t parent,
                               struct broker_reply *reply)
{
    signal(SIGPIPE, SIG_DFL);
    signal(SIGCHLD, SIG_DFL);
    int r = sandbox_drop_child(&job->wall, "farspan-child", parent, sock);
    set_limits();
    if (r >= 0) {
        r = job->kind->child(job->ctx, job->q->args, job->q->len, reply);
    }
    broker_send_reply(sock, job->q->seq, broker_result(job->kind, r, reply), reply);
    _exit(0);
}

int broker_child_start(struct broker_child *c, const struct broker_child_job *job,
                       struct broker_reply *reply, struct error *err)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
        return error_sys(err, errno, "cannot %s", job->kind->name);
    }
    pid_t parent = getpid(), pid = fork();
    if (pid == 0) {
        be_child(job, pair[1], parent, reply);
    }
    int r = pid < 0 ? error_sys(err, errno, "cannot %s", job->kind->name) : 0;
    close(pair[1]);
    if (r < 0) {
        close(pair[0]);
        return r;
    }
    *c = (struct broker_child){.pid = pid,
                               .sock = pair[0],
                               .seq = job->q->seq,
                               .deadline = mono_add_ms(mono_now(), BROKER_CHILD_MS),
                               .name = job->kind->name};
    return 0;
}

void broker_child_kill(struct broker_child *c)
{
    if (c->pid > 0) {
        kill(c->pid, SIGKILL);
    }
}

void broker_child_due(struct broker_child *c, struct mono now)
{
    if (c->pid > 0 && mono_due(now, c->deadline)) {
        c->deadline = (struct mono){0};
        broker_child_kill(c);
    }
}

/* The child's answer, or -EBADMSG: there is none that is one to this request. */
static int take_answer(const struct broker_child *c, struct broker_reply *reply, int *ret_result)
{
    uint8_t buf[BROKER_REPLY_MAX];
    struct broker_msg_reply m;
    _cleanup_(closep) int fd = -1;
    ssize_t n = broker_receive(c->sock, buf, sizeof(buf), &fd);
    if (n <= 0 || broker_msg_get_reply(buf, (size_t)n, &m) < 0 || m.seq != c->seq ||
        m.has_fd != (fd >= 0)) {
        return -EBADMSG;
    }
    reply->err = m.err;
    reply->len = m.len;
    if (m.len > 0) {
        memcpy(reply->data, m.data, m.len);
    }
    reply->fd = TAKE_FD(fd);
    *ret_result = m.result;
    return 0;
}

int broker_child_ended(struct broker_child *c, int status, struct broker_reply *reply)
{
    int r = 0;
    if (take_answer(c, reply, &r) < 0) {
        bool spent = WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU;
        if (c->deadline.ns == 0 || spent) {
            r = error_set(&reply->err, ETIMEDOUT, "cannot %s: it took longer than %d s", c->name,
                          BROKER_CHILD_MS / 1000);
        } else if (WIFSIGNALED(status)) {
            r = error_set(&reply->err, EIO, "cannot %s: its process was ended by signal %d",
                          c->name, WTERMSIG(status));
        } else {
            r = error_set(&reply->err, EIO, "cannot %s: its process gave no answer", c->name);
        }
    }
    close(c->sock);
    *c = (struct broker_child){.sock = -1};
    return r;
}

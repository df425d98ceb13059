/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/broker_server.h"

#include <errno.h>
#include <linux/capability.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "base/bytes.h"
#include "sys/broker_io.h"

enum {
    LATER = 1, /* a result: a child will answer */
    CAPS_MAX = CAP_LAST_CAP + 1,
};

int broker_server_check(const struct broker_request *requests, size_t n, struct error *err)
{
    for (size_t i = 0; i < n; i++) {
        const struct broker_request *q = &requests[i];
        if (!q->name || !q->handle == !q->child || q->args_min > q->args_max ||
            q->args_max > BROKER_ARGS_MAX) {
            return error_set(err, EINVAL, "request %zu of the broker's table is wrong", i);
        }
    }
    return 0;
}

/* -- answering --------------------------------------------------------------------------------- */

static int refuse(struct broker_server *s, int code, const char *why, uint32_t number)
{
    s->count.refused++;
    return error_set(&s->reply.err, code, "the broker refused request %u: %s", number, why);
}

static int answer_count(struct broker_server *s)
{
    struct wr w = wr_make(s->reply.data, sizeof(s->reply.data));
    wr_u64(&w, s->count.answered);
    wr_u64(&w, s->count.refused);
    s->reply.len = wr_len(&w);
    return 0;
}

static int answer_built_in(struct broker_server *s, const struct broker_msg_request *q)
{
    if (q->number == BROKER_COUNT) {
        return q->len == 0 ? answer_count(s)
                           : refuse(s, EINVAL, "its arguments have a wrong size", q->number);
    }
    if (s->built_in) {
        return s->built_in(s->owner, q, &s->reply);
    }
    return q->number == BROKER_READY
               ? 0
               : error_set(&s->reply.err, EOPNOTSUPP, "the broker has no other role");
}

static int start_child(struct broker_server *s, const struct broker_request *kind,
                       const struct broker_msg_request *q)
{
    const struct broker_child_job job = {.kind = kind, .q = q, .ctx = s->ctx, .wall = s->wall};
    for (size_t i = 0; i < BROKER_CHILDREN; i++) {
        if (s->children[i].pid == 0) {
            int r = broker_child_start(&s->children[i], &job, &s->reply, &s->reply.err);
            return r < 0 ? r : LATER;
        }
    }
    return error_set(&s->reply.err, EAGAIN, "cannot %s: the broker is busy with %d of these",
                     kind->name, BROKER_CHILDREN);
}

static int handle(struct broker_server *s, const struct broker_msg_request *q)
{
    if (q->number >= BROKER_BUILT_IN && q->number <= BROKER_COUNT) {
        return answer_built_in(s, q);
    }
    if (q->number >= s->n_requests) {
        return refuse(s, EOPNOTSUPP, "there is no such request", q->number);
    }
    const struct broker_request *kind = &s->requests[q->number];
    if (q->len < kind->args_min || q->len > kind->args_max) {
        return refuse(s, EINVAL, "its arguments have a wrong size", q->number);
    }
    s->count.answered++;
    if (kind->child) {
        return start_child(s, kind, q);
    }
    return broker_result(kind, kind->handle(s->ctx, q->args, q->len, &s->reply), &s->reply);
}

static void clear_reply(struct broker_server *s)
{
    s->reply.fd = -1;
    s->reply.err.text[0] = '\0';
    s->reply.len = 0;
}

/* Descriptors are not even taken: without room for them the kernel closes them and says so. */
int broker_server_one(struct broker_server *s)
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
    clear_reply(s);
    int r;
    if (broker_msg_get_request(buf, (size_t)n, &q) < 0 || msg.msg_flags & MSG_TRUNC) {
        r = refuse(s, EBADMSG, "it is malformed", q.number);
    } else if (msg.msg_flags & MSG_CTRUNC) {
        r = refuse(s, EINVAL, "it came with a descriptor", q.number);
    } else {
        r = handle(s, &q);
    }
    if (r != LATER) {
        broker_send_reply(s->sock, q.seq, r, &s->reply);
    }
    return 0;
}

/* -- children ---------------------------------------------------------------------------------- */

static void answer_for(struct broker_server *s, struct broker_child *c, int status)
{
    bool heard = !c->abandoned && s->sock >= 0;
    uint32_t seq = c->seq;
    clear_reply(s);
    int r = broker_child_ended(c, status, &s->reply);
    if (heard) {
        broker_send_reply(s->sock, seq, r, &s->reply);
    } else {
        closep(&s->reply.fd);
        s->reply.fd = -1;
    }
}

void broker_server_reap(struct broker_server *s)
{
    for (size_t i = 0; i < BROKER_CHILDREN; i++) {
        struct broker_child *c = &s->children[i];
        int status = 0;
        if (c->pid > 0 && waitpid(c->pid, &status, WNOHANG) == c->pid) {
            answer_for(s, c, status);
        }
    }
}

void broker_server_due(struct broker_server *s, struct mono now, struct mono *next)
{
    for (size_t i = 0; i < BROKER_CHILDREN; i++) {
        struct broker_child *c = &s->children[i];
        broker_child_due(c, now);
        if (c->pid > 0) {
            *next = mono_earlier(*next, c->deadline);
        }
    }
}

void broker_server_close(struct broker_server *s)
{
    closep(&s->sock);
    s->sock = -1;
    for (size_t i = 0; i < BROKER_CHILDREN; i++) {
        s->children[i].abandoned = true;
        broker_child_kill(&s->children[i]);
    }
}

void broker_server_done(struct broker_server *s)
{
    broker_server_close(s);
    for (size_t i = 0; i < BROKER_CHILDREN; i++) {
        struct broker_child *c = &s->children[i];
        if (c->pid > 0) {
            while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR) {
            }
            answer_for(s, c, 0);
        }
    }
}

/* -- the broker itself ------------------------------------------------------------------------- */

int broker_server_confine(const int always[], size_t n_always, const int caps[], size_t n_caps,
                          struct error *err)
{
    int all[2 * CAPS_MAX];
    if (n_caps > CAPS_MAX || n_always > CAPS_MAX) {
        return error_set(err, EINVAL, "the broker's list of capabilities is too long");
    }
    memcpy(all, always, n_always * sizeof(all[0]));
    if (n_caps) {
        memcpy(all + n_always, caps, n_caps * sizeof(all[0]));
    }
    return sandbox_confine_broker(all, n_always + n_caps, err);
}

void broker_server_signals(sigset_t *ret)
{
    sigemptyset(ret);
    sigaddset(ret, SIGINT);
    sigaddset(ret, SIGTERM);
    sigaddset(ret, SIGHUP);
    sigaddset(ret, SIGCHLD);
}

int broker_server_exit_status(int status)
{
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

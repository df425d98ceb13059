/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/broker.h"

#include <errno.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "base/bytes.h"
#include "sys/broker_io.h"

enum {
    CALL_MS_DEFAULT = 10000,
    COUNTERS_LEN = 16,
};

static const char GONE[] = "the privileged broker has ended";

struct broker {
    int sock;
    uint32_t seq;
    unsigned call_ms;
    struct sandbox_conf sandbox;
    struct broker_asks asks;
};

struct broker *broker_new(int sock, const struct sandbox_conf *wall, unsigned call_ms)
{
    struct broker *b = calloc(1, sizeof(*b));
    if (b) {
        b->sock = sock;
        b->sandbox = *wall;
        b->call_ms = call_ms ? call_ms : CALL_MS_DEFAULT;
    }
    return b;
}

void broker_free(struct broker *b)
{
    if (b) {
        broker_asks_done(&b->asks);
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

/* -- calls ------------------------------------------------------------------------------------- */

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

/* The next reply, whosever it is; -EAGAIN: there is none. */
static int take_reply(const struct broker *b, uint8_t buf[BROKER_REPLY_MAX],
                      struct broker_msg_reply *ret, int *ret_fd)
{
    ssize_t n = broker_receive(b->sock, buf, BROKER_REPLY_MAX, ret_fd);
    if (n == -EINTR) {
        return -EAGAIN;
    }
    if (n <= 0) {
        return n < 0 && n != -ECONNRESET ? (int)n : -EPIPE;
    }
    return broker_msg_get_reply(buf, (size_t)n, ret);
}

/* The reply to the request. Answers to those that nobody waits for are kept; those to earlier ones,
 * that were given up, are thrown away. */
static int next_reply(struct broker *b, uint32_t seq, struct mono deadline,
                      uint8_t buf[BROKER_REPLY_MAX], struct broker_msg_reply *ret, int *ret_fd)
{
    for (;;) {
        _cleanup_(closep) int fd = -1;
        int r = wait_reply(b, deadline);
        if (r < 0) {
            return r;
        }
        r = take_reply(b, buf, ret, &fd);
        if (r == -EAGAIN) {
            continue;
        }
        if (r < 0) {
            return r;
        }
        if (ret->seq == seq) {
            if (ret->has_fd != (fd >= 0)) {
                return -EMFILE; /* the kernel drops a descriptor that has no place any more */
            }
            *ret_fd = TAKE_FD(fd);
            return 0;
        }
        (void)broker_asks_answer(&b->asks, ret, &fd);
    }
}

static int send_request(struct broker *b, uint32_t number, const void *args, size_t len)
{
    uint8_t buf[BROKER_REQUEST_MAX];
    struct broker_msg_request q = {++b->seq, number, args, len};
    int n = broker_msg_put_request(buf, sizeof(buf), &q);
    if (n < 0) {
        return n;
    }
    return send(b->sock, buf, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

/* A sentence on a reply that did not come. */
static int explain(int r, struct error *err)
{
    if (r == -EPIPE || r == -ECONNRESET) {
        return error_set(err, EPIPE, "%s", GONE);
    }
    if (r == -EMFILE) {
        return error_set(err, EMFILE,
                         "no descriptor is free for what the privileged broker hands over: raise "
                         "the limit (ulimit -n)");
    }
    return error_sys(err, -r, "no answer from the privileged broker");
}

int broker_call(struct broker *b, unsigned request, const void *args, size_t len, void *ret_data,
                size_t *len_data, int *ret_fd, struct error *err)
{
    uint8_t buf[BROKER_REPLY_MAX];
    struct broker_msg_reply reply = {.result = 0};
    _cleanup_(closep) int fd = -1;
    int r = send_request(b, request, args, len);
    if (r >= 0) {
        r = next_reply(b, b->seq, mono_add_ms(mono_now(), b->call_ms), buf, &reply, &fd);
    }
    if (r < 0) {
        return explain(r, err);
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
    int r = broker_call(b, BROKER_COUNT, NULL, 0, data, &len, NULL, err);
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

int broker_ready(struct broker *b, struct error *err)
{
    return broker_call(b, BROKER_READY, NULL, 0, NULL, NULL, NULL, err);
}

int broker_peer(struct broker *b, unsigned role, int *ret_fd, struct error *err)
{
    uint8_t args[BROKER_PEER_ARGS];
    int fd = -1;
    st_u32(args, role);
    int r = broker_call(b, BROKER_PEER, args, sizeof(args), NULL, NULL, &fd, err);
    if (r < 0) {
        return r;
    }
    if (fd < 0) {
        return error_set(err, EBADMSG, "the privileged broker handed over nothing");
    }
    *ret_fd = fd;
    return 0;
}

/* -- asks -------------------------------------------------------------------------------------- */

int broker_ask(struct broker *b, unsigned request, const void *args, size_t len,
               broker_answer_fn *fn, void *user, struct error *err)
{
    if (b->asks.n == BROKER_ASKS_MAX) {
        return error_set(err, EAGAIN, "%d requests to the privileged broker are under way",
                         BROKER_ASKS_MAX);
    }
    int r = send_request(b, request, args, len);
    if (r == -EPIPE || r == -ECONNRESET) {
        return error_set(err, EPIPE, "%s", GONE);
    }
    if (r < 0) {
        return error_sys(err, -r, "cannot ask the privileged broker");
    }
    return broker_asks_add(&b->asks, b->seq, fn, user, mono_add_ms(mono_now(), b->call_ms));
}

int broker_answers(struct broker *b)
{
    struct broker_asked one;
    int r;
    do {
        uint8_t buf[BROKER_REPLY_MAX];
        struct broker_msg_reply reply;
        _cleanup_(closep) int fd = -1;
        r = take_reply(b, buf, &reply, &fd);
        if (r == 0) {
            (void)broker_asks_answer(&b->asks, &reply, &fd);
        }
    } while (r == 0);
    if (r == -EAGAIN) {
        r = 0;
    } else {
        broker_asks_fail(&b->asks, EPIPE, GONE);
    }
    broker_asks_due(&b->asks, mono_now());
    while (broker_asks_take(&b->asks, &one)) {
        one.fn(one.user, one.result, one.data, one.len, TAKE_FD(one.fd), &one.err);
        broker_asked_done(&one);
    }
    return r;
}

struct mono broker_due(const struct broker *b)
{
    return broker_asks_next(&b->asks);
}

void broker_forget(struct broker *b, const void *user)
{
    broker_asks_forget(&b->asks, user);
}

/* -- the beginning ----------------------------------------------------------------------------- */

int broker_tie(struct broker *b, pid_t parent, struct error *err)
{
    b->sandbox.parent = parent;
    if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0 || getppid() != parent) {
        return error_set(err, ESRCH, "%s", GONE);
    }
    return 0;
}

int broker_first(struct broker *b, struct error *err)
{
    uint8_t buf[BROKER_REPLY_MAX];
    struct broker_msg_reply reply;
    _cleanup_(closep) int fd = -1;
    int r = next_reply(b, 0, mono_add_ms(mono_now(), b->call_ms), buf, &reply, &fd);
    if (r < 0) {
        return error_sys(err, -r, "the privileged broker did not start");
    }
    if (reply.result < 0 && err) {
        *err = reply.err;
    }
    return reply.result;
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

/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/broker_io.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

ssize_t broker_receive(int sock, void *buf, size_t cap, int *ret_fd)
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

void broker_send_reply(int sock, uint32_t seq, int result, struct broker_reply *reply)
{
    uint8_t buf[BROKER_REPLY_MAX];
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {0};
    _cleanup_(closep) int fd = TAKE_FD(reply->fd);
    struct broker_msg_reply m = {.seq = seq, .result = result, .err = reply->err};
    if (result == 0) {
        m.has_fd = fd >= 0;
        m.err = (struct error){""};
        m.data = reply->data;
        m.len = reply->len;
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
    _unused_ ssize_t sent = sendmsg(sock, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
}

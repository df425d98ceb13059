/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/ifwatch.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

enum {
    READ_BYTES = 32768, /* what the kernel may send in one go */
    READ_MOST = 4,  /* each may have many messages, and each message make somebody open a ring */
    ROOM = 8 << 20, /* hosts start and stop hundreds of containers at once */
    DUMP_SEQ = 1,
};

int ifwatch_open(int *ret_fd, struct error *err)
{
    struct sockaddr_nl addr = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};
    int room = ROOM;
    _cleanup_(closep) int fd =
        socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
    if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
        return error_sys(err, errno, "cannot watch the interfaces");
    }
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) < 0) {
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
    }
    *ret_fd = TAKE_FD(fd);
    return 0;
}

int ifwatch_ask(int fd)
{
    char buf[256] = "";
    struct nlmsghdr *req = mnl_nlmsg_put_header(buf);
    req->nlmsg_type = RTM_GETLINK;
    req->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    req->nlmsg_seq = DUMP_SEQ;
    struct ifinfomsg *info = mnl_nlmsg_put_extra_header(req, sizeof(*info));
    info->ifi_family = AF_UNSPEC;
    return send(fd, req, req->nlmsg_len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static void message(const struct nlmsghdr *h, ifwatch_fn *fn, void *user)
{
    struct netif link;
    if (h->nlmsg_flags & NLM_F_DUMP_INTR) {
        fn(user, IFWATCH_LOST, NULL);
    }
    switch (h->nlmsg_type) {
    case NLMSG_DONE:
        fn(user, IFWATCH_ALL, NULL);
        break;
    case NLMSG_ERROR:
        fn(user, IFWATCH_LOST, NULL);
        break;
    case RTM_NEWLINK:
    case RTM_DELLINK:
        /* A bridge tells of its ports in messages of its own family: no interface goes with them.
         */
        if (mnl_nlmsg_get_payload_len(h) < sizeof(struct ifinfomsg) ||
            ((const struct ifinfomsg *)mnl_nlmsg_get_payload(h))->ifi_family != AF_UNSPEC) {
            break;
        }
        netif_decode(h, &link);
        fn(user, h->nlmsg_type == RTM_NEWLINK ? IFWATCH_IS : IFWATCH_GONE, &link);
        break;
    default:
        break;
    }
}

int ifwatch_read(int fd, ifwatch_fn *fn, void *user)
{
    _cleanup_(freep) char *buf = malloc(READ_BYTES);
    if (!buf) {
        return -ENOMEM;
    }
    for (unsigned i = 0; i < READ_MOST; i++) {
        struct sockaddr_nl from = {0};
        socklen_t from_len = sizeof(from);
        ssize_t n =
            recvfrom(fd, buf, READ_BYTES, MSG_DONTWAIT, (struct sockaddr *)&from, &from_len);
        if (n < 0 && errno == ENOBUFS) {
            fn(user, IFWATCH_LOST, NULL);
            continue;
        }
        if (n < 0) {
            return errno == EAGAIN || errno == EINTR ? 0 : -errno;
        }
        if (from.nl_pid != 0) {
            continue; /* not the kernel */
        }
        int left = (int)n;
        for (struct nlmsghdr *h = (struct nlmsghdr *)(void *)buf; mnl_nlmsg_ok(h, left);
             h = mnl_nlmsg_next(h, &left)) {
            message(h, fn, user);
        }
    }
    return 0;
}

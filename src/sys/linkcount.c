/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/linkcount.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

#include "base/time.h"

enum {
    ANSWER = 16384, /* bytes of one interface's description */
    ANSWERS = 8,    /* of earlier questions that are thrown away */
};

int linkcount_open(int *ret_fd, struct error *err)
{
    const struct sockaddr_nl addr = {.nl_family = AF_NETLINK};
    _cleanup_(closep) int fd =
        socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0) {
        return error_sys(err, errno, "cannot ask for the interfaces' counters");
    }
    *ret_fd = TAKE_FD(fd);
    return 0;
}

static int ask(int fd, const char *ifname, uint32_t seq)
{
    char buf[256] = "";
    struct nlmsghdr *req = mnl_nlmsg_put_header(buf);
    req->nlmsg_type = RTM_GETLINK;
    req->nlmsg_flags = NLM_F_REQUEST;
    req->nlmsg_seq = seq;
    struct ifinfomsg *info = mnl_nlmsg_put_extra_header(req, sizeof(*info));
    info->ifi_family = AF_UNSPEC;
    mnl_attr_put_strz(req, IFLA_IFNAME, ifname);
    return send(fd, req, req->nlmsg_len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static int each_attr(const struct nlattr *a, void *user)
{
    const struct nlattr **stats = user;
    if (mnl_attr_get_type(a) == IFLA_STATS64) {
        *stats = a;
    }
    return MNL_CB_OK;
}

static int take(const struct nlmsghdr *h, struct linkcount *ret)
{
    struct rtnl_link_stats64 s = {0};
    const struct nlattr *stats = NULL;
    if (h->nlmsg_type == NLMSG_ERROR) {
        const struct nlmsgerr *e = mnl_nlmsg_get_payload(h);
        return e->error ? e->error : -EBADMSG;
    }
    const struct ifinfomsg *info = mnl_nlmsg_get_payload(h);
    if (h->nlmsg_type != RTM_NEWLINK || mnl_nlmsg_get_payload_len(h) < sizeof(*info) ||
        mnl_attr_parse(h, sizeof(*info), each_attr, &stats) < 0 || !stats) {
        return -EBADMSG;
    }
    memcpy(&s, mnl_attr_get_payload(stats), MIN(mnl_attr_get_payload_len(stats), sizeof(s)));
    *ret = (struct linkcount){.up = (info->ifi_flags & (IFF_UP | IFF_RUNNING)) ==
                                    (IFF_UP | IFF_RUNNING),
                              .rx_bytes = s.rx_bytes,
                              .rx_packets = s.rx_packets,
                              .rx_errors = s.rx_errors,
                              .rx_dropped = s.rx_dropped,
                              .rx_overrun = s.rx_over_errors,
                              .rx_mcast = s.multicast,
                              .tx_bytes = s.tx_bytes,
                              .tx_packets = s.tx_packets,
                              .tx_errors = s.tx_errors,
                              .tx_dropped = s.tx_dropped,
                              .tx_carrier = s.tx_carrier_errors,
                              .tx_collision = s.collisions};
    return 0;
}

int linkcount_read(int fd, const char *ifname, struct linkcount *ret)
{
    const uint32_t seq = (uint32_t)mono_now().ns; /* of no earlier question */
    char buf[ANSWER] __attribute__((aligned(NLMSG_ALIGNTO)));
    int r = ask(fd, ifname, seq);
    for (unsigned i = 0; r == 0 && i < ANSWERS; i++) {
        const ssize_t n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
        const struct nlmsghdr *h = (const struct nlmsghdr *)(const void *)buf;
        if (n < 0 && errno != EINTR) {
            return -errno;
        }
        if (n > 0 && mnl_nlmsg_ok(h, (int)n) && h->nlmsg_seq == seq) {
            return take(h, ret);
        }
    }
    return r < 0 ? r : -EBADMSG;
}

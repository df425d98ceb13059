/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/rawip.h"

#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/sockmark.h"
#include "sys/neigh.h"
#include "sys/sockopt.h"

enum {
    CHECKSUM_AT = 6, /* in a UDP header */
    SEND_BUFFER = 4 << 20,
    RECEIVE_BUFFER = 4096, /* for the errors of packets; nothing else comes */
};

static int set(int fd, int level, int name, const void *value, socklen_t len)
{
    return setsockopt(fd, level, name, value, len) < 0 ? -errno : 0;
}

/* ICMP is believed about the path; packets are fragmented only if they are longer, if at all. */
static int set_path(int fd, bool six, bool fragment)
{
    if (!six) {
        return sockopt_int(fd, IPPROTO_IP, IP_MTU_DISCOVER,
                           fragment ? IP_PMTUDISC_WANT : IP_PMTUDISC_DO);
    }
    int r = sockopt_int(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER,
                        fragment ? IPV6_PMTUDISC_WANT : IPV6_PMTUDISC_DO);
    return r < 0 || fragment ? r : sockopt_int(fd, IPPROTO_IPV6, IPV6_DONTFRAG, 1);
}

/* Nothing comes in; a packet that a queue on the way out drops is told. */
static int set_all(int fd, bool six, bool udp, bool fragment)
{
    const struct sock_filter reject = {BPF_RET | BPF_K, 0, 0, 0};
    const struct sock_fprog prog = {1, (struct sock_filter *)&reject};
    const struct timeval second = {.tv_sec = 1};
    int r = set(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog));
    r = r < 0 ? r : set(fd, SOL_SOCKET, SO_SNDTIMEO, &second, sizeof(second));
    r = r < 0 ? r : sockopt_int(fd, SOL_SOCKET, SO_RCVBUF, RECEIVE_BUFFER);
    r = r < 0 ? r : sockopt_int(fd, SOL_SOCKET, SO_SNDBUF, SEND_BUFFER);
    r = r < 0 ? r : sockopt_int(fd, SOL_SOCKET, SO_MARK, SOCKMARK_OUTPUT);
    r = r < 0 ? r : set_path(fd, six, fragment);
    if (r == 0 && six) {
        r = sockopt_int(fd, IPPROTO_IPV6, IPV6_RECVERR, 1);
        r = r < 0 || !udp ? r : sockopt_int(fd, IPPROTO_IPV6, IPV6_CHECKSUM, CHECKSUM_AT);
    } else if (r == 0) {
        r = sockopt_int(fd, IPPROTO_IP, IP_RECVERR, 1);
    }
    return r;
}

int rawip_open(const struct udp_addr *to, uint8_t protocol, bool fragment, int *ret_fd,
               struct error *err)
{
    struct udp_addr a = *to;
    const bool six = a.sa.sa_family == AF_INET6;
    char text[UDP_ADDR_TEXT];
    udp_addr_text(to, text);
    _cleanup_(closep) int fd = socket(a.sa.sa_family, SOCK_RAW | SOCK_CLOEXEC, protocol);
    if (fd < 0) {
        return error_sys(err, errno, "cannot open a raw socket (it takes CAP_NET_RAW)");
    }
    int r = set_all(fd, six, protocol == IPPROTO_UDP, fragment);
    if (r < 0) {
        return error_sys(err, -r, "cannot set up a raw socket");
    }
    if (six) { /* raw sockets of IPv6 refuse a port */
        a.v6.sin6_port = 0;
    }
    if (connect(fd, &a.sa, a.len) < 0) {
        return error_sys(err, errno, "cannot send to %s", text);
    }
    (void)neigh_look(to, SOCKMARK_OUTPUT); /* without it, the first packets ask and may be lost */
    *ret_fd = TAKE_FD(fd);
    return 0;
}

int rawip_send(int fd, const struct iovec *parts, int n)
{
    return writev(fd, parts, n) < 0 ? -errno : 0;
}

bool rawip_is_six(int fd)
{
    int domain = 0;
    socklen_t len = sizeof(domain);
    return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && domain == AF_INET6;
}

int rawip_path_mtu(int fd, bool six)
{
    int mtu = 0;
    socklen_t len = sizeof(mtu);
    int r = six ? getsockopt(fd, IPPROTO_IPV6, IPV6_MTU, &mtu, &len)
                : getsockopt(fd, IPPROTO_IP, IP_MTU, &mtu, &len);
    return r < 0 ? -errno : mtu;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/dgram.h"

#include <errno.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/time.h"
#include "sys/sockopt.h"

enum {
    RECEIVE_BUFFER = 32 << 20,
    IPV4_LEN = 20,
};

/* linux/udp.h has it, which cannot stand beside netinet/udp.h. */
#ifndef UDP_NO_CHECK6_RX
#define UDP_NO_CHECK6_RX 102
#endif

static int set_all(int fd)
{
    (void)udp_set_buffers(fd, RECEIVE_BUFFER, 0, NULL, NULL);
    return sockopt_int(fd, SOL_SOCKET, SO_TIMESTAMPNS, 1);
}

static int bind_udp(const struct udp_addr *at, int *ret_fd)
{
    const int family = at->sa.sa_family;
    _cleanup_(closep) int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    int r = set_all(fd);
    if (r == 0 && family == AF_INET6) {
        r = sockopt_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
        r = r < 0 ? r : sockopt_int(fd, IPPROTO_UDP, UDP_NO_CHECK6_RX, 1);
    }
    if (r == 0 && bind(fd, &at->sa, at->len) < 0) {
        r = -errno;
    }
    *ret_fd = r < 0 ? -1 : TAKE_FD(fd);
    return r;
}

int dgram_open_udp(const struct udp_addr *at, uint16_t port, int *ret_fd, struct error *err)
{
    struct udp_addr six = {.v6 = {.sin6_family = AF_INET6}, .len = sizeof(six.v6)};
    struct udp_addr four = {.v4 = {.sin_family = AF_INET}, .len = sizeof(four.v4)};
    struct udp_addr a = at ? *at : six;
    a.v6.sin6_port = four.v4.sin_port = htons(port); /* at the same place in both families */
    int r = bind_udp(&a, ret_fd);
    if (!at && (r == -EAFNOSUPPORT || r == -EADDRNOTAVAIL)) {
        r = bind_udp(&four, ret_fd);
    }
    return r < 0 ? error_sys(err, -r, "cannot listen on UDP port %u", port) : 0;
}

int dgram_open_raw(int family, uint8_t protocol, const struct udp_addr *at, int *ret_fd,
                   struct error *err)
{
    _cleanup_(closep) int fd = socket(family, SOCK_RAW | SOCK_CLOEXEC, protocol);
    if (fd < 0) {
        return error_sys(err, errno, "cannot open a raw socket (it takes CAP_NET_RAW)");
    }
    int r = set_all(fd);
    if (r == 0 && at) {
        struct udp_addr a = *at;
        r = bind(fd, &a.sa, a.len) < 0 ? -errno : 0;
    }
    if (r < 0) {
        return error_sys(err, -r, "cannot listen for IP protocol %u", protocol);
    }
    *ret_fd = TAKE_FD(fd);
    return 0;
}

static void read_time(struct msghdr *m, struct dgram *d)
{
    d->time_ns = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS) {
            struct timespec t;
            memcpy(&t, CMSG_DATA(c), sizeof(t));
            d->time_ns = (int64_t)t.tv_sec * NSEC_PER_SEC + t.tv_nsec;
        }
    }
}

/* The kernel gives raw packets of IPv4 whole. */
static void pass_over_header(struct dgram *d)
{
    const uint32_t header = d->len >= IPV4_LEN ? (d->data[0] & 15u) * 4 : 0;
    d->at = header >= IPV4_LEN && header <= d->len ? header : d->len;
    d->len -= d->at;
}

int dgram_read(int fd, bool raw, struct dgram *d, unsigned n)
{
    union {
        char buf[CMSG_SPACE(sizeof(struct timespec))];
        struct cmsghdr align;
    } control[DGRAM_READ];
    struct mmsghdr msgs[DGRAM_READ];
    struct iovec iov[DGRAM_READ];
    struct udp_addr from[DGRAM_READ];
    n = MIN(n, (unsigned)DGRAM_READ);
    for (unsigned i = 0; i < n; i++) {
        iov[i] = (struct iovec){d[i].data, DGRAM_MAX};
        msgs[i] = (struct mmsghdr){.msg_hdr = {.msg_name = &from[i].sa,
                                               .msg_namelen = sizeof(from[i].v6),
                                               .msg_iov = &iov[i],
                                               .msg_iovlen = 1,
                                               .msg_control = &control[i],
                                               .msg_controllen = sizeof(control[i])}};
    }
    const int got = recvmmsg(fd, msgs, n, MSG_DONTWAIT, NULL);
    if (got < 0) {
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    }
    for (int i = 0; i < got; i++) {
        d[i].at = 0;
        d[i].len = msgs[i].msg_len;
        from[i].len = msgs[i].msg_hdr.msg_namelen;
        udp_addr_ip(&from[i], d[i].from);
        read_time(&msgs[i].msg_hdr, &d[i]);
        if (raw && from[i].sa.sa_family == AF_INET) {
            pass_over_header(&d[i]);
        }
    }
    return got;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/tcp.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/sockmark.h"
#include "sys/sockopt.h"

enum {
    WAITING = 16, /* connections that may wait to be accepted */
    QUIET_S = 30, /* after which a silent end is asked, … */
    ASK_EVERY_S = 10,
    ASKS = 3,      /* … so many times */
    THROWN = 4096, /* bytes that are thrown away at a time, … */
    THROWS = 16,   /* … so many times in a call */
};

/* Connections have them from the socket that accepts them. */
static int set_options(int fd)
{
    (void)sockopt_int(fd, SOL_SOCKET, SO_SNDBUFFORCE, TCP_SEND_BUFFER); /* else it grows itself */
    (void)sockopt_int(fd, SOL_SOCKET, SO_MARK, SOCKMARK_OUTPUT);        /* by taps of this host */
    int r = sockopt_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    r = r < 0 ? r : sockopt_int(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    r = r < 0 ? r : sockopt_int(fd, IPPROTO_TCP, TCP_KEEPIDLE, QUIET_S);
    r = r < 0 ? r : sockopt_int(fd, IPPROTO_TCP, TCP_KEEPINTVL, ASK_EVERY_S);
    r = r < 0 ? r : sockopt_int(fd, IPPROTO_TCP, TCP_KEEPCNT, ASKS);
    return r < 0 ? r : sockopt_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
}

int tcp_listen(const struct udp_addr *at, uint16_t port, int *ret_fd, struct error *err)
{
    struct udp_addr a = *at;
    char text[UDP_ADDR_TEXT];
    if (a.sa.sa_family == AF_INET6) {
        a.v6.sin6_port = htons(port);
    } else {
        a.v4.sin_port = htons(port);
    }
    udp_addr_text(&a, text);
    _cleanup_(closep) int fd =
        socket(a.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
    if (fd < 0) {
        return error_sys(err, errno, "cannot open a TCP socket");
    }
    int r = set_options(fd);
    if (r < 0) {
        return error_sys(err, -r, "cannot set up a TCP socket");
    }
    if (bind(fd, &a.sa, a.len) < 0 || listen(fd, WAITING) < 0) {
        return error_sys(err, errno, "cannot listen at %s", text);
    }
    *ret_fd = TAKE_FD(fd);
    return 0;
}

int tcp_accept(int fd)
{
    int r = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    return r < 0 ? -errno : r;
}

int tcp_send(int fd, const void *data, size_t len, size_t *ret_taken)
{
    ssize_t n = send(fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        return -errno;
    }
    *ret_taken = n < 0 ? 0 : (size_t)n;
    return 0;
}

bool tcp_is_over(int fd)
{
    uint8_t bytes[THROWN];
    ssize_t n = 1;
    for (unsigned i = 0; i < THROWS && n > 0; i++) {
        n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
    }
    return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

int tcp_unsent(int fd)
{
    int n = 0;
    return ioctl(fd, TIOCOUTQ, &n) < 0 ? -errno : n;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/peer.h"

#include <errno.h>
#include <netinet/tcp.h>

#include "base/cleanup.h"
#include "sys/sockopt.h"

static int set_options(int fd, bool tcp, uint32_t mark)
{
    (void)sockopt_int(fd, SOL_SOCKET, SO_MARK, (int)mark); /* without privileges it has none */
    if (!tcp) {
        (void)udp_set_buffers(fd, 0, PEER_SEND_BUFFER, NULL, NULL); /* as far as it may */
        return 0;
    }
    int r = sockopt_int(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    r = r < 0 ? r : sockopt_int(fd, IPPROTO_TCP, TCP_KEEPIDLE, PEER_DEAD_MS / 2000);
    r = r < 0 ? r : sockopt_int(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, PEER_DEAD_MS);
    return r < 0 ? r : sockopt_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
}

int peer_open(bool tcp, const struct udp_addr *to, uint32_t mark, int *ret_fd, struct error *err)
{
    char text[UDP_ADDR_TEXT];
    const int type = (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC;
    _cleanup_(closep) int fd = socket(to->sa.sa_family, type, 0);
    udp_addr_text(to, text);
    if (fd < 0) {
        return error_sys(err, errno, "cannot open a socket to %s", text);
    }
    const int r = set_options(fd, tcp, mark);
    if (r < 0) {
        return error_sys(err, -r, "cannot set up a socket to %s", text);
    }
    if (connect(fd, &to->sa, to->len) < 0 && errno != EINPROGRESS) {
        return error_sys(err, errno, "cannot send to %s", text);
    }
    *ret_fd = TAKE_FD(fd);
    return 0;
}

int peer_send(int fd, const void *data, size_t len)
{
    ssize_t n;
    do {
        n = send(fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : 0;
}

int peer_answer(int fd)
{
    int error = 0;
    socklen_t len = sizeof(error);
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0 ? -errno : -error;
}

bool peer_same(int fd, int other)
{
    struct udp_addr a = {.len = sizeof(a.v6)}, b = {.len = sizeof(b.v6)};
    return getpeername(fd, &a.sa, &a.len) == 0 && getpeername(other, &b.sa, &b.len) == 0 &&
           udp_addr_equal(&a, &b);
}

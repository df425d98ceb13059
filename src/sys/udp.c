/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/udp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/sock_diag.h>
#include <net/if.h>
#include <netinet/udp.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/time.h"
#include "sys/sockopt.h"

enum {
    ICMP_TRIES = 4, /* each takes one pending ICMP message off the socket */

    RECORD_TYPE = 16, /* docs/protocol.md: the first byte of a record, and where indices are */
    RECEIVER_AT = 4,
    SENDER_AT = 8, /* in handshakes, … */
    FOR_AT = 12,   /* … and for whom they are */
};

int udp_addr_parse(const char *text, struct udp_addr *ret)
{
    char host[INET6_ADDRSTRLEN];
    struct udp_addr a = {.v4 = {.sin_family = AF_INET}, .len = sizeof(a.v4)};
    size_t len = strcspn(text, "%");
    if (inet_pton(AF_INET, text, &a.v4.sin_addr) == 1) {
        *ret = a;
        return 0;
    }
    if (len >= sizeof(host)) {
        return -EINVAL;
    }
    memcpy(host, text, len);
    host[len] = '\0';
    a = (struct udp_addr){.v6 = {.sin6_family = AF_INET6}, .len = sizeof(a.v6)};
    if (inet_pton(AF_INET6, host, &a.v6.sin6_addr) != 1) {
        return -EINVAL;
    }
    if (text[len] == '%') {
        a.v6.sin6_scope_id = if_nametoindex(text + len + 1);
        if (a.v6.sin6_scope_id == 0) {
            return -ENODEV;
        }
    }
    *ret = a;
    return 0;
}

void udp_addr_text(const struct udp_addr *a, char ret[UDP_ADDR_TEXT])
{
    char host[INET6_ADDRSTRLEN] = "?";
    bool mapped = a->sa.sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&a->v6.sin6_addr);
    if (a->len == 0) {
        snprintf(ret, UDP_ADDR_TEXT, "nowhere");
    } else if (a->sa.sa_family == AF_INET || mapped) {
        const void *addr =
            mapped ? (const void *)&a->v6.sin6_addr.s6_addr[12] : (const void *)&a->v4.sin_addr;
        inet_ntop(AF_INET, addr, host, sizeof(host));
        snprintf(ret, UDP_ADDR_TEXT, "%s:%u", host, ntohs(a->v4.sin_port));
    } else {
        char scope[12] = "";
        inet_ntop(AF_INET6, &a->v6.sin6_addr, host, sizeof(host));
        if (a->v6.sin6_scope_id) { /* by number: a name would take a system call */
            snprintf(scope, sizeof(scope), "%%%u", a->v6.sin6_scope_id);
        }
        snprintf(ret, UDP_ADDR_TEXT, "[%s%s]:%u", host, scope, ntohs(a->v6.sin6_port));
    }
}

void udp_addr_ip(const struct udp_addr *a, uint8_t ret[16])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    if (a->sa.sa_family == AF_INET6) {
        memcpy(ret, &a->v6.sin6_addr, 16);
    } else {
        memcpy(ret, mapped, 12);
        memcpy(ret + 12, &a->v4.sin_addr, 4);
    }
}

uint16_t udp_addr_port(const struct udp_addr *a)
{
    return a->sa.sa_family == AF_INET6 ? a->v6.sin6_port : a->v4.sin_port;
}

unsigned udp_addr_headers(const struct udp_addr *a)
{
    bool v6 = a->sa.sa_family == AF_INET6 && !IN6_IS_ADDR_V4MAPPED(&a->v6.sin6_addr);
    return (v6 ? 40 : 20) + 8;
}

bool udp_addr_equal(const struct udp_addr *a, const struct udp_addr *b)
{
    if (a->len == 0 || b->len == 0 || a->sa.sa_family != b->sa.sa_family) {
        return a->len == b->len;
    }
    if (a->sa.sa_family == AF_INET) {
        return a->v4.sin_port == b->v4.sin_port && a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
    }
    return a->v6.sin6_port == b->v6.sin6_port && a->v6.sin6_scope_id == b->v6.sin6_scope_id &&
           memcmp(&a->v6.sin6_addr, &b->v6.sin6_addr, 16) == 0;
}

/* "Don't fragment" for both families: an IPv6 socket may carry IPv4. And what ICMP told the kernel
 * of the path, which anyone may have forged, does not limit what is sent (ip(7)). */
static int set_options(int fd, int family)
{
    int r = sockopt_int(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE);
    if (r == 0 && family == AF_INET6) {
        r = sockopt_int(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE);
    }
    if (r == 0) {
        r = sockopt_int(fd, SOL_SOCKET, SO_RXQ_OVFL, 1);
    }
    if (r == 0) {
        (void)sockopt_int(fd, SOL_UDP, UDP_GRO, 1); /* older kernels: then one datagram a buffer */
    }
    return r;
}

static int open_socket(int family, int *ret_fd)
{
    _cleanup_(closep) int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return -errno;
    }
    int r = set_options(fd, family);
    if (r == 0) {
        *ret_fd = TAKE_FD(fd);
    }
    return r;
}

static int bind_to(const struct udp_addr *a, bool shared, int *ret_fd)
{
    bool v6 = a->sa.sa_family == AF_INET6;
    _cleanup_(closep) int fd = -1;
    int r = open_socket(a->sa.sa_family, &fd);
    if (r == 0 && v6) {
        r = sockopt_int(fd, IPPROTO_IPV6, IPV6_V6ONLY,
                        !IN6_IS_ADDR_UNSPECIFIED(&a->v6.sin6_addr) &&
                            !IN6_IS_ADDR_V4MAPPED(&a->v6.sin6_addr));
    }
    if (r == 0 && shared) {
        r = sockopt_int(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    }
    if (r == 0) {
        r = v6 ? sockopt_int(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1)
               : sockopt_int(fd, IPPROTO_IP, IP_PKTINFO, 1);
    }
    if (r < 0) {
        return r;
    }
    if (bind(fd, &a->sa, a->len) < 0) {
        return -errno;
    }
    *ret_fd = TAKE_FD(fd);
    return 0;
}

/* Link-local addresses are the same on every link. */
static bool scope_missing(const struct udp_addr *a)
{
    return a->sa.sa_family == AF_INET6 && a->v6.sin6_scope_id == 0 &&
           IN6_IS_ADDR_LINKLOCAL(&a->v6.sin6_addr);
}

static int cannot(struct error *err, int code, const char *what, const struct udp_addr *a)
{
    char text[UDP_ADDR_TEXT], host[INET6_ADDRSTRLEN];
    udp_addr_text(a, text);
    if (scope_missing(a)) {
        inet_ntop(AF_INET6, &a->v6.sin6_addr, host, sizeof(host));
        return error_set(err, code,
                         "cannot %s UDP %s: a link-local address needs the interface behind it, "
                         "such as %s%%eth0",
                         what, text, host);
    }
    return error_sys(err, code, "cannot %s UDP %s", what, text);
}

int udp_bind(const struct udp_addr *addr, uint16_t port, int *ret_fd, struct error *err)
{
    struct udp_addr a = {.v6 = {.sin6_family = AF_INET6}, .len = sizeof(a.v6)};
    if (addr) {
        a = *addr;
    }
    a.v4.sin_port = htons(port); /* at the same place in both families */
    int r = scope_missing(&a) ? -EINVAL : bind_to(&a, false, ret_fd);
    if (!addr && (r == -EAFNOSUPPORT || r == -EADDRNOTAVAIL)) {
        a = (struct udp_addr){.v4 = {.sin_family = AF_INET, .sin_port = htons(port)},
                              .len = sizeof(a.v4)};
        r = bind_to(&a, false, ret_fd);
    }
    if (r == -EADDRINUSE) {
        return error_set(err, EADDRINUSE, "UDP port %u is in use already: choose another", port);
    }
    return r < 0 ? cannot(err, -r, "receive on", &a) : 0;
}

/* The program that steers (seen from the UDP payload on; a load beyond the datagram's end gives 0):
 * a record by its session index, which the collector has chosen, so that a session stays with its
 * thread wherever the tap's datagrams come from; a handshake by the index that it is for, if there
 * is one: that thread knows the session, or what was begun; anything else by its sender's index. */
static int steer(int fd, unsigned n)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, RECORD_TYPE, 0, 2),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, RECEIVER_AT),
        BPF_JUMP(BPF_JMP | BPF_JA, 3, 0, 0),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, FOR_AT),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, SENDER_AT),
        BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, n),
        BPF_STMT(BPF_RET | BPF_A, 0),
    };
    const struct sock_fprog prog = {.len = sizeof(code) / sizeof(code[0]), .filter = code};
    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &prog, sizeof(prog)) < 0 ? -errno
                                                                                         : 0;
}

/* The first socket is bound like any other, which fails where somebody has the port; only then may
 * it be shared. */
int udp_bind_group(const struct udp_addr *addr, uint16_t port, unsigned n, int ret_fd[],
                   struct error *err)
{
    struct udp_addr a;
    for (unsigned i = 0; i < n; i++) {
        ret_fd[i] = -1;
    }
    int r = udp_bind(addr, port, &ret_fd[0], err);
    if (r < 0 || n == 1) {
        return r;
    }
    r = sockopt_int(ret_fd[0], SOL_SOCKET, SO_REUSEPORT, 1);
    if (r == 0) {
        r = udp_local(ret_fd[0], &a);
    }
    for (unsigned i = 1; r == 0 && i < n; i++) {
        r = bind_to(&a, true, &ret_fd[i]);
    }
    r = r < 0 ? r : steer(ret_fd[0], n);
    if (r < 0) {
        for (unsigned i = 0; i < n; i++) {
            closep(&ret_fd[i]);
            ret_fd[i] = -1;
        }
        return error_sys(err, -r, "cannot receive on UDP port %u with %u threads", port, n);
    }
    return 0;
}

/* ICMP's answers to datagrams that were sent are kept for udp_answered(). */
static int keep_answers(int fd, int family)
{
    int r = sockopt_int(fd, IPPROTO_IP, IP_RECVERR, 1);
    return r == 0 && family == AF_INET6 ? sockopt_int(fd, IPPROTO_IPV6, IPV6_RECVERR, 1) : r;
}

int udp_connect(const struct udp_addr *peer, int *ret_fd, struct error *err)
{
    _cleanup_(closep) int fd = -1;
    int r = scope_missing(peer) ? -EINVAL : open_socket(peer->sa.sa_family, &fd);
    r = r < 0 ? r : keep_answers(fd, peer->sa.sa_family);
    if (r == 0 && connect(fd, &peer->sa, peer->len) < 0) {
        r = -errno;
    }
    if (r < 0) {
        return cannot(err, -r, "send to", peer);
    }
    *ret_fd = TAKE_FD(fd);
    return 0;
}

static int set_buffer(int fd, int force, int plain, int bytes, int *ret)
{
    if (bytes > 0 && sockopt_int(fd, SOL_SOCKET, force, bytes) < 0) {
        int r = sockopt_int(fd, SOL_SOCKET, plain, bytes);
        if (r < 0) {
            return r;
        }
    }
    int got = 0;
    socklen_t size = sizeof(got);
    if (getsockopt(fd, SOL_SOCKET, plain, &got, &size) < 0) {
        return -errno;
    }
    if (ret) {
        *ret = got;
    }
    return 0;
}

int udp_set_buffers(int fd, int rcv_bytes, int snd_bytes, int *ret_rcv, int *ret_snd)
{
    int r = set_buffer(fd, SO_RCVBUFFORCE, SO_RCVBUF, rcv_bytes, ret_rcv);
    return r < 0 ? r : set_buffer(fd, SO_SNDBUFFORCE, SO_SNDBUF, snd_bytes, ret_snd);
}

int udp_local(int fd, struct udp_addr *ret)
{
    struct udp_addr a = {.len = sizeof(a.v6)};
    if (getsockname(fd, &a.sa, &a.len) < 0) {
        return -errno;
    }
    *ret = a;
    return 0;
}

int udp_path_mtu(int fd)
{
    struct udp_addr a;
    int r = udp_local(fd, &a);
    if (r < 0) {
        return r;
    }
    bool v6 = a.sa.sa_family == AF_INET6;
    int mtu = 0;
    socklen_t size = sizeof(mtu);
    r = getsockopt(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_MTU : IP_MTU, &mtu, &size);
    return r < 0 ? -errno : mtu;
}

unsigned udp_headers(int fd)
{
    struct udp_addr a = {.len = 0};
    return udp_local(fd, &a) == 0 ? udp_addr_headers(&a) : 20 + 8;
}

int udp_drops(int fd, uint32_t *ret)
{
    uint32_t info[SK_MEMINFO_VARS] = {0};
    socklen_t size = sizeof(info);
    if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, &size) < 0) {
        return -errno;
    }
    *ret = info[SK_MEMINFO_DROPS];
    return 0;
}

int udp_unsent(int fd)
{
    int n = 0;
    return ioctl(fd, TIOCOUTQ, &n) < 0 ? -errno : n;
}

int udp_send_buffer(int fd)
{
    int n = 0;
    socklen_t size = sizeof(n);
    return getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &n, &size) < 0 ? -errno : n;
}

union control {
    char buf[CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(int)) +
             CMSG_SPACE(sizeof(uint32_t))];
    struct cmsghdr align;
};

static void read_control(struct udp_io *io, struct msghdr *m, struct udp_packet *p)
{
    p->seg = p->len;
    p->local.len = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_GRO) {
            int seg;
            memcpy(&seg, CMSG_DATA(c), sizeof(seg));
            p->seg = seg > 0 ? (uint32_t)seg : p->len;
        } else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo info;
            memcpy(&info, CMSG_DATA(c), sizeof(info));
            p->local = (struct udp_addr){.v4 = {.sin_family = AF_INET, .sin_addr = info.ipi_addr},
                                         .len = sizeof(p->local.v4)};
        } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo info;
            memcpy(&info, CMSG_DATA(c), sizeof(info));
            uint32_t scope = IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr) ? info.ipi6_ifindex : 0;
            p->local = (struct udp_addr){.v6 = {.sin6_family = AF_INET6,
                                                .sin6_addr = info.ipi6_addr,
                                                .sin6_scope_id = scope},
                                         .len = sizeof(p->local.v6)};
        } else if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_RXQ_OVFL) {
            memcpy(&io->drops, CMSG_DATA(c), sizeof(io->drops));
        }
    }
}

int udp_recv(struct udp_io *io, struct udp_packet *p, unsigned n)
{
    struct mmsghdr msgs[UDP_RECV_MAX];
    struct iovec iov[UDP_RECV_MAX];
    union control control[UDP_RECV_MAX];
    n = MIN(n, UDP_RECV_MAX);
    for (unsigned i = 0; i < n; i++) {
        iov[i] = (struct iovec){p[i].data, p[i].size};
        msgs[i] = (struct mmsghdr){.msg_hdr = {.msg_name = &p[i].from.sa,
                                               .msg_namelen = sizeof(p[i].from.v6),
                                               .msg_iov = &iov[i],
                                               .msg_iovlen = 1,
                                               .msg_control = &control[i],
                                               .msg_controllen = sizeof(control[i])}};
    }
    int got = recvmmsg(io->fd, msgs, n, MSG_DONTWAIT, NULL);
    for (int tries = 0; got < 0 && udp_by_icmp(errno) && tries < ICMP_TRIES; tries++) {
        io->refused |= errno != EMSGSIZE;
        got = recvmmsg(io->fd, msgs, n, MSG_DONTWAIT, NULL);
    }
    if (got < 0) {
        return errno == EAGAIN || errno == EINTR || udp_by_icmp(errno) ? 0 : -errno;
    }
    for (int i = 0; i < got; i++) {
        p[i].len = msgs[i].msg_len;
        p[i].cut = msgs[i].msg_hdr.msg_flags & MSG_TRUNC;
        p[i].from.len = msgs[i].msg_hdr.msg_namelen;
        read_control(io, &msgs[i].msg_hdr, &p[i]);
    }
    return got;
}

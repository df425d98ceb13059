/* SPDX-License-Identifier: Apache-2.0
 *
 * The sending half of sys/udp.h: by UDP_SEGMENT where that works, else one message a datagram.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "sys/udp.h"

enum {
    ICMP_TRIES = 4, /* each takes one pending ICMP message off the socket */
};

union control {
    char buf[CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(uint16_t))];
    struct cmsghdr align;
};

struct udp_shared {
    pthread_rwlock_t lock; /* taken for reading while one sends, for writing to set another size */
    unsigned seg;          /* the socket's UDP_SEGMENT; 0: none */
    unsigned refs;
};

struct sending {
    struct udp_io *io;
    const struct udp_addr *to, *from;
    const uint8_t *data;
    size_t seg;
};

int udp_shared_new(struct udp_shared **ret)
{
    struct udp_shared *s = calloc(1, sizeof(*s));
    pthread_rwlockattr_t a;
    if (!s) {
        return -ENOMEM;
    }
    s->refs = 1;
    /* A probe of another size does not wait for as long as others always send. */
    pthread_rwlockattr_init(&a);
    pthread_rwlockattr_setkind_np(&a, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&s->lock, &a);
    pthread_rwlockattr_destroy(&a);
    *ret = s;
    return 0;
}

struct udp_shared *udp_shared_ref(struct udp_shared *s)
{
    if (s) {
        __atomic_fetch_add(&s->refs, 1, __ATOMIC_RELAXED);
    }
    return s;
}

void udp_shared_unref(struct udp_shared *s)
{
    if (s && __atomic_sub_fetch(&s->refs, 1, __ATOMIC_ACQ_REL) == 0) {
        pthread_rwlock_destroy(&s->lock);
        free(s);
    }
}

/* ---- by a connected socket ---- */

static ssize_t send_call(int fd, const void *at, size_t n)
{
    ssize_t r = sendto(fd, at, n, MSG_DONTWAIT | MSG_NOSIGNAL, NULL, 0);
    return r < 0 ? -errno : r;
}

/* Sets the size first, which stays for the calls that follow. */
static ssize_t send_resized(const struct sending *s, const uint8_t *at, size_t n, unsigned seg)
{
    struct udp_shared *sh = s->io->shared;
    int value = (int)seg;
    ssize_t r = 0;
    pthread_rwlock_wrlock(&sh->lock);
    if (sh->seg != seg) {
        r = setsockopt(s->io->fd, SOL_UDP, UDP_SEGMENT, &value, sizeof(value)) < 0 ? -errno : 0;
    }
    if (r == 0) {
        sh->seg = seg;
        r = send_call(s->io->fd, at, n);
    }
    pthread_rwlock_unlock(&sh->lock);
    return r;
}

/* A refusal of segments. */
static bool no_segments(ssize_t r)
{
    return r == -EIO || r == -EINVAL || r == -EOPNOTSUPP || r == -ENOPROTOOPT;
}

/* One call by the size that is set, if that cuts the bytes as they are meant: a datagram that is
 * not longer leaves whole. Some kernels refuse even that one where the size would not fit, or where
 * there are no segments: then without. */
static ssize_t send_shared(const struct sending *s, const uint8_t *at, size_t n)
{
    struct udp_shared *sh = s->io->shared;
    bool one = n <= s->seg;
    ssize_t r = -EINVAL;
    pthread_rwlock_rdlock(&sh->lock);
    bool set = sh->seg != 0, fits = one ? !set || n <= sh->seg : sh->seg == s->seg;
    if (fits) {
        r = send_call(s->io->fd, at, n);
    }
    pthread_rwlock_unlock(&sh->lock);
    if (!fits || (one && set && no_segments(r))) {
        r = send_resized(s, at, n, one ? 0 : (unsigned)s->seg);
    }
    return r;
}

static ssize_t send_singly(const struct sending *s, const uint8_t *at, size_t n)
{
    size_t off = 0;
    for (unsigned count = 0; off < n && count < UDP_SEGMENTS; count++) {
        ssize_t r = send_shared(s, at + off, MIN(s->seg, n - off));
        if (r < 0) {
            return off > 0 ? (ssize_t)off : r;
        }
        off += (size_t)r;
    }
    return (ssize_t)off;
}

/* ---- by message headers ---- */

static struct cmsghdr *put_control(struct msghdr *m, union control *c, int level, int type,
                                   const void *data, size_t n)
{
    struct cmsghdr *at = (struct cmsghdr *)(void *)(c->buf + m->msg_controllen);
    at->cmsg_level = level;
    at->cmsg_type = type;
    at->cmsg_len = CMSG_LEN(n);
    memcpy(CMSG_DATA(at), data, n);
    m->msg_controllen += CMSG_SPACE(n);
    m->msg_control = c;
    return at;
}

/* The two addresses, which all messages of one call have in common. */
static void put_ends(const struct sending *s, struct msghdr *m, union control *c)
{
    if (s->to) {
        m->msg_name = (void *)&s->to->sa;
        m->msg_namelen = s->to->len;
    }
    if (!s->from || s->from->len == 0) {
        return;
    }
    if (s->from->sa.sa_family == AF_INET) {
        struct in_pktinfo info = {.ipi_spec_dst = s->from->v4.sin_addr};
        put_control(m, c, IPPROTO_IP, IP_PKTINFO, &info, sizeof(info));
    } else {
        struct in6_pktinfo info = {.ipi6_addr = s->from->v6.sin6_addr,
                                   .ipi6_ifindex = s->from->v6.sin6_scope_id};
        put_control(m, c, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof(info));
    }
}

/* Up to `n` bytes by one call; gives the bytes taken, or -errno. */
static ssize_t send_gso(const struct sending *s, const uint8_t *at, size_t n)
{
    size_t fit = MIN((size_t)UDP_SEGMENTS, MAX((size_t)UDP_CALL_BYTES / s->seg, (size_t)1));
    n = MIN(n, fit * s->seg);
    if (s->io->shared) {
        return send_shared(s, at, n);
    }
    union control c = {{0}};
    struct iovec iov = {(void *)at, n};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
    put_ends(s, &m, &c);
    if (n > s->seg) {
        uint16_t seg = (uint16_t)s->seg;
        put_control(&m, &c, SOL_UDP, UDP_SEGMENT, &seg, sizeof(seg));
    }
    ssize_t r = sendmsg(s->io->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
    return r < 0 ? -errno : r;
}

static ssize_t send_plain(const struct sending *s, const uint8_t *at, size_t n)
{
    if (s->io->shared) {
        return send_singly(s, at, n);
    }
    struct mmsghdr msgs[UDP_SEGMENTS];
    struct iovec iov[UDP_SEGMENTS];
    union control c = {{0}};
    struct msghdr head = {0};
    put_ends(s, &head, &c);
    unsigned count = 0;
    for (size_t off = 0; off < n && count < UDP_SEGMENTS; off += s->seg, count++) {
        iov[count] = (struct iovec){(void *)(at + off), MIN(s->seg, n - off)};
        msgs[count] = (struct mmsghdr){.msg_hdr = head};
        msgs[count].msg_hdr.msg_iov = &iov[count];
        msgs[count].msg_hdr.msg_iovlen = 1;
    }
    int sent = sendmmsg(s->io->fd, msgs, count, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0) {
        return -errno;
    }
    return (ssize_t)MIN((size_t)sent * s->seg, n);
}

/* One call, by segments if that works. A refusal of segments is believed, and remembered, only when
 * the same bytes go out one by one: EINVAL can also mean a path that is too narrow. */
static ssize_t send_some(const struct sending *s, const uint8_t *at, size_t n)
{
    if (s->io->plain) {
        return send_plain(s, at, n);
    }
    ssize_t r = send_gso(s, at, n);
    if (n > s->seg && no_segments(r)) {
        r = send_gso(s, at, n); /* ICMP may have left the first error on the socket */
    }
    if (n > s->seg && no_segments(r)) {
        r = send_plain(s, at, n);
        s->io->plain = r > 0;
    }
    return r;
}

static int wait_writable(int fd, struct mono deadline)
{
    int64_t left = mono_diff(deadline, mono_now());
    struct pollfd p = {fd, POLLOUT, 0};
    if (left <= 0) {
        return -EAGAIN;
    }
    int r = poll(&p, 1, (int)(left / NSEC_PER_MSEC) + 1);
    return r < 0 && errno != EINTR ? -errno : 0;
}

int udp_send_segments(struct udp_io *io, const struct udp_addr *to, const struct udp_addr *from,
                      const void *data, size_t total, size_t seg, int wait_ms, size_t *ret_sent)
{
    if (seg == 0 || seg > UDP_CALL_BYTES) {
        *ret_sent = 0;
        return seg ? -EMSGSIZE : -EINVAL;
    }
    const struct sending s = {io, to, from, data, seg};
    struct mono deadline = {0};
    size_t sent = 0;
    bool answered = false;
    int r = 0, icmp = 0;
    while (sent < total && r == 0) {
        ssize_t n = send_some(&s, s.data + sent, total - sent);
        if (n > 0) {
            sent += (size_t)n;
            io->refused |= answered;
        } else if (n < 0 && !to && udp_by_icmp((int)-n) && icmp++ < ICMP_TRIES) {
            answered |= n != -EMSGSIZE; /* what this host itself refuses, it refuses again */
        } else if (n == -EAGAIN) {
            if (deadline.ns == 0) {
                deadline = mono_add_ms(mono_now(), wait_ms);
            }
            r = wait_writable(io->fd, deadline);
        } else if (n != -EINTR) {
            r = n < 0 ? (int)n : -EIO;
        }
    }
    *ret_sent = sent;
    return r;
}

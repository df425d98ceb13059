/* SPDX-License-Identifier: Apache-2.0 */
#include "data/link/world/sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/time.h"

enum { SIM_ACTORS = 8, SIM_WATCHES = 64, SIM_PORTS = 65536, SIM_MTU = 1500 };

struct sim_datagram {
    struct sim_datagram *next;
    uint16_t from; /* network order, as below */
    size_t len;
    uint8_t data[];
};

struct sim_port {
    struct sim_datagram *first, *last;
    size_t seg; /* UDP_SEGMENT of its socket; 0: none */
};

struct sim_actor {
    bool used, done, waiting;
    pthread_t thread;
    sem_t go;
    void *(*fn)(void *);
    void *arg;
    struct pollfd *p;
    nfds_t n;
    int64_t deadline;
};

static struct {
    bool on;
    int64_t mono, wall; /* ns; wall: added to it */
    uint64_t random;
    sem_t main;
    struct sim_actor actor[SIM_ACTORS];
    struct {
        int epoll, fd;
        struct epoll_event ev;
    } watch[SIM_WATCHES];
    unsigned n_watches;
    struct sim_port port[SIM_PORTS];
    unsigned stall;            /* per thousand reads of a thread */
    int64_t (*next_due)(void); /* NULL: no path does anything to datagrams */
    void (*deliver)(void);
} sim;

static _Thread_local struct sim_actor *sim_self; /* NULL: the test's own thread */

uint32_t sim_random(uint32_t n)
{
    uint64_t z = (sim.random += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (uint32_t)((z ^ (z >> 31)) >> 32) % n;
}

/* ---- the calls that are taken over ---- */

#define SIM_WRAP(ret, name, ...)                                                                   \
    ret __real_##name(__VA_ARGS__);                                                                \
    ret __wrap_##name(__VA_ARGS__)

SIM_WRAP(int, clock_gettime, clockid_t id, struct timespec *t);
SIM_WRAP(int, poll, struct pollfd *p, nfds_t n, int timeout);
SIM_WRAP(int, epoll_ctl, int epoll, int op, int fd, struct epoll_event *ev);
SIM_WRAP(int, epoll_wait, int epoll, struct epoll_event *ev, int max, int timeout);
SIM_WRAP(int, pthread_create, pthread_t *t, const pthread_attr_t *a, void *(*fn)(void *), void *);
SIM_WRAP(int, pthread_join, pthread_t t, void **ret);
SIM_WRAP(int, bind, int fd, const struct sockaddr *a, socklen_t len);
SIM_WRAP(int, connect, int fd, const struct sockaddr *a, socklen_t len);
SIM_WRAP(int, getsockopt, int fd, int level, int name, void *value, socklen_t *len);
SIM_WRAP(int, setsockopt, int fd, int level, int name, const void *value, socklen_t len);
SIM_WRAP(ssize_t, sendmsg, int fd, const struct msghdr *m, int flags);
SIM_WRAP(ssize_t, sendto, int fd, const void *d, size_t n, int flags, const struct sockaddr *a,
         socklen_t len);
SIM_WRAP(int, recvmmsg, int fd, struct mmsghdr *m, unsigned n, int flags, struct timespec *t);
SIM_WRAP(ssize_t, recvfrom, int fd, void *d, size_t n, int flags, struct sockaddr *a,
         socklen_t *len);

/* ---- time ---- */

/* Time goes on to `until`; what the path delivers meanwhile is there then. */
static void sim_advance(int64_t until)
{
    while (sim.next_due) {
        int64_t due = sim.next_due();
        if (due == 0 || due > until) {
            break;
        }
        sim.mono = MAX(sim.mono, due);
        sim.deliver();
    }
    sim.mono = MAX(sim.mono, until);
}

int __wrap_clock_gettime(clockid_t id, struct timespec *t)
{
    if (!sim.on || (id != CLOCK_MONOTONIC && id != CLOCK_BOOTTIME && id != CLOCK_REALTIME)) {
        return __real_clock_gettime(id, t);
    }
    int64_t ns = id == CLOCK_REALTIME ? sim.mono + sim.wall : sim.mono;
    *t = (struct timespec){ns / NSEC_PER_SEC, ns % NSEC_PER_SEC};
    return 0;
}

/* ---- datagrams ---- */

/* The local port of a UDP socket, in network order; 0 for what is none. */
static uint16_t sim_local(int fd)
{
    struct sockaddr_in a = {0};
    socklen_t len = sizeof(a);
    return getsockname(fd, (struct sockaddr *)&a, &len) == 0 && a.sin_family == AF_INET ? a.sin_port
                                                                                        : 0;
}

static void sim_forget(uint16_t port)
{
    struct sim_port *p = &sim.port[port];
    for (struct sim_datagram *d; (d = p->first) != NULL; free(d)) {
        p->first = d->next;
    }
    p->last = NULL;
    p->seg = 0;
}

int __wrap_bind(int fd, const struct sockaddr *a, socklen_t len)
{
    int r = __real_bind(fd, a, len);
    sim_forget(sim_local(fd)); /* it may have been another's before */
    return r;
}

int __wrap_connect(int fd, const struct sockaddr *a, socklen_t len)
{
    int r = __real_connect(fd, a, len);
    sim_forget(sim_local(fd));
    return r;
}

int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
    if (level == IPPROTO_IP && name == IP_MTU && *len == sizeof(int)) {
        memcpy(value, &(int){SIM_MTU}, sizeof(int));
        return 0;
    }
    return __real_getsockopt(fd, level, name, value, len);
}

int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
    int seg;
    uint16_t local = level == SOL_UDP && name == UDP_SEGMENT ? sim_local(fd) : 0;
    if (local == 0 || len != sizeof(seg)) {
        return __real_setsockopt(fd, level, name, value, len);
    }
    memcpy(&seg, value, sizeof(seg));
    sim.port[local].seg = (size_t)seg;
    return 0;
}

static void sim_post(uint16_t from, uint16_t to, const uint8_t *data, size_t len)
{
    struct sim_datagram *d = malloc(sizeof(*d) + len);
    struct sim_port *p = &sim.port[to];
    d->next = NULL;
    d->from = from;
    d->len = len;
    memcpy(d->data, data, len);
    if (p->first) {
        p->last->next = d;
    } else {
        p->first = d;
    }
    p->last = d;
}

ssize_t __wrap_sendto(int fd, const void *d, size_t n, int flags, const struct sockaddr *a,
                      socklen_t len)
{
    struct sockaddr_in to = {0};
    uint16_t from = sim_local(fd);
    socklen_t size = sizeof(to);
    if (from == 0) {
        return __real_sendto(fd, d, n, flags, a, len);
    }
    if (a) {
        memcpy(&to, a, sizeof(to));
    } else {
        (void)getpeername(fd, (struct sockaddr *)&to, &size);
    }
    size_t seg = sim.port[from].seg ? sim.port[from].seg : n;
    for (size_t at = 0; at < n; at += seg) {
        sim_post(from, to.sin_port, (const uint8_t *)d + at, MIN(seg, n - at));
    }
    return (ssize_t)n;
}

ssize_t __wrap_sendmsg(int fd, const struct msghdr *m, int flags)
{
    if (sim_local(fd) == 0) {
        return __real_sendmsg(fd, m, flags);
    }
    size_t n = m->msg_iov[0].iov_len, seg = n;
    const uint8_t *d = m->msg_iov[0].iov_base;
    for (struct cmsghdr *c = m->msg_controllen ? CMSG_FIRSTHDR(m) : NULL; c;
         c = CMSG_NXTHDR((struct msghdr *)m, c)) {
        if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_SEGMENT) {
            uint16_t s;
            memcpy(&s, CMSG_DATA(c), sizeof(s));
            seg = s;
        }
    }
    for (size_t at = 0; at < n; at += seg) {
        (void)__wrap_sendto(fd, d + at, MIN(seg, n - at), 0, m->msg_name, m->msg_namelen);
    }
    return (ssize_t)n;
}

ssize_t __wrap_recvfrom(int fd, void *d, size_t n, int flags, struct sockaddr *a, socklen_t *len)
{
    uint16_t local = sim_local(fd);
    if (local == 0) {
        return __real_recvfrom(fd, d, n, flags, a, len);
    }
    struct sim_port *p = &sim.port[local];
    struct sim_datagram *first = p->first;
    if (!first) {
        errno = EAGAIN;
        return -1;
    }
    struct sockaddr_in from = {
        .sin_family = AF_INET, .sin_port = first->from, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    if (a) {
        memcpy(a, &from, sizeof(from));
        *len = sizeof(from);
    }
    size_t got = MIN(n, first->len);
    memcpy(d, first->data, got);
    p->first = first->next;
    free(first);
    return (ssize_t)got;
}

int __wrap_recvmmsg(int fd, struct mmsghdr *m, unsigned n, int flags, struct timespec *t)
{
    unsigned got = 0;
    if (sim_local(fd) == 0) {
        return __real_recvmmsg(fd, m, n, flags, t);
    }
    for (; got < n; got++) {
        struct msghdr *h = &m[got].msg_hdr;
        ssize_t len = __wrap_recvfrom(fd, h->msg_iov[0].iov_base, h->msg_iov[0].iov_len, 0,
                                      h->msg_name, &h->msg_namelen);
        if (len < 0) {
            break;
        }
        m[got].msg_len = (unsigned)len;
        h->msg_controllen = 0;
        h->msg_flags = 0;
    }
    if (sim_self && sim_random(1000) < sim.stall) { /* others have the processor now */
        sim_advance(sim.mono + sim_random(40) * NSEC_PER_MSEC);
    }
    return got ? (int)got : -1;
}

/* ---- turns ---- */

static int sim_ready(struct pollfd *p, nfds_t n)
{
    int ready = n ? __real_poll(p, n, 0) : 0;
    for (nfds_t i = 0; i < n; i++) {
        uint16_t local = sim_local(p[i].fd);
        if (local == 0) {
            continue;
        }
        ready -= p[i].revents ? 1 : 0;
        p[i].revents = (short)((sim.port[local].first ? POLLIN : 0) | POLLOUT) & p[i].events;
        ready += p[i].revents ? 1 : 0;
    }
    return ready;
}

/* Gives each thread that can go on its turn; false when there is none. */
static bool sim_turns(void)
{
    bool any = false;
    for (unsigned i = 0; i < SIM_ACTORS; i++) {
        struct sim_actor *a = &sim.actor[i];
        if (a->used && a->waiting && (sim.mono >= a->deadline || sim_ready(a->p, a->n) > 0)) {
            a->waiting = false;
            sem_post(&a->go);
            while (sem_wait(&sim.main) < 0) {
            }
            any = true;
        }
    }
    return any;
}

/* Somebody else's turn, or time goes on, to `deadline` at most. */
static void sim_step(int64_t deadline)
{
    if (sim_turns()) {
        return;
    }
    int64_t next = deadline, due = sim.next_due ? sim.next_due() : 0;
    for (unsigned i = 0; i < SIM_ACTORS; i++) {
        if (sim.actor[i].used && sim.actor[i].waiting) {
            next = MIN(next, sim.actor[i].deadline);
        }
    }
    next = due ? MIN(next, due) : next;
    assert_true(next != INT64_MAX); /* else: all wait for each other */
    sim_advance(next);
}

static int64_t sim_deadline(int timeout)
{
    return timeout < 0 ? INT64_MAX : sim.mono + timeout * NSEC_PER_MSEC;
}

int __wrap_poll(struct pollfd *p, nfds_t n, int timeout)
{
    if (!sim.on) {
        return __real_poll(p, n, timeout);
    }
    int64_t deadline = sim_deadline(timeout);
    struct sim_actor *a = sim_self;
    int r = sim_ready(p, n);
    while (r == 0 && sim.mono < deadline) {
        if (a) {
            a->p = p;
            a->n = n;
            a->deadline = deadline;
            a->waiting = true;
            sem_post(&sim.main);
            while (sem_wait(&a->go) < 0) {
            }
        } else {
            sim_step(deadline);
        }
        r = sim_ready(p, n);
    }
    return r;
}

int __wrap_epoll_ctl(int epoll, int op, int fd, struct epoll_event *ev)
{
    int r = __real_epoll_ctl(epoll, op, fd, ev);
    if (r < 0) {
        return r;
    }
    for (unsigned i = 0; i < sim.n_watches; i++) {
        if (sim.watch[i].epoll == epoll && sim.watch[i].fd == fd) {
            sim.watch[i] = sim.watch[--sim.n_watches];
            break;
        }
    }
    if (op != EPOLL_CTL_DEL) {
        assert_true(sim.n_watches < SIM_WATCHES);
        sim.watch[sim.n_watches].epoll = epoll;
        sim.watch[sim.n_watches].fd = fd;
        sim.watch[sim.n_watches++].ev = *ev;
    }
    return 0;
}

static int sim_events(int epoll, struct epoll_event *ev, int max)
{
    int n = 0;
    for (unsigned i = 0; i < sim.n_watches && n < max; i++) {
        if (sim.watch[i].epoll == epoll && sim.port[sim_local(sim.watch[i].fd)].first) {
            ev[n] = sim.watch[i].ev;
            ev[n++].events = EPOLLIN;
        }
    }
    if (n < max) {
        int more = __real_epoll_wait(epoll, ev + n, max - n, 0); /* what is no UDP socket */
        n += more > 0 ? more : 0;
    }
    return n;
}

int __wrap_epoll_wait(int epoll, struct epoll_event *ev, int max, int timeout)
{
    if (!sim.on) {
        return __real_epoll_wait(epoll, ev, max, timeout);
    }
    int64_t deadline = sim_deadline(timeout);
    if (sim_random(2) == 0) {
        (void)sim_turns();
    }
    int n = sim_events(epoll, ev, max);
    while (n == 0 && sim.mono < deadline) {
        sim_step(deadline);
        n = sim_events(epoll, ev, max);
    }
    return n;
}

/* ---- threads ---- */

static void *sim_thread(void *arg)
{
    struct sim_actor *a = arg;
    sim_self = a;
    while (sem_wait(&a->go) < 0) {
    }
    void *ret = a->fn(a->arg);
    a->done = true;
    sem_post(&sim.main);
    return ret;
}

int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *attr, void *(*fn)(void *), void *arg)
{
    unsigned i = 0;
    if (!sim.on) {
        return __real_pthread_create(t, attr, fn, arg);
    }
    while (i < SIM_ACTORS && sim.actor[i].used) {
        i++;
    }
    assert_true(i < SIM_ACTORS);
    struct sim_actor *a = &sim.actor[i];
    *a = (struct sim_actor){.used = true, .waiting = true, .fn = fn, .arg = arg};
    sem_init(&a->go, 0, 0);
    int r = __real_pthread_create(t, attr, sim_thread, a);
    assert_int_equal(r, 0);
    a->thread = *t;
    return 0;
}

int __wrap_pthread_join(pthread_t t, void **ret)
{
    for (unsigned i = 0; i < SIM_ACTORS; i++) {
        struct sim_actor *a = &sim.actor[i];
        if (a->used && pthread_equal(a->thread, t)) {
            while (!a->done) {
                sim_step(INT64_MAX);
            }
            a->used = false;
            sem_destroy(&a->go);
        }
    }
    return __real_pthread_join(t, ret);
}

/* ---- begin and end ---- */

void sim_begin(uint64_t seed, int64_t (*next_due)(void), void (*deliver)(void))
{
    sim.on = true;
    sim.next_due = next_due;
    sim.deliver = deliver;
    sim.random = seed;
    sim.mono = 1000 * NSEC_PER_SEC;
    sim.wall = INT64_C(1700000000) * NSEC_PER_SEC;
    sim.stall = 0;
    sim.n_watches = 0;
    sem_init(&sim.main, 0, 0);
}

void sim_end(void)
{
    for (unsigned i = 0; i < SIM_PORTS; i++) {
        sim_forget((uint16_t)i);
    }
    sem_destroy(&sim.main);
    sim.on = false;
}

bool sim_runs(void)
{
    return sim.on;
}

int64_t sim_now(void)
{
    return sim.mono;
}

void sim_set_wall(int64_t by)
{
    sim.wall += by;
}

void sim_stall(unsigned per_thousand)
{
    sim.stall = per_thousand;
}

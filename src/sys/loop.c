/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/loop.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>

#include "base/cleanup.h"

enum {
    EVENTS_AT_ONCE = 64,
    TIMERS_MIN = 16,
};

static const size_t NOT_IN_HEAP = SIZE_MAX;

struct loop_fd {
    int fd;
    bool dead; /* removed while events were being handed out */
    loop_fd_fn *fn;
    void *user;
    struct loop_fd *prev, *next;
};

struct loop_timer {
    struct mono due;
    int64_t period_ns;
    size_t at; /* place in the heap, or NOT_IN_HEAP */
    loop_timer_fn *fn;
    void *user;
    struct loop_timer *prev, *next;
};

struct loop {
    int epoll;
    bool running, stop;
    int code;
    struct loop_fd *fds, *dead;
    struct loop_timer *timers, **heap; /* all of them; those that are due at some time */
    size_t n_heap, n_timers, cap_heap; /* cap_heap >= n_timers, so that setting cannot fail */
    int signals;                       /* signalfd, or -1 */
    sigset_t old_mask;
    loop_signal_fn *signal_fn;
    void *signal_user;
};

int wake_init(struct wake *w)
{
    w->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return w->fd < 0 ? -errno : 0;
}

void wake_done(struct wake *w)
{
    closep(&w->fd);
    w->fd = -1;
}

void wake_signal(const struct wake *w)
{
    int saved = errno; /* may run in a signal handler */
    uint64_t one = 1;
    /* The only failure is a full counter, which is signalled enough. */
    _unused_ ssize_t n = write(w->fd, &one, sizeof(one));
    errno = saved;
}

bool wake_clear(const struct wake *w)
{
    uint64_t count;
    return read(w->fd, &count, sizeof(count)) == sizeof(count);
}

int loop_new(struct loop **ret)
{
    struct loop *l = calloc(1, sizeof(*l));
    if (!l) {
        return -ENOMEM;
    }
    l->signals = -1;
    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (l->epoll < 0) {
        int r = -errno;
        free(l);
        return r;
    }
    *ret = l;
    return 0;
}

static void bury(struct loop *l)
{
    while (l->dead) {
        struct loop_fd *f = l->dead;
        l->dead = f->next;
        free(f);
    }
}

void loop_free(struct loop *l)
{
    if (!l) {
        return;
    }
    while (l->fds) {
        loop_del_fd(l, l->fds);
    }
    while (l->timers) {
        loop_del_timer(l, l->timers);
    }
    bury(l);
    if (l->signals >= 0) {
        close(l->signals);
        pthread_sigmask(SIG_SETMASK, &l->old_mask, NULL);
    }
    close(l->epoll);
    free(l->heap);
    free(l);
}

/* -- descriptors ------------------------------------------------------------------------------- */

int loop_add_fd(struct loop *l, int fd, uint32_t events, loop_fd_fn *fn, void *user,
                struct loop_fd **ret)
{
    struct loop_fd *f = calloc(1, sizeof(*f));
    if (!f) {
        return -ENOMEM;
    }
    *f = (struct loop_fd){.fd = fd, .fn = fn, .user = user, .next = l->fds};
    struct epoll_event ev = {.events = events, .data.ptr = f};
    if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &ev) < 0) {
        int r = -errno;
        free(f);
        return r;
    }
    if (l->fds) {
        l->fds->prev = f;
    }
    l->fds = f;
    if (ret) {
        *ret = f;
    }
    return 0;
}

int loop_mod_fd(struct loop *l, struct loop_fd *f, uint32_t events)
{
    struct epoll_event ev = {.events = events, .data.ptr = f};
    return epoll_ctl(l->epoll, EPOLL_CTL_MOD, f->fd, &ev) < 0 ? -errno : 0;
}

void loop_del_fd(struct loop *l, struct loop_fd *f)
{
    if (!f) {
        return;
    }
    epoll_ctl(l->epoll, EPOLL_CTL_DEL, f->fd, NULL);
    if (f->prev) {
        f->prev->next = f->next;
    } else {
        l->fds = f->next;
    }
    if (f->next) {
        f->next->prev = f->prev;
    }
    f->dead = true; /* an event for it may be waiting in this round: freed after it */
    f->next = l->dead;
    l->dead = f;
}

/* -- timers: a heap whose first entry is due first --------------------------------------------- */

static void heap_put(struct loop *l, size_t at, struct loop_timer *t)
{
    l->heap[at] = t;
    t->at = at;
}

static void heap_up(struct loop *l, size_t at)
{
    struct loop_timer *t = l->heap[at];
    for (size_t up; at > 0 && l->heap[up = (at - 1) / 2]->due.ns > t->due.ns; at = up) {
        heap_put(l, at, l->heap[up]);
    }
    heap_put(l, at, t);
}

static void heap_down(struct loop *l, size_t at)
{
    struct loop_timer *t = l->heap[at];
    for (size_t child; (child = 2 * at + 1) < l->n_heap; at = child) {
        if (child + 1 < l->n_heap && l->heap[child + 1]->due.ns < l->heap[child]->due.ns) {
            child++;
        }
        if (l->heap[child]->due.ns >= t->due.ns) {
            break;
        }
        heap_put(l, at, l->heap[child]);
    }
    heap_put(l, at, t);
}

static void heap_remove(struct loop *l, struct loop_timer *t)
{
    size_t at = t->at;
    if (at == NOT_IN_HEAP) {
        return;
    }
    t->at = NOT_IN_HEAP;
    struct loop_timer *last = l->heap[--l->n_heap];
    if (last != t) {
        heap_put(l, at, last);
        heap_up(l, at);
        heap_down(l, last->at);
    }
}

void loop_set_timer(struct loop *l, struct loop_timer *t, struct mono first, int64_t period_ns)
{
    heap_remove(l, t);
    t->due = first;
    t->period_ns = period_ns;
    if (first.ns != 0) {
        l->heap[l->n_heap] = t;
        heap_up(l, l->n_heap++);
    }
}

static int heap_reserve(struct loop *l, size_t n)
{
    if (n <= l->cap_heap) {
        return 0;
    }
    size_t cap = MAX(2 * l->cap_heap, (size_t)TIMERS_MIN);
    struct loop_timer **heap = reallocarray(l->heap, cap, sizeof(struct loop_timer *));
    if (!heap) {
        return -ENOMEM;
    }
    l->heap = heap;
    l->cap_heap = cap;
    return 0;
}

int loop_add_timer(struct loop *l, struct mono first, int64_t period_ns, loop_timer_fn *fn,
                   void *user, struct loop_timer **ret)
{
    int r = heap_reserve(l, l->n_timers + 1);
    if (r < 0) {
        return r;
    }
    struct loop_timer *t = calloc(1, sizeof(*t));
    if (!t) {
        return -ENOMEM;
    }
    *t = (struct loop_timer){.at = NOT_IN_HEAP, .fn = fn, .user = user, .next = l->timers};
    if (l->timers) {
        l->timers->prev = t;
    }
    l->timers = t;
    l->n_timers++;
    loop_set_timer(l, t, first, period_ns);
    if (ret) {
        *ret = t;
    }
    return 0;
}

void loop_del_timer(struct loop *l, struct loop_timer *t)
{
    if (!t) {
        return;
    }
    heap_remove(l, t);
    if (t->prev) {
        t->prev->next = t->next;
    } else {
        l->timers = t->next;
    }
    if (t->next) {
        t->next->prev = t->prev;
    }
    l->n_timers--;
    free(t);
}

/* The next time of a periodic timer that ran: in step with its first time, or, after a stall, a
 * whole period from now. */
static struct mono next_due(const struct loop_timer *t, struct mono now)
{
    struct mono next = {t->due.ns + t->period_ns};
    return mono_due(now, next) ? (struct mono){now.ns + t->period_ns} : next;
}

/* Runs what was due at `now`. What a callback sets for a time that has passed waits for the next
 * round, so that descriptors get their turn. */
static void run_timers(struct loop *l, struct mono now)
{
    for (size_t most = l->n_heap; most > 0 && l->n_heap > 0 && !l->stop; most--) {
        struct loop_timer *t = l->heap[0];
        if (!mono_due(now, t->due)) {
            return;
        }
        loop_set_timer(l, t, t->period_ns > 0 ? next_due(t, now) : (struct mono){0}, t->period_ns);
        t->fn(l, now, t->user); /* may have freed the timer */
    }
}

/* Milliseconds to wait, rounded up so that the timer is due afterwards; -1 without timers. */
static int wait_ms(const struct loop *l)
{
    if (l->n_heap == 0) {
        return -1;
    }
    int64_t ns = mono_diff(l->heap[0]->due, mono_now());
    if (ns <= 0) {
        return 0;
    }
    return (int)MIN((ns - 1) / NSEC_PER_MSEC + 1, (int64_t)INT_MAX);
}

/* -- signals ----------------------------------------------------------------------------------- */

/* Blocking a signal keeps how it was to be handled at the start, and the kernel queues it all the
 * same. Only SIGHUP counts: shells start what runs in the background with SIGINT ignored, too. */
static bool was_ignored(int number)
{
    struct sigaction sa;
    return number == SIGHUP && sigaction(number, NULL, &sa) == 0 && sa.sa_handler == SIG_IGN;
}

static void on_signals(struct loop *l, int fd, uint32_t events, void *user)
{
    (void)events;
    (void)user;
    struct signalfd_siginfo si;
    while (!l->stop && read(fd, &si, sizeof(si)) == sizeof(si)) {
        bool kernel = si.ssi_code == SI_KERNEL;
        int number = (int)si.ssi_signo;
        struct loop_signal sig = {number, kernel ? 0 : (pid_t)si.ssi_pid, kernel,
                                  was_ignored(number)};
        l->signal_fn(l, &sig, l->signal_user);
    }
}

static void signals_of_loops(sigset_t *mask)
{
    sigemptyset(mask);
    sigaddset(mask, SIGINT);
    sigaddset(mask, SIGTERM);
    sigaddset(mask, SIGHUP);
}

void loop_hold_signals(void)
{
    sigset_t mask;
    signals_of_loops(&mask);
    pthread_sigmask(SIG_BLOCK, &mask, NULL);
}

int loop_add_signals(struct loop *l, loop_signal_fn *fn, void *user)
{
    if (l->signals >= 0) {
        return -EEXIST;
    }
    sigset_t mask;
    signals_of_loops(&mask);
    _cleanup_(closep) int fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0) {
        return -errno;
    }
    int r = loop_add_fd(l, fd, EPOLLIN, on_signals, NULL, NULL);
    if (r < 0) {
        return r;
    }
    pthread_sigmask(SIG_BLOCK, &mask, &l->old_mask);
    l->signals = TAKE_FD(fd);
    l->signal_fn = fn;
    l->signal_user = user;
    return 0;
}

/* -- running ----------------------------------------------------------------------------------- */

int loop_run(struct loop *l)
{
    struct epoll_event ev[EVENTS_AT_ONCE];
    while (!l->stop) {
        int n = epoll_wait(l->epoll, ev, EVENTS_AT_ONCE, wait_ms(l));
        if (n < 0 && errno != EINTR) {
            return -errno;
        }
        for (int i = 0; i < n && !l->stop; i++) {
            struct loop_fd *f = ev[i].data.ptr;
            if (!f->dead) {
                f->fn(l, f->fd, ev[i].events, f->user);
            }
        }
        if (!l->stop) {
            run_timers(l, mono_now());
        }
        bury(l);
    }
    l->stop = false;
    return l->code;
}

void loop_stop(struct loop *l, int code)
{
    l->stop = true;
    l->code = code;
}

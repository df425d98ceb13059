/* SPDX-License-Identifier: Apache-2.0
 *
 * The control thread's event loop: descriptors, timers, signals, and a wake-up from other threads.
 * One epoll instance and one heap of timers; everything that runs, runs in the thread that called
 * loop_run. Data threads have no loop: they poll their own source together with a `struct wake`.
 *
 * A callback may add, change and remove anything, itself included: what is removed while events
 * are being handed out is never called again and is freed once they all are.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/time.h"

/* A wake-up call between threads: any number of signals before a clear count as one. */
struct wake {
    int fd; /* readable while signalled; for poll or loop_add_fd */
};

/* 0, or -errno with fd = -1. */
int wake_init(struct wake *w);
void wake_done(struct wake *w);
/* From any thread and from signal handlers. */
void wake_signal(const struct wake *w);
/* True when it had been signalled since the last clear. Clear first, look at the work then. */
bool wake_clear(const struct wake *w);

struct loop;
struct loop_fd;
struct loop_timer;

struct loop_signal {
    int number;
    pid_t from;       /* the sending process, 0 for the kernel (a terminal) */
    bool from_kernel; /* the terminal sent it: the whole foreground group has it */
    bool ignored;     /* a SIGHUP, and whoever started the program ignored it, as nohup(1) does */
};

/* `events` are EPOLLIN, EPOLLOUT and so on, as epoll_wait gave them. */
typedef void loop_fd_fn(struct loop *l, int fd, uint32_t events, void *user);
/* `now` is the time at which the loop looked for timers, not when this one was due. */
typedef void loop_timer_fn(struct loop *l, struct mono now, void *user);
typedef void loop_signal_fn(struct loop *l, const struct loop_signal *sig, void *user);

int loop_new(struct loop **ret);
/* Frees all entries that are left; descriptors that were added stay open, they are the caller's. */
void loop_free(struct loop *l);

/* Watches `fd`, level-triggered, until loop_del_fd, which must come before the close. `ret` may be
 * NULL. 0, -EEXIST when the descriptor is watched already, or another -errno. */
int loop_add_fd(struct loop *l, int fd, uint32_t events, loop_fd_fn *fn, void *user,
                struct loop_fd **ret);
int loop_mod_fd(struct loop *l, struct loop_fd *f, uint32_t events);
/* Takes NULL. */
void loop_del_fd(struct loop *l, struct loop_fd *f);

/* A timer that is first due at `first` (at once when in the past; {0} is "never": it is made, but
 * waits for loop_set_timer) and then every `period_ns`, or only once when that is 0. After a stall
 * a periodic timer runs once, not once for each period missed. A one-shot timer that ran stays
 * there to be set again. `ret` may be NULL. */
int loop_add_timer(struct loop *l, struct mono first, int64_t period_ns, loop_timer_fn *fn,
                   void *user, struct loop_timer **ret);
void loop_set_timer(struct loop *l, struct loop_timer *t, struct mono first, int64_t period_ns);
/* Takes NULL. */
void loop_del_timer(struct loop *l, struct loop_timer *t);

/* Makes these signals wait from now on, until a loop takes them: for a program that has begun what
 * it must end in order, and has no loop yet. */
void loop_hold_signals(void);

/* Takes SIGINT, SIGTERM and SIGHUP as events instead: blocks them in the calling thread, so call it
 * before other threads are made; they inherit the mask. loop_free puts the mask back. Once a loop.
 */
int loop_add_signals(struct loop *l, loop_signal_fn *fn, void *user);

/* Hands out events until loop_stop; returns the number given there, or -errno. */
int loop_run(struct loop *l);
/* Makes loop_run return `code` (not negative) after the callback that runs now; when called before
 * loop_run, that returns at once. From callbacks only; other threads use a wake. */
void loop_stop(struct loop *l, int code);

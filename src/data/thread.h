/* SPDX-License-Identifier: Apache-2.0
 *
 * A data thread: one thread that runs one pipeline. It sleeps in poll until its source has
 * something, a function was posted to it, or the time that its owner gave has passed; it never
 * spins. A capture (node/capture.h) and a receiver (link/receive/receiver.h) own one each.
 *
 * The control thread talks to it by posting functions, which the owner has carried out in order,
 * between batches. Exactly one thread posts.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>

enum {
    THREAD_END = -1, /* from run(): the thread ends */
};

struct thread;

/* All of them are called in the thread itself, with the owner. */
struct thread_ops {
    /* The descriptor to poll for POLLIN before the next run; -1: none. */
    int (*fd)(const void *owner);
    /* After each sleep, the first time at once. `revents`: of that descriptor. Returns for how many
     * milliseconds to sleep at most, or THREAD_END. */
    int (*run)(void *owner, short revents);
    /* The last call: after THREAD_END, or because poll failed with this errno. */
    void (*end)(void *owner, int error);
};

struct thread_conf {
    const char *name; /* as the system shows it: 15 bytes at most */
    const struct thread_ops *ops;
    void *owner;
    unsigned posts;   /* functions that may wait */
    unsigned wait_ms; /* for which thread_post waits for room; 0: it does not */
};

/* Starts the thread; *ret is set before it runs. 0 or -errno, *ret is NULL then. */
int thread_start(const struct thread_conf *conf, struct thread **ret);
/* Waits for the thread's end, which must have been caused, and frees what was posted and never
 * carried out. Takes NULL. */
void thread_free(struct thread *t);

/* ---- for the control thread ---- */

/* Has fn(owner, arg) carried out. `drop` frees the argument afterwards, or when that never happens;
 * NULL: nothing is to be freed. -EAGAIN: the thread has not kept up; -ENOMEM. */
int thread_post(struct thread *t, void (*fn)(void *owner, void *arg), void *arg,
                void (*drop)(void *arg));
/* Asks the thread to end: thread_stopping is true from now on. Takes no room, so it cannot fail. */
void thread_stop(struct thread *t);
/* Has run() called soon. */
void thread_wake(struct thread *t);

/* ---- for the owner, in the thread ---- */

/* Carries out the posted function that has waited for longest; false: there is none. */
bool thread_next(struct thread *t);
/* It was asked to end. What was posted before that can be had by thread_next. */
bool thread_stopping(const struct thread *t);

/* ---- for threads that poll otherwise ---- */

/* Starts a thread that takes no signals: they go to the main thread, and SIGPIPE and SIGXFSZ become
 * errors. 0 or -errno. */
int thread_start_masked(void *(*fn)(void *arg), void *arg, pthread_t *ret);

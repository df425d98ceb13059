/* SPDX-License-Identifier: Apache-2.0 */
#include "data/thread.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/queue.h"
#include "sys/loop.h"

struct post {
    void (*fn)(void *owner, void *arg);
    void *arg;
    void (*drop)(void *arg);
};

struct thread {
    struct thread_conf conf;
    char name[16];
    pthread_t id;
    bool started;
    struct wake wake;
    struct queue *posts;
    _Atomic bool stop; /* no post: it must not find the queue full */
};

static void post_free(struct post *p)
{
    if (p->drop) {
        p->drop(p->arg);
    }
    free(p);
}

static void *run(void *arg)
{
    struct thread *t = arg;
    const struct thread_ops *ops = t->conf.ops;
    struct pollfd p[2] = {{.events = POLLIN}, {.fd = t->wake.fd, .events = POLLIN}};
    int ms = 0, error = 0;
    pthread_setname_np(pthread_self(), t->name); /* another's name would need /proc */
    while (ms != THREAD_END) {
        p[0].fd = ops->fd(t->conf.owner);
        p[0].revents = p[1].revents = 0;
        if (poll(p, 2, ms) < 0 && errno != EINTR) {
            error = errno;
            break;
        }
        if (p[1].revents) {
            wake_clear(&t->wake);
        }
        ms = ops->run(t->conf.owner, p[0].revents);
    }
    ops->end(t->conf.owner, error);
    return NULL;
}

int thread_start(const struct thread_conf *conf, struct thread **ret)
{
    struct thread *t = calloc(1, sizeof(*t));
    if (!t) {
        return -ENOMEM;
    }
    t->conf = *conf;
    snprintf(t->name, sizeof(t->name), "%s", conf->name);
    t->wake.fd = -1;
    t->posts = queue_new(conf->posts);
    int r = t->posts ? wake_init(&t->wake) : -ENOMEM;
    if (r == 0) {
        *ret = t;
        r = -pthread_create(&t->id, NULL, run, t);
        t->started = r == 0;
    }
    if (r < 0) {
        *ret = NULL;
        thread_free(t);
    }
    return r;
}

void thread_free(struct thread *t)
{
    if (!t) {
        return;
    }
    if (t->started) {
        pthread_join(t->id, NULL);
    }
    for (struct post *p; t->posts && (p = queue_pop(t->posts)) != NULL;) {
        post_free(p);
    }
    queue_free(t->posts);
    wake_done(&t->wake);
    free(t);
}

int thread_post(struct thread *t, void (*fn)(void *owner, void *arg), void *arg,
                void (*drop)(void *arg))
{
    struct post *p = malloc(sizeof(*p));
    bool pushed = false;
    if (!p) {
        if (drop) {
            drop(arg);
        }
        return -ENOMEM;
    }
    *p = (struct post){fn, arg, drop};
    pushed = queue_push(t->posts, p);
    for (unsigned i = 0; !pushed && i < t->conf.wait_ms; i++) {
        poll(NULL, 0, 1);
        pushed = queue_push(t->posts, p);
    }
    if (!pushed) {
        post_free(p);
        return -EAGAIN;
    }
    wake_signal(&t->wake);
    return 0;
}

void thread_stop(struct thread *t)
{
    atomic_store_explicit(&t->stop, true, memory_order_release);
    wake_signal(&t->wake);
}

void thread_wake(struct thread *t)
{
    wake_signal(&t->wake);
}

bool thread_next(struct thread *t)
{
    struct post *p = queue_pop(t->posts);
    if (p) {
        p->fn(t->conf.owner, p->arg);
        post_free(p);
    }
    return p != NULL;
}

bool thread_stopping(const struct thread *t)
{
    return atomic_load_explicit(&t->stop, memory_order_acquire);
}

int thread_start_masked(void *(*fn)(void *arg), void *arg, pthread_t *ret)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    const int error = pthread_create(ret, NULL, fn, arg);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return -error;
}

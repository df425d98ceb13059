/* SPDX-License-Identifier: Apache-2.0 */
#include "data/sink/file/pool.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "data/thread.h"
#include "sys/loop.h"

struct worker {
    struct file_pool *pool;
    struct wake wake;
    pthread_t thread;
    bool slow; /* it has the slow pieces */
    bool started;
};

struct file_pool {
    struct worker worker[2]; /* the second is the slow one */
    _Atomic bool ending;
    pthread_mutex_t lock; /* over the list, and each job's `busy` */
    pthread_cond_t idle;  /* a job is not busy any more */
    struct file_job *first;
};

static bool is_for(const struct file_job *j, const struct worker *w)
{
    return atomic_load_explicit(&j->wanted, memory_order_relaxed) && !j->busy &&
           atomic_load_explicit(&j->slow, memory_order_relaxed) == w->slow;
}

/* A job that wants to be called, which is busy from now on; NULL: none does. Those behind `after`
 * come first, so that each gets its turn. Under the lock. */
static struct file_job *next_job(const struct worker *w, const struct file_job *after)
{
    const struct file_pool *p = w->pool;
    struct file_job *wrapped = NULL;
    bool behind = after == NULL;
    for (struct file_job *j = p->first; j; j = j->next) {
        if (is_for(j, w)) {
            if (behind) {
                wrapped = j;
                break;
            }
            wrapped = wrapped ? wrapped : j;
        }
        behind = behind || j == after;
    }
    if (wrapped) {
        /* Before it looks, so that what comes then wants it again; it is read as well, so that the
         * thread sees all that was there when it was wanted. */
        (void)atomic_exchange(&wrapped->wanted, false);
        wrapped->busy = true;
    }
    return wrapped;
}

static void call(struct file_pool *p, struct file_job *j)
{
    const bool more = j->step(j->owner);
    pthread_mutex_lock(&p->lock);
    j->busy = false;
    if (more) {
        file_pool_want(p, j); /* which calls in the slow one, when it has become slow */
    }
    pthread_cond_broadcast(&p->idle);
    pthread_mutex_unlock(&p->lock);
}

static void *run(void *arg)
{
    struct worker *w = arg;
    struct file_pool *p = w->pool;
    const struct file_job *last = NULL; /* only compared: it may be gone */
    while (!atomic_load(&p->ending)) {
        pthread_mutex_lock(&p->lock);
        struct file_job *j = next_job(w, last);
        pthread_mutex_unlock(&p->lock);
        if (j) {
            call(p, j);
            last = j;
        } else {
            struct pollfd fd = {w->wake.fd, POLLIN, 0};
            (void)poll(&fd, 1, -1);
            (void)wake_clear(&w->wake);
        }
    }
    return NULL;
}

static int start(struct file_pool *p, struct worker *w, bool slow)
{
    w->pool = p;
    w->slow = slow;
    int r = wake_init(&w->wake);
    r = r < 0 ? r : thread_start_masked(run, w, &w->thread);
    w->started = r == 0;
    return r;
}

int file_pool_new(struct file_pool **ret)
{
    struct file_pool *p = calloc(1, sizeof(*p));
    if (!p) {
        return -ENOMEM;
    }
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->idle, NULL);
    p->worker[0].wake.fd = p->worker[1].wake.fd = -1;
    int r = start(p, &p->worker[0], false);
    r = r < 0 ? r : start(p, &p->worker[1], true);
    if (r < 0) {
        file_pool_free(p);
        return r;
    }
    *ret = p;
    return 0;
}

void file_pool_free(struct file_pool *p)
{
    if (!p) {
        return;
    }
    atomic_store(&p->ending, true);
    for (unsigned i = 0; i < ARRAY_SIZE(p->worker); i++) {
        if (p->worker[i].started) {
            wake_signal(&p->worker[i].wake);
            pthread_join(p->worker[i].thread, NULL);
        }
        wake_done(&p->worker[i].wake);
    }
    pthread_cond_destroy(&p->idle);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

void file_pool_add(struct file_pool *p, struct file_job *job)
{
    pthread_mutex_lock(&p->lock);
    job->busy = false;
    job->next = p->first;
    p->first = job;
    pthread_mutex_unlock(&p->lock);
}

void file_pool_remove(struct file_pool *p, struct file_job *job)
{
    pthread_mutex_lock(&p->lock);
    struct file_job **at = &p->first;
    while (*at && *at != job) {
        at = &(*at)->next;
    }
    if (*at) {
        *at = job->next;
    }
    while (job->busy) {
        pthread_cond_wait(&p->idle, &p->lock);
    }
    pthread_mutex_unlock(&p->lock);
}

void file_pool_want(const struct file_pool *p, struct file_job *job)
{
    atomic_store(&job->wanted, true);
    wake_signal(&p->worker[atomic_load(&job->slow)].wake);
}

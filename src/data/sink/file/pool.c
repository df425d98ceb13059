/* SPDX-License-Identifier: Apache-2.0 */
#include "data/sink/file/pool.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "data/thread.h"
#include "sys/loop.h"

struct file_pool {
    struct wake wake;
    pthread_t thread;
    bool started;
    _Atomic bool ending;
    pthread_mutex_t lock; /* over the list, and each job's `busy` */
    pthread_cond_t idle;  /* a job is not busy any more */
    struct file_job *first;
};

/* A job that wants to be called, which is busy from now on; NULL: none does. Those behind `after`
 * come first, so that each gets its turn. Under the lock. */
static struct file_job *next_job(struct file_pool *p, const struct file_job *after)
{
    struct file_job *wrapped = NULL;
    bool behind = after == NULL;
    for (struct file_job *j = p->first; j; j = j->next) {
        if (atomic_load_explicit(&j->wanted, memory_order_relaxed)) {
            if (behind) {
                wrapped = j;
                break;
            }
            wrapped = wrapped ? wrapped : j;
        }
        behind = behind || j == after;
    }
    if (wrapped) {
        atomic_store(&wrapped->wanted, false); /* before it looks: what comes then wants it again */
        wrapped->busy = true;
    }
    return wrapped;
}

static void *run(void *arg)
{
    struct file_pool *p = arg;
    const struct file_job *last = NULL; /* only compared: it may be gone */
    while (!atomic_load(&p->ending)) {
        pthread_mutex_lock(&p->lock);
        struct file_job *j = next_job(p, last);
        pthread_mutex_unlock(&p->lock);
        if (!j) {
            struct pollfd fd = {p->wake.fd, POLLIN, 0};
            (void)poll(&fd, 1, -1);
            (void)wake_clear(&p->wake);
            continue;
        }
        if (j->step(j->owner)) {
            atomic_store(&j->wanted, true);
        }
        pthread_mutex_lock(&p->lock);
        j->busy = false;
        last = j;
        pthread_cond_broadcast(&p->idle);
        pthread_mutex_unlock(&p->lock);
    }
    return NULL;
}

int file_pool_new(struct file_pool **ret)
{
    struct file_pool *p = calloc(1, sizeof(*p));
    if (!p) {
        return -ENOMEM;
    }
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->idle, NULL);
    int r = wake_init(&p->wake);
    r = r < 0 ? r : thread_start_masked(run, p, &p->thread);
    p->started = r == 0;
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
    if (p->started) {
        atomic_store(&p->ending, true);
        wake_signal(&p->wake);
        pthread_join(p->thread, NULL);
    }
    wake_done(&p->wake);
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
    wake_signal(&p->wake);
}

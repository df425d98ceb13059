/* SPDX-License-Identifier: Apache-2.0
 *
 * See writer.h. The writer thread sleeps in poll() on an eventfd, which submitting wakes, and
 * on the pipe or socket, so that a reader that goes away is noticed while nothing is written.
 * Descriptors that can block for ever are made non-blocking, so that giving up is always possible.
 */
#include "data/sink/file/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/queue.h"
#include "data/sink/file/pool.h"
#include "data/sink/file/stats.h"
#include "data/thread.h"
#include "proto/pcapng.h"
#include "sys/loop.h"

struct file_writer {
    int fd;
    struct wake wake;
    int old_flags; /* of the descriptor, to be restored; -1: as they were */
    bool regular;
    uint64_t end; /* of the last whole block of a regular file; the writer thread's, … */
    _Atomic uint64_t published; /* … and as others see it */
    uint32_t n_chunks, n_stack, chunk_bytes;
    struct chunk *chunks;
    uint8_t *memory;      /* of all chunks */
    struct chunk **stack; /* empty chunks at the data thread, the warmest on top */
    struct queue *full, *empty;
    pthread_t thread;
    struct file_pool *pool; /* instead of the thread; NULL: there is none */
    struct file_job job;    /* there */
    bool started, joined, sync_made;
    bool over; /* the writer thread's: all is written that ever will be */
    pthread_mutex_t lock;
    pthread_cond_t cond;
    bool done; /* under lock */
    _Atomic int failed;
    _Atomic bool finishing, giving_up;
    struct file_point *const *points; /* set before finishing */
    uint32_t n_points;
    uint8_t meta[PCAPNG_META_MAX];
};

static bool is_set(const _Atomic bool *flag)
{
    return atomic_load_explicit(flag, memory_order_acquire);
}

int file_writer_error(const struct file_writer *w)
{
    return -atomic_load_explicit(&w->failed, memory_order_acquire);
}

/* The first error stays. */
static void fail(struct file_writer *w, int code)
{
    int none = 0;
    atomic_compare_exchange_strong(&w->failed, &none, code);
}

/* Sleeps until woken, or until the pipe or socket has what `events` asks for. */
static void sleep_on(struct file_writer *w, short events)
{
    bool watch = !w->regular && file_writer_error(w) == 0;
    struct pollfd p[2] = {{.fd = w->wake.fd, .events = POLLIN}, {.fd = w->fd, .events = events}};
    if (poll(p, watch ? 2 : 1, -1) < 0) {
        return;
    }
    if (p[0].revents && !wake_clear(&w->wake)) {
        return;
    }
    if (events == 0 && watch && (p[1].revents & (POLLERR | POLLHUP)) != 0) {
        fail(w, EPIPE);
    }
}

/* Writes it all, or returns the -errno that stopped it; *ret_done bytes were written anyway. */
static int write_all(struct file_writer *w, const uint8_t *p, size_t len, size_t *ret_done)
{
    *ret_done = 0;
    while (*ret_done < len) {
        if (is_set(&w->giving_up)) {
            return -ECANCELED;
        }
        ssize_t n = write(w->fd, p + *ret_done, len - *ret_done);
        if (n > 0) {
            *ret_done += (size_t)n;
        } else if (n == 0) {
            return -EIO;
        } else if (errno == EAGAIN) {
            sleep_on(w, POLLOUT);
        } else if (errno != EINTR) {
            return -errno;
        }
    }
    return 0;
}

static enum ledger_id drop_reason(int code)
{
    switch (code) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return LEDGER_SINK_NOSPACE;
    case EPIPE:
    case ECONNRESET:
    case ECANCELED:
        return LEDGER_SINK_CLOSED;
    default:
        return LEDGER_SINK_ERROR;
    }
}

/* Moves the frames of whole blocks within the first `done` bytes from the chunk's counts to the
 * ledger, and returns where the last of these blocks ends. */
static size_t count_partly(struct chunk *c, size_t done)
{
    size_t at = 0;
    while (done - at >= PCAPNG_BLOCK_MIN) {
        uint32_t head[6] = {0};
        memcpy(head, c->buf + at, MIN(sizeof(head), done - at));
        if (head[1] > done - at) {
            break;
        }
        at += head[1];
        for (uint32_t i = 0; head[0] == PCAPNG_EPB && i < c->n_counts; i++) {
            struct chunk_count *n = &c->counts[i];
            if (n->point->ifid == head[2]) {
                n->frames--;
                n->bytes -= head[5];
                n->point->written++;
                ledger_add(n->point->ledger, LEDGER_SINK_OUT, 1);
                ledger_add(n->point->ledger, LEDGER_SINK_BYTES, head[5]);
            }
        }
    }
    return at;
}

static void count_dropped(struct chunk *c, int code)
{
    for (uint32_t i = 0; i < c->n_counts; i++) {
        ledger_add_shared(c->counts[i].point->ledger, drop_reason(code), c->counts[i].frames);
    }
}

static void count_written(struct chunk *c)
{
    for (uint32_t i = 0; i < c->n_counts; i++) {
        struct chunk_count *n = &c->counts[i];
        n->point->written += n->frames;
        ledger_add(n->point->ledger, LEDGER_SINK_OUT, n->frames);
        ledger_add(n->point->ledger, LEDGER_SINK_BYTES, n->bytes);
    }
}

/* After an error: a regular file ends with `whole` bytes more than before and nothing torn. */
static void cut_back(struct file_writer *w, size_t whole)
{
    if (w->regular) {
        w->end += whole;
        if (ftruncate(w->fd, (off_t)w->end) < 0 || lseek(w->fd, (off_t)w->end, SEEK_SET) < 0) {
            return; /* the next run finds the torn end and cuts it then */
        }
    }
}

static void write_stats(struct file_writer *w, struct file_point *point)
{
    size_t done;
    if (file_writer_error(w) < 0) {
        return;
    }
    struct wr out = wr_make(w->meta, sizeof(w->meta));
    file_stats_put(&out, point, wall_now());
    int err = write_all(w, w->meta, wr_len(&out), &done);
    if (err < 0) {
        fail(w, -err);
        cut_back(w, 0);
    } else {
        w->end += done;
    }
}

static void write_chunk(struct file_writer *w, struct chunk *c)
{
    size_t done;
    int err = file_writer_error(w);
    if (err < 0) {
        count_dropped(c, -err);
        return;
    }
    err = write_all(w, c->buf, wr_len(&c->w), &done);
    if (err < 0) {
        fail(w, -err);
        cut_back(w, count_partly(c, done));
        count_dropped(c, -err);
        return;
    }
    w->end += done;
    count_written(c);
    if (c->ended) {
        write_stats(w, c->ended);
    }
}

static void write_end(struct file_writer *w)
{
    for (uint32_t i = 0; i < w->n_points; i++) {
        if (w->points[i]->idb_written && w->points[i]->isb_due) {
            write_stats(w, w->points[i]);
        }
    }
    if (w->regular && file_writer_error(w) == 0 && fsync(w->fd) < 0 && errno != EINVAL) {
        fail(w, errno);
    }
}

/* The next chunk, or the end behind the last one. True: there may be more to do. */
static bool step(void *writer)
{
    struct file_writer *w = writer;
    const bool last = is_set(&w->finishing); /* asked before the queue: nothing comes after it */
    struct chunk *c = queue_pop(w->full);
    if (c) {
        write_chunk(w, c);
        atomic_store_explicit(&w->published, w->end, memory_order_release);
        queue_push(w->empty, c);
        return true;
    }
    if (!last || w->over) {
        return false;
    }
    if (w->pool && !atomic_exchange(&w->job.slow, true)) {
        return true; /* for the thread that may wait until the file is on the disk */
    }
    write_end(w);
    atomic_store_explicit(&w->published, w->end, memory_order_release);
    w->over = true;
    pthread_mutex_lock(&w->lock);
    w->done = true;
    pthread_cond_signal(&w->cond);
    pthread_mutex_unlock(&w->lock);
    return false;
}

static void *run(void *arg)
{
    struct file_writer *w = arg;
    while (!w->over) {
        if (!step(w) && !w->over) {
            sleep_on(w, 0);
        }
    }
    return NULL;
}

/* The thread, or the pool's, looks for work. */
static void call_in(struct file_writer *w)
{
    if (w->pool) {
        file_pool_want(w->pool, &w->job);
    } else {
        wake_signal(&w->wake);
    }
}

static int start_thread(struct file_writer *w)
{
    if (w->pool) {
        w->job = (struct file_job){.step = step, .owner = w};
        file_pool_add(w->pool, &w->job);
        w->started = true;
        return 0;
    }
    const int r = thread_start_masked(run, w, &w->thread);
    w->started = r == 0;
    return r;
}

static int make_chunks(struct file_writer *w, uint32_t n)
{
    w->chunks = calloc(n, sizeof(*w->chunks));
    w->stack = calloc(n, sizeof(struct chunk *));
    w->full = queue_new(n);
    w->empty = queue_new(n);
    w->memory = malloc((size_t)n * w->chunk_bytes); /* of which only what is used takes room */
    if (!w->chunks || !w->stack || !w->full || !w->empty || !w->memory) {
        return -ENOMEM;
    }
    for (w->n_chunks = 0; w->n_chunks < n; w->n_chunks++) {
        struct chunk *c = &w->chunks[w->n_chunks];
        c->buf = w->memory + (size_t)w->n_chunks * w->chunk_bytes;
        w->stack[w->n_stack++] = c;
    }
    return 0;
}

static void make_sync(struct file_writer *w)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->cond, &attr);
    pthread_condattr_destroy(&attr);
    w->sync_made = true;
}

DEFINE_FREEP(struct file_writer, file_writer_free)

/* A descriptor that can block for ever is made non-blocking. */
static int unblock(struct file_writer *w, int fd)
{
    const int flags = fcntl(fd, F_GETFL);
    if (flags < 0) {
        return -errno;
    }
    if (!w->regular && (flags & O_NONBLOCK) == 0) {
        if (fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) {
            return -errno;
        }
        w->old_flags = flags;
    }
    return 0;
}

int file_writer_new(int fd, const struct file_writer_conf *conf, struct file_writer **ret)
{
    if (conf->pool && !conf->regular) {
        return -EINVAL;
    }
    _cleanup_(file_writer_freep) struct file_writer *w = calloc(1, sizeof(*w));
    if (!w) {
        return -ENOMEM;
    }
    w->fd = -1; /* until nothing can go wrong any more, it stays the caller's */
    w->wake.fd = -1;
    w->old_flags = -1;
    w->regular = conf->regular;
    w->end = conf->end;
    w->published = conf->end;
    w->chunk_bytes = conf->chunk_bytes;
    w->pool = conf->pool;
    make_sync(w);
    int err = make_chunks(w, conf->chunks);
    err = err < 0 ? err : wake_init(&w->wake);
    err = err < 0 ? err : unblock(w, fd);
    if (err < 0) {
        return err;
    }
    w->fd = fd;
    err = start_thread(w);
    if (err < 0) {
        w->fd = -1;
        if (w->old_flags >= 0) {
            (void)fcntl(fd, F_SETFL, w->old_flags);
        }
        return err;
    }
    *ret = TAKE_PTR(w);
    return 0;
}

static void join(struct file_writer *w)
{
    if (w->started && !w->joined && w->pool) {
        file_pool_remove(w->pool, &w->job);
        while (step(w)) { /* what the pool has not come to: giving up, it is only counted */
        }
    } else if (w->started && !w->joined) {
        pthread_join(w->thread, NULL);
    }
    w->joined = true;
}

void file_writer_end(struct file_writer *w, struct file_point *const *points, uint32_t n)
{
    w->points = points;
    w->n_points = n;
    atomic_store_explicit(&w->finishing, true, memory_order_release);
    call_in(w);
}

bool file_writer_ended(struct file_writer *w)
{
    pthread_mutex_lock(&w->lock);
    const bool done = w->done;
    pthread_mutex_unlock(&w->lock);
    return done;
}

int file_writer_finish(struct file_writer *w, struct file_point *const *points, uint32_t n,
                       uint32_t ms)
{
    struct mono until = mono_add_ms(mono_now(), ms);
    struct timespec ts = {until.ns / NSEC_PER_SEC, until.ns % NSEC_PER_SEC};
    file_writer_end(w, points, n);
    pthread_mutex_lock(&w->lock);
    while (!w->done && pthread_cond_timedwait(&w->cond, &w->lock, &ts) != ETIMEDOUT) {
    }
    bool late = !w->done;
    pthread_mutex_unlock(&w->lock);
    if (late) {
        atomic_store_explicit(&w->giving_up, true, memory_order_release);
        call_in(w);
    }
    join(w);
    return file_writer_error(w);
}

void file_writer_free(struct file_writer *w)
{
    if (!w) {
        return;
    }
    if (w->started && !w->joined) {
        atomic_store_explicit(&w->giving_up, true, memory_order_release);
        atomic_store_explicit(&w->finishing, true, memory_order_release);
        call_in(w);
        join(w);
    }
    free(w->memory);
    free(w->chunks);
    free(w->stack);
    queue_free(w->full);
    queue_free(w->empty);
    if (w->fd >= 0) {
        if (w->old_flags >= 0) {
            (void)fcntl(w->fd, F_SETFL, w->old_flags);
        }
        close(w->fd);
    }
    wake_done(&w->wake);
    if (w->sync_made) {
        pthread_mutex_destroy(&w->lock);
        pthread_cond_destroy(&w->cond);
    }
    free(w);
}

struct chunk *file_writer_take(struct file_writer *w)
{
    for (struct chunk *c; (c = queue_pop(w->empty)) != NULL;) {
        w->stack[w->n_stack++] = c;
    }
    if (w->n_stack == 0) {
        return NULL;
    }
    struct chunk *c = w->stack[--w->n_stack];
    c->w = wr_make(c->buf, w->chunk_bytes);
    c->n_counts = 0;
    c->ended = NULL;
    return c;
}

void file_writer_submit(struct file_writer *w, struct chunk *c)
{
    queue_push(w->full, c); /* never full: it has room for every chunk */
    call_in(w);
}

uint64_t file_writer_published(const struct file_writer *w)
{
    return atomic_load_explicit(&w->published, memory_order_acquire);
}

bool file_writer_idle(const struct file_writer *w)
{
    return w->n_stack + queue_len(w->empty) == w->n_chunks;
}

bool file_writer_behind(const struct file_writer *w)
{
    return queue_len(w->full) > w->n_chunks / 2;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "data/sink/queue/queue.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "data/sink/queue/impl.h"
#include "data/thread.h"

enum {
    FINISH_MS_DEFAULT = 5000,
    READY_SLOTS = POINT_MAX,
};

static struct queue_producer *of(struct sink *s)
{
    return (struct queue_producer *)s; /* its head is the first member */
}

/* ---- the producer's thread: frames ---- */

static void touch(struct queue_producer *p, struct queue_ring *r)
{
    if (!r->touched) {
        r->touched = true;
        p->touched[p->n_touched++] = r;
        if (!atomic_load_explicit(&r->scheduled, memory_order_acquire)) {
            records_rewind(&r->records); /* it is empty, and the thread does not look */
        }
    }
}

/* Shows the thread what was put, and wakes it if it sleeps. */
static void publish(struct queue_producer *p)
{
    struct queue_sink *q = p->queue;
    for (unsigned i = 0; i < p->n_touched; i++) {
        struct queue_ring *r = p->touched[i];
        r->touched = false;
        records_publish(&r->records);
        if (!atomic_exchange_explicit(&r->scheduled, true, memory_order_acq_rel)) {
            queue_push(p->ready, r); /* each ring is there once at most: there is room */
        }
    }
    if (p->n_touched > 0) {
        p->n_touched = 0;
        atomic_fetch_add(&q->signals, 1);
        if (atomic_load(&q->sleeping) && atomic_exchange(&q->sleeping, false)) {
            wake_signal(&q->wake);
        }
    }
}

static void queue_write(struct sink *s, const struct batch *b)
{
    struct queue_producer *p = of(s);
    for (uint32_t i = 0; i < b->n; i++) {
        const struct frame *f = &b->f[i];
        struct queue_point *point = f->point < POINT_MAX ? &p->point[f->point] : NULL;
        if (!point || !point->ledger) {
            continue;
        }
        ledger_add(point->ledger, LEDGER_SINK_IN, 1);
        if (point->ring) {
            touch(p, point->ring);
        }
        if (point->ring && records_put_frame(&point->ring->records, f, point->lost + f->lost)) {
            point->lost = 0;
        } else {
            point->lost += (uint64_t)f->lost + 1;
            ledger_add_shared(point->ledger, point->ring ? LEDGER_SINK_FULL : LEDGER_SINK_REFUSED,
                              1);
        }
    }
    publish(p);
}

static void queue_flush(struct sink *s)
{
    (void)s; /* what was given is under way */
}

/* ---- the producer's thread: points ---- */

static int copy_text(const char **to, const char *from)
{
    *to = from ? strdup(from) : NULL;
    return from && !*to ? -ENOMEM : 0;
}

static struct queue_command *command_new(enum queue_op op, uint32_t index)
{
    struct queue_command *c = calloc(1, sizeof(*c));
    if (c) {
        c->op = op;
        c->index = index;
        c->point.device = -1;
    }
    return c;
}

static struct queue_command *add_command(const struct point_offer *point, struct ledger *ledger)
{
    struct queue_command *c = command_new(QUEUE_ADD, point->index);
    if (!c) {
        return NULL;
    }
    c->point = *point;
    c->point.ledger = ledger;
    c->point.tap = c->point.ifname = c->point.filter = c->point.os = NULL;
    c->point.device = point->device > 0 ? fcntl(point->device, F_DUPFD_CLOEXEC, 3) : -1;
    if (copy_text(&c->point.tap, point->tap) < 0 ||
        copy_text(&c->point.ifname, point->ifname) < 0 ||
        copy_text(&c->point.filter, point->filter) < 0 || copy_text(&c->point.os, point->os) < 0 ||
        (point->device > 0 && c->point.device < 0)) {
        queue_command_free(c);
        return NULL;
    }
    return c;
}

/* Under the lock, so that what is said of a point is numbered in the order of publication. */
static bool say(struct queue_producer *p, struct queue_ring *r, struct queue_command *c)
{
    struct queue_inner_point *point = &p->queue->point[c->index];
    c->number = point->said + 1;
    c->ring = r;
    touch(p, r);
    bool fits = records_put_command(&r->records, c);
    if (fits) {
        point->said++;
        r->commands++;
    }
    publish(p);
    return fits;
}

/* There is room for all that can be said of the points that are open, and of one more. */
static bool has_room_for_point(const struct queue_ring *r)
{
    uint32_t under_way = r->commands - atomic_load_explicit(&r->carried_out, memory_order_acquire);
    return under_way + 2 * r->open + 3 <= 3 * POINT_MAX;
}

static int add_point(struct queue_producer *p, const struct point_offer *point, struct error *err)
{
    struct sink *shown = &p->queue->producer[0]->head;
    struct ledger *ledger = NULL;
    int r = sink_point_open(shown, point, &ledger, err);
    if (r < 0) {
        return r;
    }
    p->point[point->index].ledger = ledger; /* from here on its frames are counted */
    struct queue_command *c = add_command(point, ledger);
    struct queue_ring *ring = c ? queue_ring_for(p, point->tap) : NULL;
    if (!ring || !has_room_for_point(ring) || !say(p, ring, c)) {
        queue_command_free(c);
        sink_point_refuse(shown, point->index);
        return error_set(err, ENOSPC, "%s: no room for %s:%s", shown->name, point->tap,
                         point->ifname);
    }
    ring->open++;
    ring->lane->open++;
    p->point[point->index].ring = ring;
    return 0;
}

static int queue_point_add(struct sink *s, const struct point_offer *point, struct error *err)
{
    struct queue_producer *p = of(s);
    pthread_mutex_lock(&p->queue->lock);
    int r = add_point(p, point, err);
    pthread_mutex_unlock(&p->queue->lock);
    return r;
}

static void queue_point_stats(struct sink *s, uint32_t index, const struct ledger *figures)
{
    struct queue_producer *p = of(s);
    struct queue_ring *r = index < POINT_MAX ? p->point[index].ring : NULL;
    /* Figures may be told often, and a slow sink needs none of them but the last. */
    struct queue_command *c = r && has_room_for_point(r) ? command_new(QUEUE_STATS, index) : NULL;
    if (c) {
        ledger_copy(&c->figures, figures);
        pthread_mutex_lock(&p->queue->lock);
        if (!say(p, r, c)) {
            queue_command_free(c);
        }
        pthread_mutex_unlock(&p->queue->lock);
    }
}

static void queue_point_remove(struct sink *s, uint32_t index)
{
    struct queue_producer *p = of(s);
    struct queue_point *point = index < POINT_MAX ? &p->point[index] : NULL;
    if (!point || !point->ledger) {
        return;
    }
    struct queue_ring *r = point->ring;
    struct queue_command *c = r ? command_new(QUEUE_REMOVE, index) : NULL;
    pthread_mutex_lock(&p->queue->lock);
    if (c && say(p, r, c)) { /* without memory, the inner sink keeps it until the end */
        r->open--;
        r->lane->open--;
    } else {
        queue_command_free(c);
    }
    *point = (struct queue_point){.ledger = NULL};
    sink_point_close(&p->queue->producer[0]->head, index);
    pthread_mutex_unlock(&p->queue->lock);
}

/* ---- other threads ---- */

static void close_devices(struct queue_sink *q)
{
    pthread_mutex_lock(&q->lock);
    unsigned n = q->n_devices;
    int *devices = TAKE_PTR(q->devices);
    q->n_devices = q->devices_room = 0;
    pthread_mutex_unlock(&q->lock);
    for (unsigned i = 0; i < n; i++) {
        close(devices[i]);
    }
    free(devices);
}

static int queue_check(struct sink *s, struct error *err)
{
    struct queue_sink *q = of(s)->queue;
    close_devices(q);
    int r = q->inner->ops->check(q->inner, err);
    return r < 0 ? r : sink_check_refused(s, r, err);
}

static void join(struct queue_sink *q)
{
    if (q->started && !q->joined) {
        wake_signal(&q->wake);
        pthread_join(q->thread, NULL);
        q->joined = true;
    }
}

static void set(_Atomic bool *flag)
{
    atomic_store_explicit(flag, true, memory_order_release);
}

static int queue_finish(struct sink *s, struct error *err)
{
    struct queue_sink *q = of(s)->queue;
    struct mono until = mono_add_ms(mono_now(), q->conf.finish_ms);
    struct timespec ts = {until.ns / NSEC_PER_SEC, until.ns % NSEC_PER_SEC};
    set(&q->finishing);
    wake_signal(&q->wake);
    pthread_mutex_lock(&q->lock);
    while (!q->done && pthread_cond_timedwait(&q->cond, &q->lock, &ts) != ETIMEDOUT) {
    }
    bool late = !q->done;
    pthread_mutex_unlock(&q->lock);
    if (late) {
        set(&q->giving_up);
    }
    join(q);
    close_devices(q);
    int r = q->inner->ops->finish(q->inner, err);
    if (r == 0 && late) {
        r = error_set(err, ETIMEDOUT,
                      "%s: not everything was written, because the output did not take it in time",
                      s->name);
    }
    return r;
}

/* Commands that nobody carries out any more, in a ring that the thread has left. */
static void drop_commands(struct queue_sink *q)
{
    for (unsigned i = 0; i < POINT_MAX; i++) {
        for (struct queue_command *c; (c = q->point[i].pending) != NULL;) {
            q->point[i].pending = c->next;
            queue_command_free(c);
        }
        queue_command_free(q->point[i].refused);
        if (q->point[i].device > 0) {
            close(q->point[i].device);
        }
    }
}

static void queue_free_all(struct queue_sink *q)
{
    set(&q->giving_up);
    set(&q->finishing);
    join(q);
    if (q->started) {
        drop_commands(q);
    }
    for (struct queue_lane *l; (l = q->lanes) != NULL;) {
        q->lanes = l->next;
        queue_lane_free(l);
    }
    if (q->sync_made) {
        close_devices(q);
        pthread_mutex_destroy(&q->lock);
        pthread_cond_destroy(&q->cond);
    }
    wake_done(&q->wake);
    if (q->producer[0]) {
        sink_done(&q->producer[0]->head);
    }
    for (unsigned t = 0; t < q->n_producers; t++) {
        queue_free(q->producer[t] ? q->producer[t]->ready : NULL);
        free(q->producer[t]);
    }
    free(q);
}

static void queue_sink_free(struct sink *s)
{
    struct queue_sink *q = of(s)->queue;
    struct sink *inner = q->inner;
    queue_free_all(q);
    sink_free(inner);
}

static void queue_readers(const struct sink *s, struct sink_readers *ret)
{
    const struct queue_sink *q = ((const struct queue_producer *)s)->queue;
    q->inner->ops->readers(q->inner, ret);
}

/* ---- making ---- */

static const struct sink_ops queue_ops = {
    .kind = "queue",
    .counts = LEDGER_SINK,
    .point_add = queue_point_add,
    .point_stats = queue_point_stats,
    .point_remove = queue_point_remove,
    .write = queue_write,
    .flush = queue_flush,
    .check = queue_check,
    .finish = queue_finish,
    .free = queue_sink_free,
};

static int make_producers(struct queue_sink *q, unsigned n)
{
    for (unsigned t = 0; t < n; t++) {
        struct queue_producer *p = calloc(1, sizeof(*p));
        q->producer[t] = p;
        q->n_producers = t + 1;
        if (!p || !(p->ready = queue_new(q->conf.lanes ? READY_SLOTS : 2))) {
            return -ENOMEM;
        }
        p->queue = q;
        p->number = t;
        if (t == 0) {
            int r = sink_init(&p->head, &q->ops, q->inner->name);
            if (r < 0) {
                return r;
            }
        }
        p->head = q->producer[0]->head;
    }
    return 0;
}

static void make_sync(struct queue_sink *q)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&q->lock, NULL);
    pthread_cond_init(&q->cond, &attr);
    pthread_condattr_destroy(&attr);
    q->sync_made = true;
}

static int start_thread(struct queue_sink *q)
{
    const int r = thread_start_masked(queue_thread, q, &q->thread);
    q->started = r == 0;
    return r;
}

int queue_sink_new(struct sink *inner, unsigned producers, const struct queue_sink_conf *conf,
                   struct sink **ret)
{
    if (producers < 1 || producers > QUEUE_PRODUCERS) {
        return -EINVAL;
    }
    struct queue_sink *q = calloc(1, sizeof(*q));
    if (!q) {
        return -ENOMEM;
    }
    q->wake.fd = -1;
    q->inner = inner;
    q->conf = *conf;
    q->conf.bytes = MIN(MAX(conf->bytes ? conf->bytes : QUEUE_BYTES, (size_t)QUEUE_BYTES_MIN),
                        (size_t)QUEUE_BYTES_MAX);
    q->conf.finish_ms = conf->finish_ms ? conf->finish_ms : FINISH_MS_DEFAULT;
    q->ops = queue_ops;
    q->ops.kind = inner->ops->kind;
    q->ops.readers = inner->ops->readers ? queue_readers : NULL;
    make_sync(q);
    int r = make_producers(q, producers);
    r = r < 0 ? r : wake_init(&q->wake);
    inner->queued = true;
    r = r < 0 ? r : start_thread(q);
    if (r < 0) {
        inner->queued = false;
        queue_free_all(q);
        return r;
    }
    *ret = &q->producer[0]->head;
    return 0;
}

struct sink *queue_sink_producer(struct sink *s, unsigned t)
{
    if (s->ops->write != queue_write) {
        return s;
    }
    struct queue_sink *q = of(s)->queue;
    return t < q->n_producers ? &q->producer[t]->head : NULL;
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * The thread of a queue: takes turns at the rings that have something, gives frames to the inner
 * sink in batches, straight from the rings, and sleeps when there is nothing.
 *
 * Turns: a lane gets as many frames at a time as took a fraction of a millisecond before, and one
 * whose frames took longer sits out turns until the others had as much time.
 *
 * Sleep: after work the thread naps for a moment first, in which nobody needs to wake it. So while
 * there is traffic nobody pays for wake-ups, and a single frame waits for a wake-up only.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "data/sink/queue/impl.h"

enum {
    TURN_NS = 250000, /* of a lane, while others have something too */
    DEBT_TURNS = 400, /* at most so many are sat out */
    NAP_NS = 1000000, /* the most that it delays a frame by */
    IDLE_MS = 200,    /* the inner sink is to be flushed now and then */
};

static bool is_set(const _Atomic bool *flag)
{
    return atomic_load_explicit(flag, memory_order_acquire);
}

void queue_command_free(struct queue_command *c)
{
    if (c) {
        free((void *)(uintptr_t)c->point.tap);
        free((void *)(uintptr_t)c->point.ifname);
        free((void *)(uintptr_t)c->point.filter);
        free((void *)(uintptr_t)c->point.os);
        if (c->point.device > 0) {
            close(c->point.device);
        }
        free(c);
    }
}

/* ---- frames ---- */

/* Gives the batch to the inner sink. What cannot be written any more is counted. */
static void write_batch(struct queue_sink *q)
{
    if (q->batch.n > 0 && is_set(&q->giving_up)) {
        for (uint32_t i = 0; i < q->batch.n; i++) {
            ledger_add_shared(q->point[q->batch.f[i].point].ledger, LEDGER_SINK_CLOSED, 1);
        }
    } else if (q->batch.n > 0) {
        q->inner->ops->write(q->inner, &q->batch);
    }
    q->batch.n = 0;
}

/* The lane used the time from q->now until now. */
static void account(struct queue_sink *q, struct queue_lane *l)
{
    struct mono now = mono_now();
    int64_t took = mono_diff(now, q->now);
    l->turn = took > TURN_NS ? MAX(l->turn / 2, 1u) : MIN(l->turn * 2, (uint32_t)BATCH_MAX);
    l->debt_ns = MIN(MAX(l->debt_ns + took - TURN_NS, 0), (int64_t)DEBT_TURNS * TURN_NS);
    q->now = now;
}

/* A lane that has had too much sits this turn out. */
static bool sits_out(struct queue_sink *q, struct queue_lane *l)
{
    bool alone = (!q->active || !q->active->next) && !q->waiting;
    if (alone || l->debt_ns < TURN_NS || is_set(&q->giving_up)) {
        return false;
    }
    l->debt_ns -= TURN_NS;
    return true;
}

/* The next frame in order, into the batch; false: none, or not now. */
static bool take(struct queue_sink *q, struct queue_lane *l, bool early)
{
    struct frame *f = &q->batch.f[q->batch.n];
    if (!order_take(l->order, q->now, early, f)) {
        return false;
    }
    q->point[f->point].held--;
    q->batch.n++;
    return true;
}

static void take_early(struct queue_sink *q, struct queue_lane *l)
{
    write_batch(q);
    while (q->batch.n < l->turn && take(q, l, true)) {
        ledger_add(q->point[q->batch.f[q->batch.n - 1].point].ledger, LEDGER_SINK_EARLY, 1);
    }
    write_batch(q);
}

/* True when the frame waits now, false when it is to go on at once. */
static bool put_in_order(struct queue_sink *q, struct queue_lane *l, const struct frame *f)
{
    struct queue_inner_point *p = &q->point[f->point];
    enum order_verdict v;
    while ((v = order_put(l->order, f, q->now)) == ORDER_FULL) {
        take_early(q, l);
    }
    if (v != ORDER_KEPT) {
        ledger_add(p->ledger, v == ORDER_LATE ? LEDGER_SINK_LATE : LEDGER_SINK_AHEAD, 1);
    }
    if (v == ORDER_LATE) {
        return false;
    }
    p->held++;
    if (!l->waiting) {
        l->waiting = true;
        l->next_waiting = q->waiting;
        q->waiting = l;
    }
    return true;
}

/* Gives out what is due in the lane, a turn's worth; true while frames wait there. */
static bool release(struct queue_sink *q, struct queue_lane *l, bool all)
{
    while (q->batch.n < l->turn && take(q, l, all)) {
    }
    if (q->batch.n > 0) {
        write_batch(q);
        account(q, l);
    }
    return order_len(l->order) > 0;
}

/* ---- commands ---- */

/* True when the inner sink has the point now, else the command is kept. */
static bool give(struct queue_sink *q, struct queue_inner_point *p)
{
    struct point_offer point = p->refused->point;
    point.device = p->device;
    if (q->inner->ops->point_add(q->inner, &point, NULL) < 0) {
        return false;
    }
    queue_command_free(TAKE_PTR(p->refused));
    return true;
}

/* Takes the command over. */
static void add(struct queue_sink *q, struct queue_inner_point *p, struct queue_command *c)
{
    p->ledger = c->point.ledger;
    p->device = c->point.device;
    c->point.device = -1;
    if (p->lane->order) {
        order_point(p->lane->order, c->point.index, c->point.tap_number);
    }
    p->refused = c;
    if (!give(q, p)) {
        q->retry = q->refused ? q->retry : mono_add_ms(q->now, SINK_RETRY_MS);
        p->next_refused = q->refused;
        q->refused = p;
    }
}

/* Offers the points that the inner sink had no room for once more, now and then. */
static void offer_again(struct queue_sink *q)
{
    if (!q->refused || !mono_due(q->now, q->retry)) {
        return;
    }
    q->retry = mono_add_ms(q->now, SINK_RETRY_MS);
    q->inner->ops->flush(q->inner); /* which makes room, where there is some to be made */
    for (struct queue_inner_point **at = &q->refused, *p; (p = *at) != NULL;) {
        if (give(q, p)) {
            *at = p->next_refused;
        } else {
            at = &p->next_refused;
        }
    }
}

static void forget_refused(struct queue_sink *q, struct queue_inner_point *p)
{
    struct queue_inner_point **at = &q->refused;
    while (*at != p) {
        at = &(*at)->next_refused;
    }
    *at = p->next_refused;
    queue_command_free(TAKE_PTR(p->refused));
}

/* Closing a device takes the kernel long, so the thread that asks check() does that. */
static void put_device_away(struct queue_sink *q, int fd)
{
    pthread_mutex_lock(&q->lock);
    if (q->n_devices == q->devices_room) {
        unsigned room = q->devices_room ? q->devices_room * 2 : 64;
        int *more = reallocarray(q->devices, room, sizeof(*more));
        if (more) {
            q->devices = more;
            q->devices_room = room;
        }
    }
    if (q->n_devices < q->devices_room) {
        q->devices[q->n_devices++] = TAKE_FD(fd);
    }
    pthread_mutex_unlock(&q->lock);
    if (fd >= 0) {
        close(fd);
    }
}

static void take_away(struct queue_sink *q, struct queue_inner_point *p, uint32_t index)
{
    if (p->refused) {
        forget_refused(q, p);
    }
    q->inner->ops->point_remove(q->inner, index);
    if (p->device > 0) {
        put_device_away(q, p->device);
    }
    p->ledger = NULL;
    p->device = -1;
    if (p->lane->tap && !p->lane->ends) {
        p->lane->ends = true;
        p->lane->next_ending = q->ending;
        q->ending = p->lane;
    }
    p->lane = NULL;
}

static void carry_out(struct queue_sink *q, struct queue_command *c)
{
    struct queue_inner_point *p = &q->point[c->index];
    struct queue_ring *r = c->ring;
    switch (c->op) {
    case QUEUE_ADD:
        p->lane = r->lane;
        add(q, p, TAKE_PTR(c));
        break;
    case QUEUE_STATS:
        q->inner->ops->point_stats(q->inner, c->index, &c->figures);
        break;
    case QUEUE_REMOVE:
        take_away(q, p, c->index);
        break;
    }
    queue_command_free(c);
    atomic_store_explicit(&r->carried_out,
                          atomic_load_explicit(&r->carried_out, memory_order_relaxed) + 1,
                          memory_order_release);
}

static void carry_out_pending(struct queue_sink *q, struct queue_inner_point *p)
{
    for (struct queue_command *c; (c = p->pending) != NULL;) {
        p->pending = c->next;
        carry_out(q, c);
    }
}

/* Carries out the commands about points whose last frames are out by now. */
static void look_at_pending(struct queue_sink *q)
{
    for (struct queue_inner_point **at = &q->pending, *p; (p = *at) != NULL;) {
        if (p->held == 0) {
            carry_out_pending(q, p);
            *at = p->next_pending;
        } else {
            at = &p->next_pending;
        }
    }
}

/* Until the frames are out that came before it, the command waits; others' go on. */
static void put_off(struct queue_sink *q, struct queue_inner_point *p, struct queue_command *c)
{
    struct queue_command **end = &p->pending;
    if (!p->pending) {
        p->next_pending = q->pending;
        q->pending = p;
    }
    while (*end) {
        end = &(*end)->next;
    }
    *end = c;
}

/* False: another producer said something of this point before, which has to come first. */
static bool command(struct queue_sink *q, struct queue_command *c)
{
    struct queue_inner_point *p = &q->point[c->index];
    if (c->number != p->heard + 1) {
        return false;
    }
    p->heard++;
    write_batch(q);
    if (p->held > 0 || p->pending) {
        put_off(q, p, c);
    } else {
        carry_out(q, c);
    }
    return true;
}

static void frame(struct queue_sink *q, struct queue_lane *l, const struct records_head *h)
{
    struct frame f;
    records_frame(h, &f);
    struct queue_inner_point *p = &q->point[f.point];
    if (p->pending) { /* it was removed and is back already */
        while (p->held > 0) {
            take_early(q, p->lane);
        }
        look_at_pending(q);
    }
    if (p->refused) {
        ledger_add_shared(p->ledger, LEDGER_SINK_REFUSED, 1);
    } else if (!l->order || !put_in_order(q, l, &f)) {
        q->batch.f[q->batch.n++] = f;
    }
}

/* ---- turns ---- */

/* A turn of this ring; true while it is not empty. */
static bool serve(struct queue_sink *q, struct queue_ring *r)
{
    uint64_t tail = records_tail(&r->records);
    const struct records_head *h = NULL;
    for (uint32_t n = 0; n < r->lane->turn && (h = records_peek(&r->records, tail)) != NULL; n++) {
        if (!h->is_command) {
            frame(q, r->lane, h);
        } else if (!command(q, records_command(h))) {
            break;
        }
        records_next(&r->records);
    }
    write_batch(q);
    records_release(&r->records);
    account(q, r->lane);
    return records_peek(&r->records, records_tail(&r->records)) != NULL;
}

/* Hands an empty ring back to its producer; true when something came in the same moment. */
static bool take_back(struct queue_ring *r)
{
    atomic_exchange_explicit(&r->scheduled, false, memory_order_acq_rel);
    return r->records.take != records_tail(&r->records) &&
           !atomic_exchange_explicit(&r->scheduled, true, memory_order_acq_rel);
}

static void collect(struct queue_sink *q)
{
    struct queue_ring **end = &q->active;
    while (*end) {
        end = &(*end)->next;
    }
    for (unsigned t = 0; t < q->n_producers; t++) {
        for (struct queue_ring *r; (r = queue_pop(q->producer[t]->ready)) != NULL;) {
            r->next = NULL;
            *end = r;
            end = &r->next;
        }
    }
}

/* Nothing is in it that was not given out or carried out. */
static bool is_empty(const struct queue_lane *l)
{
    bool empty = !l->waiting;
    for (unsigned t = 0; t < QUEUE_PRODUCERS; t++) {
        const struct queue_ring *r = l->ring[t];
        empty =
            empty &&
            (!r || (!atomic_load_explicit(&r->scheduled, memory_order_acquire) &&
                    r->commands == atomic_load_explicit(&r->carried_out, memory_order_relaxed)));
    }
    return empty;
}

/* Frees the lanes whose last point is gone. */
static void end_lanes(struct queue_sink *q)
{
    for (struct queue_lane **at = &q->ending, *l; (l = *at) != NULL;) {
        pthread_mutex_lock(&q->lock);
        const bool lives = l->open > 0, over = !lives && is_empty(l);
        struct queue_lane **of_all = &q->lanes;
        while (over && *of_all != l) {
            of_all = &(*of_all)->next;
        }
        if (over) {
            *of_all = l->next;
        }
        pthread_mutex_unlock(&q->lock);
        if (!lives && !over) {
            at = &l->next_ending; /* something is still on its way */
            continue;
        }
        *at = l->next_ending;
        l->ends = false;
        if (over) {
            queue_lane_free(l);
        }
    }
}

/* A turn of everyone. True while there is more to do now. */
static bool round_of_turns(struct queue_sink *q, bool last)
{
    for (struct queue_ring **at = &q->active, *r; (r = *at) != NULL;) {
        if (sits_out(q, r->lane) || serve(q, r) || take_back(r)) {
            at = &r->next;
        } else {
            *at = r->next;
        }
    }
    bool due = false;
    for (struct queue_lane **at = &q->waiting, *l; (l = *at) != NULL;) {
        if (sits_out(q, l) || release(q, l, last && !q->active)) {
            due |= last || mono_due(q->now, order_due(l->order));
            at = &l->next_waiting;
        } else {
            l->waiting = false;
            *at = l->next_waiting;
        }
    }
    look_at_pending(q);
    end_lanes(q);
    return q->active || due;
}

/* ---- sleep ---- */

/* Until the first frame that waits to be put in order is due, or the longest that may be slept. */
static int64_t sleep_ns(const struct queue_sink *q)
{
    int64_t ns = IDLE_MS * NSEC_PER_MSEC;
    for (const struct queue_lane *l = q->waiting; l; l = l->next_waiting) {
        ns = MIN(ns, mono_diff(order_due(l->order), q->now));
    }
    return MAX(ns, 0);
}

static void wait_ns(struct queue_sink *q, int64_t ns)
{
    struct pollfd p = {.fd = q->wake.fd, .events = POLLIN};
    const struct timespec ts = {ns / NSEC_PER_SEC, ns % NSEC_PER_SEC};
    if (ppoll(&p, 1, &ts, NULL) > 0) {
        wake_clear(&q->wake);
    }
}

/* Nothing is there. `seen`: the signals before that was looked at; `*worked`: there was something
 * since the last sleep, so a nap comes first. */
static void rest(struct queue_sink *q, uint32_t seen, bool *worked)
{
    int64_t ns = sleep_ns(q);
    if (*worked) {
        *worked = false;
        q->inner->ops->flush(q->inner);
        wait_ns(q, MIN(ns, NAP_NS));
    } else {
        atomic_store(&q->sleeping, true);
        if (atomic_load(&q->signals) == seen && !is_set(&q->finishing)) {
            wait_ns(q, ns);
        }
        atomic_store(&q->sleeping, false);
        q->inner->ops->flush(q->inner); /* now and then, as sinks want it */
    }
    q->now = mono_now();
}

void *queue_thread(void *queue)
{
    struct queue_sink *q = queue;
    bool worked = true;
    pthread_setname_np(pthread_self(), "output");
    q->now = mono_now();
    for (;;) {
        bool last = is_set(&q->finishing); /* asked before the rings: nothing comes after it */
        uint32_t seen = atomic_load(&q->signals);
        collect(q);
        offer_again(q);
        if (q->active) {
            worked = true;
        }
        if (round_of_turns(q, last)) {
            continue;
        }
        if (last) {
            break;
        }
        rest(q, seen, &worked);
    }
    pthread_mutex_lock(&q->lock);
    q->done = true;
    pthread_cond_signal(&q->cond);
    pthread_mutex_unlock(&q->lock);
    return NULL;
}

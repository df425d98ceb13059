/* SPDX-License-Identifier: Apache-2.0 */
#include "data/link/budget.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/cleanup.h"

enum {
    MARKS = 3,       /* the last second, in ticks of half a second */
    WAIT_MS = 20,    /* nobody sleeps for longer than that, or than one datagram takes */
    TURNS = 4,       /* a turn is this part of a burst */
    SECOND_MS = 900, /* what counts as one, as ticks are never on time */
};

struct mark {
    struct mono at;
    uint64_t sent, wished;
};

struct budget {
    pthread_mutex_t lock;
    struct budget_conf conf;
    struct rate rate;
    struct share share;
    uint64_t sent, charged;  /* bytes in all */
    uint64_t dropped;        /* of seats that are gone */
    struct mark mark[MARKS]; /* the newest first */
};

int budget_new(const struct budget_conf *conf, struct budget **ret)
{
    struct budget *b = calloc(1, sizeof(*b));
    if (!b) {
        return -ENOMEM;
    }
    pthread_mutex_init(&b->lock, NULL);
    b->conf = *conf;
    rate_init(&b->rate, &conf->rate, mono_now());
    *ret = b;
    return 0;
}

void budget_free(struct budget *b)
{
    if (b) {
        pthread_mutex_destroy(&b->lock);
        free(b);
    }
}

void budget_set(struct budget *b, const struct budget_conf *conf)
{
    pthread_mutex_lock(&b->lock);
    b->conf = *conf;
    rate_set(&b->rate, &conf->rate, mono_now());
    pthread_mutex_unlock(&b->lock);
}

static uint64_t queue_bytes(const struct budget *b)
{
    return MAX(rate_bytes(&b->rate, b->conf.queue_ms), (uint64_t)BUDGET_QUEUE_MIN);
}

uint64_t budget_queue(struct budget *b)
{
    pthread_mutex_lock(&b->lock);
    uint64_t bytes = queue_bytes(b);
    pthread_mutex_unlock(&b->lock);
    return bytes;
}

void budget_join(struct budget *b, struct budget_seat *s)
{
    *s = (struct budget_seat){0};
    pthread_mutex_lock(&b->lock);
    share_join(&b->share, &s->member);
    pthread_mutex_unlock(&b->lock);
}

void budget_leave(struct budget *b, struct budget_seat *s)
{
    pthread_mutex_lock(&b->lock);
    share_leave(&b->share, &s->member);
    b->dropped += s->dropped;
    pthread_mutex_unlock(&b->lock);
}

/* ---- who may send ---- */

/* The seat has to wait: for how long, in whole milliseconds. */
static int wait_ms(struct budget *b, struct budget_seat *s, uint32_t datagram, struct mono now)
{
    int64_t one = rate_wait(&b->rate, datagram, now);
    uint64_t ahead = share_ahead(&b->share, &s->member, now);
    uint64_t ms = ahead * 1000 / MAX(rate_bytes(&b->rate, 1000), UINT64_C(1));
    int64_t wait = one + (int64_t)MIN(ms, (uint64_t)WAIT_MS) * NSEC_PER_MSEC;
    wait = MAX((wait + NSEC_PER_MSEC - 1) / NSEC_PER_MSEC, 1);
    return (int)MIN(wait, RATE_DEBT_MS);
}

static unsigned room(struct budget *b, struct budget_seat *s, uint32_t datagram, unsigned most,
                     int *ret_wait_ms)
{
    struct mono now = mono_now();
    uint64_t turn = MAX(rate_burst(&b->rate, datagram) / TURNS, (uint64_t)datagram);
    uint64_t bytes = rate_room(&b->rate, datagram, now);
    bytes = MIN(bytes, share_most(&b->share, &s->member, turn, now));
    uint64_t n = MIN(bytes / datagram, (uint64_t)most);
    if (n == 0) {
        *ret_wait_ms = wait_ms(b, s, datagram, now);
        share_wait(&b->share, &s->member, mono_add_ms(now, *ret_wait_ms), now);
    }
    return (unsigned)n;
}

unsigned budget_room(struct budget *b, struct budget_seat *s, uint32_t datagram, unsigned most,
                     int *ret_wait_ms)
{
    pthread_mutex_lock(&b->lock);
    unsigned n = room(b, s, datagram, most, ret_wait_ms);
    pthread_mutex_unlock(&b->lock);
    return n;
}

unsigned budget_take(struct budget *b, struct budget_seat *s, uint32_t datagram, unsigned most,
                     int *ret_wait_ms)
{
    pthread_mutex_lock(&b->lock);
    unsigned n = room(b, s, datagram, most, ret_wait_ms);
    if (n > 0) {
        struct mono now = mono_now();
        rate_take(&b->rate, (uint64_t)n * datagram, share_due(&s->member), now);
        share_served(&b->share, &s->member, (uint64_t)n * datagram, now);
        share_done(&s->member);
    }
    pthread_mutex_unlock(&b->lock);
    return n;
}

void budget_left(struct budget *b, struct budget_seat *s, uint64_t taken, uint64_t left)
{
    pthread_mutex_lock(&b->lock);
    rate_left(&b->rate, taken, left, mono_now());
    share_returned(&s->member, taken - MIN(left, taken));
    b->sent += left;
    pthread_mutex_unlock(&b->lock);
}

void budget_charge(struct budget *b, uint64_t bytes)
{
    pthread_mutex_lock(&b->lock);
    rate_charge(&b->rate, bytes, mono_now());
    b->sent += bytes;
    b->charged += bytes;
    pthread_mutex_unlock(&b->lock);
}

unsigned budget_burst(struct budget *b, uint32_t datagram)
{
    pthread_mutex_lock(&b->lock);
    uint64_t n = rate_burst(&b->rate, datagram) / datagram;
    pthread_mutex_unlock(&b->lock);
    return (unsigned)MIN(n, (uint64_t)UINT32_MAX);
}

/* ---- what is known of it ---- */

uint64_t budget_tell(struct budget *b, struct budget_seat *s, uint64_t waiting, int64_t oldest_ns,
                     uint64_t dropped)
{
    pthread_mutex_lock(&b->lock);
    s->waiting = waiting;
    s->oldest_ns = oldest_ns;
    s->dropped = dropped;
    unsigned n = 1;
    for (const struct share_member *m = b->share.first; m; m = m->next) {
        const struct budget_seat *o = (const struct budget_seat *)m;
        n += o != s && o->waiting > 0 ? 1 : 0;
    }
    uint64_t bytes = queue_bytes(b) / n;
    if (waiting == 0) {
        share_done(&s->member);
    }
    pthread_mutex_unlock(&b->lock);
    return bytes;
}

static void add_up(const struct budget *b, struct budget_figures *ret)
{
    *ret = (struct budget_figures){
        .rate_bps = b->conf.rate.bits, .sent = b->sent, .charged = b->charged};
    uint64_t dropped = b->dropped;
    for (const struct share_member *m = b->share.first; m; m = m->next) {
        const struct budget_seat *s = (const struct budget_seat *)m;
        dropped += s->dropped;
        ret->waiting += s->waiting;
        if (s->oldest_ns != 0 && (ret->oldest_ns == 0 || s->oldest_ns < ret->oldest_ns)) {
            ret->oldest_ns = s->oldest_ns;
        }
    }
    ret->wished = ret->sent + ret->waiting + dropped;
}

void budget_tick(struct budget *b)
{
    struct budget_figures f;
    pthread_mutex_lock(&b->lock);
    add_up(b, &f);
    for (unsigned i = MARKS - 1; i > 0; i--) {
        b->mark[i] = b->mark[i - 1];
    }
    b->mark[0] = (struct mark){mono_now(), f.sent, f.wished};
    pthread_mutex_unlock(&b->lock);
}

static uint64_t bps(uint64_t from, uint64_t to, int64_t ns)
{
    return to > from && ns >= NSEC_PER_MSEC ? (to - from) * 8000 / (uint64_t)(ns / NSEC_PER_MSEC)
                                            : 0;
}

void budget_figures(struct budget *b, struct budget_figures *ret)
{
    pthread_mutex_lock(&b->lock);
    add_up(b, ret);
    const struct mark *to = &b->mark[0], *from = to;
    for (unsigned i = 1; i < MARKS && b->mark[i].at.ns != 0; i++) {
        from = &b->mark[i];
        if (mono_diff(to->at, from->at) >= SECOND_MS * NSEC_PER_MSEC) {
            break;
        }
    }
    int64_t ns = mono_diff(to->at, from->at);
    ret->sent_bps = bps(from->sent, to->sent, ns);
    ret->wish_bps = MAX(bps(from->wished, to->wished, ns), ret->sent_bps);
    pthread_mutex_unlock(&b->lock);
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * Frames lie in a ring in the order in which they came (sink/queue/records.h), which is also the
 * order in which they are due; a heap has them by time. What was given out leaves a gap in the ring
 * until all before it is gone too, which is so after a window at most.
 */
#include "data/sink/queue/order.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "data/sink.h"
#include "data/sink/queue/records.h"

enum {
    FRAME_USUAL = 128, /* bytes a frame takes of the ring; if they are all smaller, books are full
                          before the ring is */
    PERIOD_MS = 1000,  /* how often the clocks are looked at anew */
    PERIODS_IDLE = 10, /* after so many without a frame a point has no say */
    AGAIN_MS = 10,     /* between two looks because a clock has gone ahead */
};

#define FAR (INT64_C(1) << 61) /* limits every difference, so that no sum overflows */

struct item {
    int64_t key; /* its timestamp */
    uint64_t nr;
};

struct held {
    const struct records_head *head;
    struct mono came;
    bool gone;
};

/* How far a point's timestamps are behind the time at which its frames come. */
struct clock {
    int64_t least, now_least; /* nanoseconds: of the last period, of this one */
    uint64_t tap;             /* whose point it is: all of a tap's have one vote together */
    uint8_t idle;             /* periods; 0: this one has frames */
    bool known;
};

struct vote {
    uint64_t tap;
    int64_t least;
};

struct order {
    int64_t window;
    struct records ring;
    uint32_t slots, n; /* slots: a power of two; n: frames in the heap */
    struct item *heap;
    struct held *held;    /* frame `nr` is at nr % slots */
    uint64_t first, next; /* the oldest that is held or a gap; the next to come */
    int64_t last;         /* the largest key that was given out */
    int64_t right;        /* what the median clock has for `least` */
    struct mono period, looked;
    bool look_again;
    uint32_t n_known;
    uint32_t known[POINT_MAX];
    struct clock clock[POINT_MAX];
    struct vote vote[POINT_MAX];
};

DEFINE_FREEP(struct order, order_free)

struct order *order_new(int64_t window_ns, size_t bytes)
{
    _cleanup_(order_freep) struct order *o = calloc(1, sizeof(*o));
    if (!o || records_init(&o->ring, bytes, 0) < 0) {
        return NULL;
    }
    o->window = window_ns;
    o->last = INT64_MIN;
    for (o->slots = 1; o->slots < bytes / FRAME_USUAL; o->slots *= 2) {
    }
    o->heap = malloc(o->slots * sizeof(*o->heap));
    o->held = malloc(o->slots * sizeof(*o->held));
    return o->heap && o->held ? TAKE_PTR(o) : NULL;
}

void order_free(struct order *o)
{
    if (o) {
        records_done(&o->ring);
        free(o->heap);
        free(o->held);
        free(o);
    }
}

/* ---- the heap ---- */

static bool before(struct item a, struct item b)
{
    return a.key < b.key || (a.key == b.key && a.nr < b.nr);
}

static void heap_push(struct order *o, struct item it)
{
    uint32_t i = o->n++;
    for (; i > 0 && before(it, o->heap[(i - 1) / 2]); i = (i - 1) / 2) {
        o->heap[i] = o->heap[(i - 1) / 2];
    }
    o->heap[i] = it;
}

static struct item heap_pop(struct order *o)
{
    struct item top = o->heap[0], it = o->heap[--o->n];
    uint32_t i = 0;
    for (uint32_t c = 1; c < o->n; c = 2 * i + 1) {
        c += c + 1 < o->n && before(o->heap[c + 1], o->heap[c]);
        if (!before(o->heap[c], it)) {
            break;
        }
        o->heap[i] = o->heap[c];
        i = c;
    }
    o->heap[i] = it;
    return top;
}

/* ---- clocks ---- */

static int64_t difference(int64_t a, int64_t b)
{
    int64_t d;
    if (__builtin_sub_overflow(a, b, &d)) {
        d = a < b ? -FAR : FAR;
    }
    return MAX(-FAR, MIN(FAR, d));
}

static int by_value(const void *a, const void *b)
{
    const struct vote *x = a, *y = b;
    return (x->least > y->least) - (x->least < y->least);
}

static int by_tap(const void *a, const void *b)
{
    const struct vote *x = a, *y = b;
    return x->tap != y->tap ? (x->tap > y->tap ? 1 : -1) : by_value(a, b);
}

/* The upper median of the taps' votes, each the upper median of the tap's points: a tap has no more
 * say for having more interfaces. */
static int64_t median(struct order *o)
{
    uint32_t taps = 0;
    for (uint32_t i = 0; i < o->n_known; i++) {
        const struct clock *c = &o->clock[o->known[i]];
        o->vote[i] = (struct vote){c->tap, c->least};
    }
    qsort(o->vote, o->n_known, sizeof(o->vote[0]), by_tap);
    for (uint32_t from = 0, to = 0; from < o->n_known; from = to) {
        while (to < o->n_known && o->vote[to].tap == o->vote[from].tap) {
            to++;
        }
        o->vote[taps++] = o->vote[from + (to - from) / 2]; /* never behind what was read */
    }
    qsort(o->vote, taps, sizeof(o->vote[0]), by_value);
    return taps > 0 ? o->vote[taps / 2].least : o->right;
}

static void look(struct order *o, struct mono now)
{
    int64_t right = median(o);
    if (llabs(right - o->right) > o->window) {
        o->last = INT64_MIN; /* it was of another clock */
    }
    o->right = right;
    o->looked = now;
    o->look_again = false;
}

static void end_period(struct order *o, struct mono now)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < o->n_known; i++) {
        struct clock *c = &o->clock[o->known[i]];
        if (c->idle == 0) {
            c->least = c->now_least;
            c->now_least = FAR;
        }
        c->known = ++c->idle <= PERIODS_IDLE;
        if (c->known) {
            o->known[n++] = o->known[i];
        }
    }
    o->n_known = n;
    o->period = mono_add_ms(now, PERIOD_MS);
    o->look_again = true;
}

void order_point(struct order *o, uint32_t point, uint64_t tap)
{
    struct clock *c = &o->clock[point % POINT_MAX];
    for (uint32_t i = 0; c->known && c->tap != tap && i < o->n_known; i++) {
        if (o->known[i] == point) { /* what was said of it was the clock of another tap */
            o->known[i] = o->known[--o->n_known];
            c->known = false;
            o->look_again = true;
        }
    }
    c->tap = tap;
}

/* Follows the point's clock; is this frame too far ahead of the others? */
static bool is_ahead(struct order *o, struct clock *c, const struct frame *f, struct mono now)
{
    int64_t behind = difference(now.ns, f->ts_ns);
    if (mono_due(now, o->period) || o->period.ns == 0) {
        end_period(o, now);
    }
    if (!c->known) {
        c->known = true;
        c->least = c->now_least = behind;
        o->known[o->n_known++] = f->point;
        o->look_again = true;
    }
    c->idle = 0;
    c->now_least = MIN(c->now_least, behind);
    if (behind < c->least) {
        o->look_again |= c->least - behind > o->window / 4;
        c->least = behind;
    }
    /* Not for each frame: a tap whose clock runs wild is not to cost the others time. */
    if (o->look_again && (o->n_known == 1 || mono_due(now, mono_add_ms(o->looked, AGAIN_MS)))) {
        look(o, now);
    }
    return behind < o->right - o->window;
}

/* ---- frames ---- */

enum order_verdict order_put(struct order *o, const struct frame *f, struct mono now)
{
    struct clock *c = &o->clock[f->point % POINT_MAX];
    bool ahead = is_ahead(o, c, f, now);
    int64_t key = ahead ? now.ns - o->right : f->ts_ns; /* as if it had a right one */
    if (!ahead && key < o->last) {
        return ORDER_LATE;
    }
    const struct records_head *head =
        (const struct records_head *)(const void *)(o->ring.mem + o->ring.put_at);
    if (o->next - o->first == o->slots || !records_put_frame(&o->ring, f, f->lost)) {
        return ORDER_FULL;
    }
    o->held[o->next % o->slots] = (struct held){.head = head, .came = now};
    heap_push(o, (struct item){key, o->next++});
    return ahead ? ORDER_AHEAD : ORDER_KEPT;
}

struct mono order_due(const struct order *o)
{
    struct mono due = {0};
    if (o->n > 0) {
        due.ns = o->held[o->first % o->slots].came.ns + o->window;
    }
    return due;
}

bool order_take(struct order *o, struct mono now, bool early, struct frame *ret)
{
    if (o->n == 0 || !(early || mono_due(now, order_due(o)))) {
        return false;
    }
    struct item it = heap_pop(o);
    struct held *h = &o->held[it.nr % o->slots];
    records_frame(h->head, ret);
    h->gone = true;
    if (it.key > o->last && difference(h->came.ns, it.key) >= o->right - o->window) {
        o->last = it.key;
    }
    for (; o->first < o->next && o->held[o->first % o->slots].gone; o->first++) {
        records_next(&o->ring);
    }
    records_release(&o->ring);
    return true;
}

uint32_t order_len(const struct order *o)
{
    return o->n;
}

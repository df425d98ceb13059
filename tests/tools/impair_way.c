/* SPDX-License-Identifier: Apache-2.0 */
#include "impair_way.h"

#include <stdlib.h>
#include <string.h>

static uint64_t draw(struct way *w)
{
    uint64_t z = (*w->rng += 0x9e3779b97f4a7c15u); /* splitmix64, as in frames.c */
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* From 0 up to but not including 1. */
static double chance(struct way *w)
{
    return (double)(draw(w) >> 11) / 9007199254740992.0;
}

static bool happens(struct way *w, double p)
{
    return p > 0 && chance(w) < p;
}

static bool earlier(const struct way_item *a, const struct way_item *b)
{
    return a->due != b->due ? a->due < b->due : a->order < b->order;
}

static bool heap_put(struct way *w, const struct way_item *item)
{
    if (w->n_heap == w->cap) {
        size_t cap = w->cap ? 2 * w->cap : 256;
        struct way_item *bigger = realloc(w->heap, cap * sizeof(*bigger));
        if (!bigger) {
            return false;
        }
        w->heap = bigger;
        w->cap = cap;
    }
    size_t at = w->n_heap++;
    for (size_t up; at > 0 && earlier(item, &w->heap[up = (at - 1) / 2]); at = up) {
        w->heap[at] = w->heap[up];
    }
    w->heap[at] = *item;
    return true;
}

static struct way_item heap_take(struct way *w)
{
    struct way_item first = w->heap[0], last = w->heap[--w->n_heap];
    size_t at = 0;
    for (size_t child; (child = 2 * at + 1) < w->n_heap; at = child) {
        if (child + 1 < w->n_heap && earlier(&w->heap[child + 1], &w->heap[child])) {
            child++;
        }
        if (!earlier(&w->heap[child], &last)) {
            break;
        }
        w->heap[at] = w->heap[child];
    }
    w->heap[at] = last;
    return first;
}

static void leave(struct way *w, unsigned client, const uint8_t *data, size_t len)
{
    if (w->send(w->user, w->number, client, data, len)) {
        w->n.sent++;
    } else {
        w->n.unsent++; /* such as: nobody listens at the target now */
    }
}

static bool keep(struct way_item *item, const uint8_t *data, size_t len, unsigned client)
{
    *item = (struct way_item){.data = malloc(len + 1), .len = len, .client = client};
    if (item->data) {
        memcpy(item->data, data, len);
    }
    return item->data != NULL;
}

/* Through the rate and the delay, if there are any. */
static void onward(struct way *w, unsigned client, const uint8_t *data, size_t len, int64_t now)
{
    const struct way_conf *c = &w->conf;
    int64_t due = now;
    if (c->rate > 0) {
        if (w->n_heap >= c->queue) {
            w->n.queue_full++;
            return;
        }
        w->free_at = w->free_at > now ? w->free_at : now;
        due = w->free_at;
        w->free_at += (int64_t)((double)len / c->rate * 1e9);
    }
    if (c->delay_ns > 0 || c->jitter_ns > 0) {
        due += c->delay_ns + (int64_t)((2 * chance(w) - 1) * (double)c->jitter_ns);
        w->n.delayed++;
    }
    struct way_item item;
    if (due <= now || !keep(&item, data, len, client)) {
        leave(w, client, data, len);
        return;
    }
    item.due = due;
    item.order = w->order++;
    if (!heap_put(w, &item)) {
        leave(w, client, data, len);
        free(item.data);
    }
}

/* Lets go what was out of its turn for long enough; `passed` datagrams went by since. */
static void let_go(struct way *w, unsigned passed, int64_t now)
{
    for (unsigned i = 0; i < w->n_held;) {
        struct way_item *h = &w->held[i];
        h->wait -= h->wait < passed ? h->wait : passed;
        if (h->wait && now < h->due) {
            i++;
            continue;
        }
        struct way_item item = *h;
        memmove(h, h + 1, (--w->n_held - i) * sizeof(*h));
        onward(w, item.client, item.data, item.len, now);
        free(item.data);
    }
}

static bool hold(struct way *w, unsigned client, const uint8_t *data, size_t len, int64_t now)
{
    struct way_item *h = &w->held[w->n_held];
    if (w->n_held == WAY_HELD || !keep(h, data, len, client)) {
        return false;
    }
    h->wait = WAY_LATER;
    h->due = now + WAY_HOLD_MS * INT64_C(1000000);
    w->n_held++;
    w->n.reordered++;
    return true;
}

/* Some bits of it, wherever they are: the header too. */
static void damage(struct way *w, uint8_t *data, size_t len)
{
    if (len > 0) {
        uint64_t at = draw(w);
        data[at % len] ^= (uint8_t)(1u << (at >> 32) % 8);
        w->n.damaged++;
    }
}

/* True when it is lost; each that is has its counter. */
static bool lost(struct way *w, size_t len)
{
    const struct way_conf *c = &w->conf;
    if (c->max_size && len > c->max_size) {
        w->n.swallowed++;
        return true;
    }
    if (w->bursting == 0 && happens(w, c->burst)) {
        w->bursting = 1 + (uint64_t)(chance(w) * 2 * c->burst_len);
    }
    if (w->bursting > 0) {
        w->bursting--;
        w->n.burst++;
        return true;
    }
    if (happens(w, c->drop)) {
        w->n.dropped++;
        return true;
    }
    return false;
}

void way_datagram(struct way *w, unsigned client, uint8_t *data, size_t len, int64_t now)
{
    const struct way_conf *c = &w->conf;
    way_release(w, now); /* what is due goes first */
    bool exempt = len < c->min_size || w->n.received < c->skip ||
                  (c->stop_after && w->n.received >= c->stop_after);
    w->n.received++;
    if (w->off) {
        w->n.outage++;
        return;
    }
    if (exempt) {
        onward(w, client, data, len, now);
        let_go(w, 1, now);
        return;
    }
    if (lost(w, len)) {
        return;
    }
    if (happens(w, c->damage)) {
        damage(w, data, len);
    }
    if (happens(w, c->truncate)) {
        len = (size_t)(chance(w) * (double)len);
        w->n.truncated++;
    }
    if (happens(w, c->copy)) {
        w->n.copied++;
        onward(w, client, data, len, now);
    }
    if (happens(w, c->reorder) && hold(w, client, data, len, now)) {
        return;
    }
    onward(w, client, data, len, now);
    let_go(w, 1, now);
}

void way_release(struct way *w, int64_t now)
{
    let_go(w, 0, now);
    while (w->n_heap > 0 && w->heap[0].due <= now) {
        struct way_item item = heap_take(w);
        leave(w, item.client, item.data, item.len);
        free(item.data);
    }
}

int64_t way_next(const struct way *w)
{
    int64_t next = w->n_heap > 0 ? w->heap[0].due : 0;
    for (unsigned i = 0; i < w->n_held; i++) {
        next = next == 0 || w->held[i].due < next ? w->held[i].due : next;
    }
    return next;
}

void way_done(struct way *w)
{
    w->n.left += w->n_heap + w->n_held;
    while (w->n_heap > 0) {
        free(w->heap[--w->n_heap].data);
    }
    while (w->n_held > 0) {
        free(w->held[--w->n_held].data);
    }
    free(w->heap);
    w->heap = NULL;
    w->cap = 0;
}

bool way_sums(const struct way *w)
{
    const struct way_counts *n = &w->n;
    return n->received + n->copied == n->sent + n->unsent + n->dropped + n->burst + n->outage +
                                          n->swallowed + n->queue_full + n->left + w->n_heap +
                                          w->n_held;
}

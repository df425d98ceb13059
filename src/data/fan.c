/* SPDX-License-Identifier: Apache-2.0 */
#include "data/fan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/time.h"

struct fan_point {
    struct point_offer offer;
    bool open;
    uint16_t refused; /* a bit for each sink that has no room for it, in their order */
};

_Static_assert(FAN_SINKS <= 16, "a fan_point has a bit for each");

struct fan {
    struct sink sink;
    struct sink *to[FAN_SINKS]; /* NULL: a free place */
    unsigned n;                 /* up to the last one that is not */
    unsigned n_refused;         /* points that a sink has no room for, … */
    struct mono retry;          /* … and when they are offered again */
    struct fan_point point[POINT_MAX];
};

static struct fan *of(struct sink *s)
{
    return (struct fan *)s;
}

/* Gives the point to those sinks whose bits are set; the bits of those that have no room. */
static uint16_t offer(const struct fan *f, const struct point_offer *p, uint16_t to)
{
    uint16_t refused = 0;
    for (unsigned i = 0; i < f->n; i++) {
        const uint16_t bit = (uint16_t)(1U << i);
        if ((to & bit) != 0 && f->to[i] && f->to[i]->ops->point_add(f->to[i], p, NULL) < 0) {
            refused |= bit;
        }
    }
    return refused;
}

/* A point was refused by some sink before, and is now. */
static void count_refused(struct fan *f, bool before, bool now)
{
    if (now && !before && f->n_refused == 0) {
        f->retry = mono_add_ms(mono_now(), SINK_RETRY_MS);
    }
    f->n_refused += (now ? 1 : 0) - (before ? 1 : 0);
}

static int fan_point_add(struct sink *s, const struct point_offer *p, struct error *err)
{
    struct fan *f = of(s);
    if (p->index >= POINT_MAX || f->point[p->index].open) {
        return error_set(err, p->index >= POINT_MAX ? EINVAL : EEXIST,
                         "%s: point %u is out of range or in use", s->name, p->index);
    }
    struct fan_point *fp = &f->point[p->index];
    *fp = (struct fan_point){.offer = *p, .open = true, .refused = offer(f, p, UINT16_MAX)};
    fp->offer.fresh = false; /* every ledger has begun anew, also that of a sink without room */
    count_refused(f, false, fp->refused != 0);
    return 0;
}

static void offer_again(struct fan *f)
{
    struct mono now = f->n_refused > 0 ? mono_now() : (struct mono){0};
    if (f->n_refused == 0 || !mono_due(now, f->retry)) {
        return;
    }
    f->retry = mono_add_ms(now, SINK_RETRY_MS);
    for (uint32_t i = 0; i < POINT_MAX; i++) {
        struct fan_point *fp = &f->point[i];
        if (fp->refused != 0) {
            fp->refused = offer(f, &fp->offer, fp->refused);
            count_refused(f, true, fp->refused != 0);
        }
    }
}

static void fan_point_stats(struct sink *s, uint32_t index, const struct ledger *figures)
{
    for (unsigned i = 0; i < of(s)->n; i++) {
        struct sink *to = of(s)->to[i];
        if (to) {
            to->ops->point_stats(to, index, figures);
        }
    }
}

static void fan_point_remove(struct sink *s, uint32_t index)
{
    struct fan *f = of(s);
    if (index >= POINT_MAX || !f->point[index].open) {
        return;
    }
    for (unsigned i = 0; i < f->n; i++) {
        if (f->to[i]) {
            f->to[i]->ops->point_remove(f->to[i], index);
        }
    }
    count_refused(f, f->point[index].refused != 0, false);
    f->point[index] = (struct fan_point){0};
}

static void fan_write(struct sink *s, const struct batch *b)
{
    struct fan *f = of(s);
    for (unsigned i = 0; i < f->n; i++) {
        if (f->to[i]) {
            f->to[i]->ops->write(f->to[i], b);
        }
    }
    offer_again(f);
}

static void fan_flush(struct sink *s)
{
    struct fan *f = of(s);
    for (unsigned i = 0; i < f->n; i++) {
        if (f->to[i]) {
            f->to[i]->ops->flush(f->to[i]);
        }
    }
    offer_again(f);
}

static void fan_free(struct sink *s)
{
    free(s);
}

static const struct sink_ops ops = {
    .kind = "fan",
    .counts = LEDGER_SINK,
    .point_add = fan_point_add,
    .point_stats = fan_point_stats,
    .point_remove = fan_point_remove,
    .write = fan_write,
    .flush = fan_flush,
    .free = fan_free,
};

int fan_new(struct sink *const *sinks, unsigned n, struct sink **ret)
{
    struct fan *f = n <= FAN_SINKS ? calloc(1, sizeof(*f)) : NULL;
    if (!f) {
        return n <= FAN_SINKS ? -ENOMEM : -EINVAL;
    }
    f->sink.ops = &ops;
    snprintf(f->sink.name, sizeof(f->sink.name), "outputs");
    memcpy(f->to, sinks, n * sizeof(struct sink *));
    f->n = n;
    *ret = &f->sink;
    return 0;
}

static void leave(struct fan *f, unsigned place)
{
    const uint16_t bit = (uint16_t)(1U << place);
    struct sink *s = f->to[place];
    for (uint32_t i = 0; i < POINT_MAX; i++) {
        struct fan_point *fp = &f->point[i];
        if (fp->open) {
            const bool before = fp->refused != 0;
            s->ops->point_remove(s, i);
            fp->refused &= (uint16_t)~bit;
            count_refused(f, before, fp->refused != 0);
        }
    }
    s->ops->flush(s);
}

static void enter(struct fan *f, unsigned place)
{
    const uint16_t bit = (uint16_t)(1U << place);
    for (uint32_t i = 0; i < POINT_MAX; i++) {
        struct fan_point *fp = &f->point[i];
        if (fp->open) {
            const bool before = fp->refused != 0;
            fp->refused |= offer(f, &fp->offer, bit);
            count_refused(f, before, fp->refused != 0);
        }
    }
}

void fan_set(struct sink *fan, unsigned place, struct sink *s)
{
    struct fan *f = of(fan);
    if (f->to[place]) {
        leave(f, place);
    }
    f->to[place] = s;
    f->n = MAX(f->n, place + 1);
    while (f->n > 0 && !f->to[f->n - 1]) {
        f->n--;
    }
    if (s) {
        enter(f, place);
    }
}

unsigned fan_refused(const struct sink *s)
{
    return ((const struct fan *)s)->n_refused;
}

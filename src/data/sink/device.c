/* SPDX-License-Identifier: Apache-2.0 */
#include "data/sink/device.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "data/outputs.h"
#include "data/sink/plain.h"
#include "sys/tapdev.h"

struct device_point {
    int fd;
    struct ledger *ledger; /* NULL: not added */
    char tap[33];
};

struct device_sink {
    struct sink sink;
    int fd;
    struct device_point point[POINT_MAX];
    _Atomic bool missed;
    pthread_mutex_t lock; /* points' coming and going, and the trouble; never a frame */
    struct error trouble; /* "": none */
    bool for_good;
};

static struct device_sink *of(struct sink *s)
{
    return (struct device_sink *)s;
}

static int device_point_add(struct sink *s, const struct point_offer *point, struct error *err)
{
    struct device_sink *d = of(s);
    struct ledger *ledger = NULL;
    int r = sink_point_open(s, point, &ledger, err);
    if (r == 0) {
        struct device_point p = {.fd = point->device > 0 ? point->device : d->fd, .ledger = ledger};
        snprintf(p.tap, sizeof(p.tap), "%s", point->tap);
        pthread_mutex_lock(&d->lock);
        d->point[point->index] = p;
        pthread_mutex_unlock(&d->lock);
    }
    return r;
}

static void device_point_remove(struct sink *s, uint32_t index)
{
    struct device_sink *d = of(s);
    if (index < POINT_MAX && d->point[index].ledger) {
        pthread_mutex_lock(&d->lock);
        d->point[index].ledger = NULL; /* from here on its descriptor may be closed */
        pthread_mutex_unlock(&d->lock);
        sink_point_close(s, index);
    }
}

static enum ledger_id reason(int r)
{
    switch (r) {
    case -EINVAL:
        return LEDGER_SINK_SHORT;
    case -EMSGSIZE:
        return LEDGER_SINK_LONG;
    case -EBADFD:
        return LEDGER_SINK_CLOSED;
    default:
        return LEDGER_SINK_ERROR;
    }
}

static void device_write(struct sink *s, const struct batch *b)
{
    struct device_sink *d = of(s);
    for (uint32_t i = 0; i < b->n; i++) {
        const struct frame *f = &b->f[i];
        struct device_point *p = f->point < POINT_MAX ? &d->point[f->point] : NULL;
        if (!p || !p->ledger) {
            continue; /* it was not added: a device has room for every point */
        }
        sink_count_in(s, p->ledger);
        int r = tapdev_write(p->fd, f);
        if (r < 0) {
            ledger_add(p->ledger, reason(r), 1);
            if (r == -EBADFD) {
                atomic_store_explicit(&d->missed, true, memory_order_relaxed);
            }
        } else {
            ledger_add(p->ledger, LEDGER_SINK_OUT, 1);
            ledger_add(p->ledger, LEDGER_SINK_BYTES, f->caplen);
        }
    }
}

static int device_check(struct sink *s, struct error *err)
{
    struct device_sink *d = of(s);
    pthread_mutex_lock(&d->lock);
    int r = !d->trouble.text[0] ? 0
            : d->for_good       ? error_set(err, ENODEV, "%s", d->trouble.text)
                                : error_set(err, ENETDOWN, "%s", d->trouble.text);
    pthread_mutex_unlock(&d->lock);
    return r;
}

void device_sink_trouble(struct sink *s, const char *words, bool for_good)
{
    struct device_sink *d = of(s);
    pthread_mutex_lock(&d->lock);
    snprintf(d->trouble.text, sizeof(d->trouble.text), "%s", words ? words : "");
    d->for_good = for_good;
    pthread_mutex_unlock(&d->lock);
}

bool device_sink_missed(struct sink *s)
{
    return atomic_exchange_explicit(&of(s)->missed, false, memory_order_relaxed);
}

/* By its number, so that who writes does not notice, and who closes it closes the new one. */
void device_sink_renew(struct sink *s, const char *tap, int fd)
{
    struct device_sink *d = of(s);
    pthread_mutex_lock(&d->lock);
    for (unsigned i = 0; i < POINT_MAX; i++) {
        struct device_point *p = &d->point[i];
        if (p->ledger && p->fd != fd && (!tap || strcmp(p->tap, tap) == 0) &&
            tapdev_state(p->fd) == TAPDEV_GONE) {
            (void)dup3(fd, p->fd, O_CLOEXEC);
        }
    }
    pthread_mutex_unlock(&d->lock);
}

static void device_free(struct sink *s)
{
    pthread_mutex_destroy(&of(s)->lock);
    sink_done(s);
    free(of(s));
}

static const struct sink_ops ops = {
    .kind = "tap-device",
    .counts = LEDGER_SINK,
    .waits = true,
    .point_add = device_point_add,
    .point_stats = plain_point_stats,
    .point_remove = device_point_remove,
    .write = device_write,
    .flush = plain_flush,
    .check = device_check,
    .finish = device_check,
    .free = device_free,
};

int device_sink_new(const char *name, int fd, struct sink **ret)
{
    struct device_sink *d = calloc(1, sizeof(*d));
    if (!d || sink_init(&d->sink, &ops, name) < 0) {
        free(d);
        return -ENOMEM;
    }
    d->fd = fd;
    pthread_mutex_init(&d->lock, NULL);
    *ret = &d->sink;
    return 0;
}

int device_output(const struct output_wish *w, struct sink **ret, struct error *err)
{
    int r = device_sink_new(w->name, w->fd, ret);
    return r < 0 ? error_sys(err, -r, "%s", w->name) : 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "data/sink/fake.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct fake_sink {
    struct sink head;
    struct fake_frame *frames;
    size_t n, room, max;
    struct fake_point *points[POINT_MAX];
    bool open[POINT_MAX];
    uint32_t n_open;
    _Atomic uint32_t room_points;
    _Atomic int failed;
    _Atomic uint32_t flushes, finishes;
};

static struct fake_sink *of(const struct sink *s)
{
    return (struct fake_sink *)(uintptr_t)s; /* its head is the first member */
}

static int fake_point_add(struct sink *s, const struct point_offer *point, struct error *err)
{
    struct fake_sink *fs = of(s);
    struct ledger *ledger;
    int failed = sink_point_open(s, point, &ledger, err);
    if (failed < 0) {
        return failed;
    }
    struct fake_point **p = &fs->points[point->index];
    if (fs->n_open >= atomic_load(&fs->room_points) || (!*p && !(*p = calloc(1, sizeof(**p))))) {
        sink_point_refuse(s, point->index);
        return error_set(err, ENOSPC, "%s: no room", s->name);
    }
    fs->n_open++;
    snprintf((*p)->tap, sizeof((*p)->tap), "%s", point->tap);
    snprintf((*p)->ifname, sizeof((*p)->ifname), "%s", point->ifname);
    snprintf((*p)->filter, sizeof((*p)->filter), "%s", point->filter ? point->filter : "");
    (*p)->adds++;
    fs->open[point->index] = true;
    return 0;
}

static void fake_point_stats(struct sink *s, uint32_t index, const struct ledger *figures)
{
    struct fake_point *p = index < POINT_MAX ? of(s)->points[index] : NULL;
    for (unsigned i = 0; p && i < LEDGER_COUNT; i++) {
        ledger_set(&p->figures, (enum ledger_id)i, ledger_get(figures, (enum ledger_id)i));
    }
}

static void fake_point_remove(struct sink *s, uint32_t index)
{
    struct fake_sink *fs = of(s);
    if (index < POINT_MAX && fs->open[index]) {
        fs->open[index] = false;
        fs->n_open--;
        fs->points[index]->removes++;
    }
    sink_point_close(s, index);
}

static bool keep(struct fake_sink *fs, const struct frame *f)
{
    if (fs->n == fs->room) {
        size_t room = fs->room ? fs->room * 2 : 1024;
        struct fake_frame *more = reallocarray(fs->frames, room, sizeof(*more));
        if (!more) {
            return false;
        }
        fs->frames = more;
        fs->room = room;
    }
    struct fake_frame *to = &fs->frames[fs->n];
    *to = (struct fake_frame){
        malloc(f->caplen + 1), f->caplen, f->origlen, f->lost, f->more, f->point, f->ts_ns, f->dir};
    if (!to->data) {
        return false;
    }
    frame_copy(f, 0, to->data, f->caplen);
    fs->n++;
    return true;
}

static void fake_write(struct sink *s, const struct batch *b)
{
    struct fake_sink *fs = of(s);
    for (uint32_t i = 0; i < b->n; i++) {
        const struct frame *f = &b->f[i];
        if (f->point >= POINT_MAX || !fs->open[f->point]) {
            sink_count_refused(s, f->point);
            continue;
        }
        struct ledger *l = sink_ledger(s, f->point);
        sink_count_in(s, l);
        if (atomic_load(&fs->failed)) {
            ledger_add(l, LEDGER_SINK_ERROR, 1);
        } else if (fs->n >= fs->max || !keep(fs, f)) {
            ledger_add(l, LEDGER_SINK_FULL, 1);
        } else {
            ledger_add(l, LEDGER_SINK_OUT, 1);
            ledger_add(l, LEDGER_SINK_BYTES, f->caplen);
        }
    }
}

static void fake_flush(struct sink *s)
{
    atomic_fetch_add(&of(s)->flushes, 1);
}

static int fake_check(struct sink *s, struct error *err)
{
    int code = atomic_load(&of(s)->failed);
    return code ? error_sys(err, code, "%s", s->name) : sink_check_refused(s, 0, err);
}

static int fake_finish(struct sink *s, struct error *err)
{
    atomic_fetch_add(&of(s)->finishes, 1);
    return MIN(fake_check(s, err), 0);
}

static void fake_free(struct sink *s)
{
    struct fake_sink *fs = of(s);
    for (size_t i = 0; i < fs->n; i++) {
        free(fs->frames[i].data);
    }
    for (size_t i = 0; i < POINT_MAX; i++) {
        free(fs->points[i]);
    }
    free(fs->frames);
    sink_done(s);
    free(fs);
}

static const struct sink_ops fake_ops = {
    .kind = "fake",
    .counts = LEDGER_SINK,
    .point_add = fake_point_add,
    .point_stats = fake_point_stats,
    .point_remove = fake_point_remove,
    .write = fake_write,
    .flush = fake_flush,
    .check = fake_check,
    .finish = fake_finish,
    .free = fake_free,
};

int fake_sink_new(const char *name, struct sink **ret)
{
    struct fake_sink *fs = calloc(1, sizeof(*fs));
    if (!fs) {
        return -ENOMEM;
    }
    fs->max = SIZE_MAX;
    fs->room_points = POINT_MAX;
    if (sink_init(&fs->head, &fake_ops, name) < 0) {
        fake_free(&fs->head);
        return -ENOMEM;
    }
    *ret = &fs->head;
    return 0;
}

const struct fake_frame *fake_sink_frames(const struct sink *s, size_t *ret_n)
{
    *ret_n = of(s)->n;
    return of(s)->frames;
}

const struct fake_point *fake_sink_point(const struct sink *s, uint32_t index)
{
    return index < POINT_MAX ? of(s)->points[index] : NULL;
}

uint32_t fake_sink_flushes(const struct sink *s)
{
    return atomic_load(&of(s)->flushes);
}

uint32_t fake_sink_finishes(const struct sink *s)
{
    return atomic_load(&of(s)->finishes);
}

void fake_sink_fail(struct sink *s, int code)
{
    atomic_store(&of(s)->failed, code);
}

void fake_sink_room(struct sink *s, uint32_t max)
{
    atomic_store(&of(s)->room_points, max);
}

void fake_sink_limit(struct sink *s, size_t max)
{
    of(s)->max = max;
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * `pushed` and `dropped` count messages and are written by one side each; their difference is what
 * is in the ring. A side that is about to sleep says so first and looks again afterwards; the other
 * changes its count first and looks for sleepers afterwards (all of it sequentially consistent), so
 * that no wake-up is missed.
 */
#include "data/meter/outbox.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "sys/loop.h"

struct outbox {
    uint64_t slots, most_records;
    struct outmsg *ring;
    _Atomic uint64_t pushed, dropped; /* messages */
    _Atomic uint64_t pushed_records, dropped_records;
    _Atomic int wish; /* of the sender, which sleeps; OUTBOX_NOTHING: it need not be woken */
    _Atomic bool meter_sleeps, off;
    struct wake to_sender, to_meter;
};

int outbox_new(size_t bytes, uint64_t records, struct outbox **ret)
{
    struct outbox *o = calloc(1, sizeof(*o));
    if (!o) {
        return -ENOMEM;
    }
    o->slots = MAX(bytes / sizeof(struct outmsg), (size_t)1);
    o->most_records = records;
    o->ring = calloc(o->slots, sizeof(struct outmsg));
    o->to_sender.fd = o->to_meter.fd = -1;
    int r = o->ring ? wake_init(&o->to_sender) : -ENOMEM;
    r = r < 0 ? r : wake_init(&o->to_meter);
    if (r < 0) {
        outbox_free(o);
        return r;
    }
    *ret = o;
    return 0;
}

void outbox_free(struct outbox *o)
{
    if (o) {
        wake_done(&o->to_sender);
        wake_done(&o->to_meter);
        free(o->ring);
        free(o);
    }
}

static uint64_t used(const struct outbox *o)
{
    return atomic_load(&o->pushed) - atomic_load(&o->dropped);
}

static uint64_t used_records(const struct outbox *o)
{
    return atomic_load(&o->pushed_records) - atomic_load(&o->dropped_records);
}

static bool is_full(const struct outbox *o)
{
    const uint64_t n = used(o);
    return n == o->slots || (n > 0 && o->most_records > 0 && used_records(o) >= o->most_records);
}

bool outbox_behind(const struct outbox *o)
{
    return used(o) > o->slots / 2 || (o->most_records > 0 && used_records(o) > o->most_records / 2);
}

static bool is_so(const struct outbox *o, int wish)
{
    return wish == OUTBOX_MESSAGE_THERE ? used(o) > 0 : wish == OUTBOX_BEHIND && outbox_behind(o);
}

struct outmsg *outbox_room(struct outbox *o)
{
    return is_full(o) ? NULL : &o->ring[atomic_load(&o->pushed) % o->slots];
}

void outbox_push(struct outbox *o)
{
    const struct outmsg *m = &o->ring[atomic_load(&o->pushed) % o->slots];
    atomic_fetch_add(&o->pushed_records, m->records);
    atomic_fetch_add(&o->pushed, 1);
    if (is_so(o, atomic_load(&o->wish))) {
        atomic_store(&o->wish, OUTBOX_NOTHING);
        wake_signal(&o->to_sender);
    }
}

bool outbox_empty(const struct outbox *o)
{
    return used(o) == 0;
}

void outbox_wait(struct outbox *o, bool empty, struct mono until)
{
    struct pollfd p = {.fd = o->to_meter.fd, .events = POLLIN};
    atomic_store(&o->meter_sleeps, true);
    while ((empty ? !outbox_empty(o) : is_full(o)) && !atomic_load(&o->off)) {
        const int64_t left = mono_diff(until, mono_now());
        const struct timespec ts = {left / NSEC_PER_SEC, left % NSEC_PER_SEC};
        if (left <= 0 || ppoll(&p, 1, &ts, NULL) < 0) {
            break;
        }
        wake_clear(&o->to_meter);
    }
    atomic_store(&o->meter_sleeps, false);
}

void outbox_call_off(struct outbox *o, bool off)
{
    atomic_store(&o->off, off);
    wake_signal(&o->to_meter);
}

bool outbox_called_off(const struct outbox *o)
{
    return atomic_load(&o->off);
}

const struct outmsg *outbox_first(const struct outbox *o)
{
    return used(o) == 0 ? NULL : &o->ring[atomic_load(&o->dropped) % o->slots];
}

void outbox_drop(struct outbox *o)
{
    const struct outmsg *m = &o->ring[atomic_load(&o->dropped) % o->slots];
    atomic_fetch_add(&o->dropped_records, m->records);
    atomic_fetch_add(&o->dropped, 1);
    if (atomic_load(&o->meter_sleeps)) {
        wake_signal(&o->to_meter);
    }
}

int outbox_fd(const struct outbox *o)
{
    return o->to_sender.fd;
}

bool outbox_sleep(struct outbox *o, enum outbox_wish wish)
{
    atomic_store(&o->wish, (int)wish);
    return !is_so(o, (int)wish);
}

void outbox_awake(struct outbox *o)
{
    atomic_store(&o->wish, OUTBOX_NOTHING);
    wake_clear(&o->to_sender);
}

void outbox_wake(struct outbox *o)
{
    wake_signal(&o->to_sender);
}

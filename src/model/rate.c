/* SPDX-License-Identifier: Apache-2.0 */
#include "model/rate.h"

#include "base/cleanup.h"

enum {
    AGAIN_NS = 500000, /* until the next look where it is not known what is under way */
};

#define BYTES_MOST (UINT64_C(1) << 30) /* of one call, so that no product overflows */

static int64_t cost_ns(const struct rate *r, uint64_t bytes)
{
    uint64_t parts = MIN(bytes, BYTES_MOST) * 8 * (uint64_t)NSEC_PER_SEC;
    return (int64_t)((parts + r->conf.bits - 1) / r->conf.bits);
}

static uint64_t bytes_in(const struct rate *r, int64_t ns)
{
    uint64_t ms = (uint64_t)(ns / NSEC_PER_MSEC), rest = (uint64_t)(ns % NSEC_PER_MSEC);
    return ms * r->conf.bits / 8000 + rest * r->conf.bits / (8 * (uint64_t)NSEC_PER_SEC);
}

/* The burst, in the time that it costs. */
static int64_t depth_ns(const struct rate *r, uint32_t datagram)
{
    return MAX((int64_t)r->conf.burst_ms * NSEC_PER_MSEC,
               cost_ns(r, (uint64_t)datagram * RATE_BURST_DATAGRAMS));
}

/* The bytes that may leave in 100 ms, of those that can wait. */
static uint64_t window(const struct rate *r, uint32_t datagram)
{
    uint64_t all = rate_bytes(r, RATE_WINDOW_MS), spare = all / RATE_SPARE;
    return spare >= datagram ? all - spare : all;
}

static struct mono clock_of(struct rate *r, struct mono now)
{
    r->now.ns = MAX(r->now.ns, now.ns);
    return r->now;
}

/* The time from which on a slot does not count. */
static struct mono over(const struct rate *r, unsigned i)
{
    return mono_add_ms(r->slot[(r->first + i) % RATE_SLOTS].to, RATE_WINDOW_MS);
}

static void forget(struct rate *r, struct mono now)
{
    while (r->n > 0 && mono_due(now, over(r, 0))) {
        r->sum -= r->slot[r->first].bytes;
        r->first = (r->first + 1) % RATE_SLOTS;
        r->n--;
    }
}

static void note(struct rate *r, uint64_t bytes, struct mono now)
{
    forget(r, now);
    unsigned last = (r->first + r->n + RATE_SLOTS - 1) % RATE_SLOTS;
    bool same = r->n > 0 && mono_diff(now, r->slot[last].from) < INT64_C(1000) * RATE_SLOT_US;
    if (!same && r->n < RATE_SLOTS) {
        last = (r->first + r->n++) % RATE_SLOTS;
        r->slot[last].from = now;
        r->slot[last].bytes = 0;
    }
    r->slot[last].to = now;
    r->slot[last].bytes += bytes;
    r->sum += bytes;
}

void rate_init(struct rate *r, const struct rate_conf *conf, struct mono now)
{
    *r = (struct rate){.conf = *conf, .now = now, .paid = now};
}

void rate_set(struct rate *r, const struct rate_conf *conf, struct mono now)
{
    now = clock_of(r, now);
    uint64_t debt = bytes_in(r, MAX(mono_diff(r->paid, now), 0));
    r->conf = *conf;
    r->paid.ns = now.ns + cost_ns(r, debt);
}

uint64_t rate_room(struct rate *r, uint32_t datagram, struct mono now)
{
    now = clock_of(r, now);
    forget(r, now);
    uint64_t most = window(r, datagram), used = r->sum + r->pending;
    int64_t owed = MAX(mono_diff(r->paid, now), 0);
    if (most < datagram) {
        return used == 0 && owed == 0 ? datagram : 0;
    }
    int64_t credit = depth_ns(r, datagram) - owed;
    if (credit < cost_ns(r, datagram) || used + datagram > most) {
        return 0;
    }
    return MAX(MIN(bytes_in(r, credit), most - used), (uint64_t)datagram);
}

/* Until so many bytes more have room in the last 100 ms. */
static int64_t window_wait(const struct rate *r, uint64_t bytes, uint64_t most, struct mono now)
{
    uint64_t used = r->sum + r->pending;
    for (unsigned i = 0; used > 0 && used + bytes > most; i++) {
        if (i == r->n) {
            return AGAIN_NS;
        }
        used -= r->slot[(r->first + i) % RATE_SLOTS].bytes;
        if (used == 0 || used + bytes <= most) {
            return MAX(mono_diff(over(r, i), now), 0);
        }
    }
    return 0;
}

int64_t rate_wait(struct rate *r, uint32_t datagram, struct mono now)
{
    now = clock_of(r, now);
    forget(r, now);
    uint64_t most = window(r, datagram);
    int64_t owed = mono_diff(r->paid, now);
    int64_t free = most < datagram ? 0 : depth_ns(r, datagram) - cost_ns(r, datagram);
    return MAX(MAX(owed - free, 0), window_wait(r, datagram, most, now));
}

static void pay(struct rate *r, uint64_t bytes, struct mono now)
{
    r->paid.ns = MAX(r->paid.ns, now.ns) + cost_ns(r, bytes);
}

void rate_take(struct rate *r, uint64_t bytes, struct mono due, struct mono now)
{
    now = clock_of(r, now);
    int64_t late = due.ns == 0 ? 0 : mono_diff(now, due);
    if (r->paid.ns < now.ns && late > 0) {
        r->lost += bytes_in(r, MIN(late, mono_diff(now, r->paid)));
        r->lost = MIN(r->lost, rate_bytes(r, RATE_LATE_MS));
    }
    uint64_t free = MIN(r->lost, bytes / RATE_LATE_PART);
    r->lost -= free;
    pay(r, bytes - free, now);
    r->pending += bytes;
}

void rate_left(struct rate *r, uint64_t taken, uint64_t left, struct mono now)
{
    now = clock_of(r, now);
    r->pending -= MIN(taken, r->pending);
    if (left < taken) {
        r->paid.ns -= cost_ns(r, taken - left);
    }
    if (left > 0) {
        note(r, left, now);
    }
}

void rate_charge(struct rate *r, uint64_t bytes, struct mono now)
{
    now = clock_of(r, now);
    pay(r, bytes, now);
    r->paid.ns = MIN(r->paid.ns, mono_add_ms(now, RATE_DEBT_MS).ns);
    note(r, bytes, now);
}

uint64_t rate_burst(const struct rate *r, uint32_t datagram)
{
    uint64_t most = MIN(bytes_in(r, depth_ns(r, datagram)), window(r, datagram));
    return MAX(most, (uint64_t)datagram);
}

uint64_t rate_bytes(const struct rate *r, uint32_t ms)
{
    return bytes_in(r, ms * NSEC_PER_MSEC);
}

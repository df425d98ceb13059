/* SPDX-License-Identifier: Apache-2.0 */
#include "model/clock.h"

#include "base/cleanup.h"

/* Times beyond that, a century and more, are nonsense; differences of others do not overflow. */
#define TIME_MOST (INT64_C(1) << 62)

/* By which clocks may drift apart in that time, rounded up. */
static int64_t drift(int64_t ns)
{
    const int64_t million = 1000000;
    return ns / million * CLOCK_DRIFT_PPM + ns % million * CLOCK_DRIFT_PPM / million + 1;
}

static bool sane(const struct clock_exchange *e)
{
    const int64_t trip = mono_diff(e->came, e->sent), most = CLOCK_TRIP_MS * NSEC_PER_MSEC;
    return e->sent.ns > 0 && trip > 0 && e->held <= (uint64_t)most && trip < 2 * most &&
           trip - (int64_t)e->held + drift((int64_t)e->held) >= 0 && e->wall >= 0 &&
           e->wall < TIME_MOST && e->steady >= 0 && e->steady < TIME_MOST;
}

/* The other clock against ours when the exchange came, by that exchange alone. */
static struct clock_mark interval(const struct clock_exchange *e)
{
    const int64_t clock = e->steady ? e->steady : e->wall, held = (int64_t)e->held;
    const int64_t first = e->sent.ns + held - drift(held); /* it left then at the earliest */
    const int64_t slack = drift(MAX(e->came.ns - first, 0));
    return (struct clock_mark){e->came, clock - e->came.ns - slack, clock - first + slack};
}

/* The same interval at a later time. */
static struct clock_mark grown(const struct clock_mark *m, struct mono at)
{
    const int64_t by = drift(MAX(mono_diff(at, m->at), 0));
    return (struct clock_mark){at, m->lo - by, m->hi + by};
}

static int64_t width(const struct clock_mark *m)
{
    return m->hi - m->lo;
}

static int64_t middle(const struct clock_mark *m)
{
    return m->lo + width(m) / 2;
}

/* Keeps the narrowest interval of each time, for the drift. */
static void keep(struct clock_model *m)
{
    struct clock_mark *last = &m->mark[MAX(m->n_marks, 1u) - 1];
    if (m->n_marks > 0 && !mono_due(m->now.at, mono_add_ms(m->mark_began, CLOCK_MARK_MS))) {
        *last = width(&m->now) < width(last) ? m->now : *last;
        return;
    }
    if (m->n_marks == CLOCK_MARKS) {
        for (unsigned i = 1; i < CLOCK_MARKS; i++) {
            m->mark[i - 1] = m->mark[i];
        }
        m->n_marks--;
    }
    m->mark[m->n_marks++] = m->now;
    m->mark_began = m->now.at;
}

static void begin(struct clock_model *m, const struct clock_exchange *e)
{
    *m = (struct clock_model){.known = true, .steady = e->steady != 0, .since = m->since};
    m->now = interval(e);
    m->ahead = e->steady ? e->wall - e->steady : 0;
    m->told = e->steady;
    keep(m);
}

/* How far the tap's clocks went otherwise than they can by themselves; 0: they did not. */
static int64_t jump(const struct clock_model *m, const struct clock_exchange *e,
                    const struct clock_mark *before, const struct clock_mark *here)
{
    const int64_t by = e->steady ? e->wall - e->steady - m->ahead : 0;
    if (by > CLOCK_JUMP_NS || by < -CLOCK_JUMP_NS) {
        return by;
    }
    return here->lo > before->hi || here->hi < before->lo ? middle(here) - middle(before) : 0;
}

enum clock_news clock_model_take(struct clock_model *m, const struct clock_exchange *e,
                                 int64_t *ret_jump)
{
    if (!sane(e) || mono_diff(e->sent, m->since) < 0 || (m->steady && e->steady <= m->told)) {
        return CLOCK_USELESS;
    }
    if (!m->known || (e->steady && !m->steady)) {
        begin(m, e);
        return CLOCK_TAKEN;
    }
    const struct clock_mark here = interval(e), before = grown(&m->now, e->came);
    const int64_t by = jump(m, e, &before, &here);
    if (by != 0 || !m->steady) {
        begin(m, e);
        *ret_jump = by != 0 ? by : *ret_jump;
        return by != 0 ? CLOCK_JUMPED : CLOCK_TAKEN;
    }
    m->now = (struct clock_mark){e->came, MAX(before.lo, here.lo), MIN(before.hi, here.hi)};
    m->ahead = e->wall - e->steady;
    m->told = e->steady;
    keep(m);
    return CLOCK_TAKEN;
}

void clock_model_forget(struct clock_model *m, struct mono now)
{
    *m = (struct clock_model){.since = now};
}

/* The drift between one of the marks and now: the mark that tells it best. */
static void estimate_drift(const struct clock_model *m, struct clock_estimate *ret)
{
    for (unsigned i = 0; m->steady && i < m->n_marks; i++) {
        const struct clock_mark *from = &m->mark[i];
        const int64_t span = mono_diff(m->now.at, from->at);
        if (span < CLOCK_SPAN_MS * NSEC_PER_MSEC) {
            break;
        }
        const double per = 1e6 / (double)span;
        const double lo = MAX((double)(m->now.lo - from->hi) * per, -(double)CLOCK_DRIFT_PPM);
        const double hi = MIN((double)(m->now.hi - from->lo) * per, (double)CLOCK_DRIFT_PPM);
        if (hi > lo && hi - lo < 2.0 * CLOCK_DRIFT_PPM &&
            (!ret->drifts || (hi - lo) / 2 < ret->drift_bound)) {
            ret->drifts = true;
            ret->drift = (lo + hi) / 2;
            ret->drift_bound = (hi - lo) / 2;
        }
    }
}

bool clock_model_estimate(const struct clock_model *m, struct mono now, int64_t ahead,
                          struct clock_estimate *ret)
{
    if (!m->known) {
        return false;
    }
    const struct clock_mark g = grown(&m->now, now);
    *ret = (struct clock_estimate){.offset = middle(&g) + m->ahead - ahead};
    ret->bound = width(&g) / 2 + 1 + 2 * CLOCK_PAIR_NS;
    estimate_drift(m, ret);
    return true;
}

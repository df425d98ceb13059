/* SPDX-License-Identifier: Apache-2.0 */
#include "model/pace.h"

#include "base/cleanup.h"

void pace_begin(struct pace *d, uint64_t sent, struct mono now)
{
    const struct pace fresh = {.rate = PACE_START,
                               .mark = sent,
                               .at = now,
                               .fresh = now,
                               .accounted = d->accounted,
                               .lost = d->lost};
    *d = fresh;
}

void pace_report(struct pace *d, uint64_t sent, uint64_t accounted, uint64_t lost, struct mono now)
{
    /* Less than before: another session's numbers. */
    uint64_t arrived = accounted >= d->accounted ? accounted - d->accounted : accounted;
    uint64_t missing = lost >= d->lost ? lost - d->lost : lost;
    bool before = accounted >= d->accounted && d->accounted < d->mark;
    d->idle = arrived == 0 && accounted < sent ? d->idle + 1 : 0;
    d->stalled = d->idle >= PACE_IDLE;
    if (d->stalled) {
        d->rate = PACE_MIN;
        d->balance = MIN(d->balance, 0);
    } else if (!before && d->idle == 0) { /* it speaks of what was sent since the beginning */
        d->rate =
            missing > arrived / PACE_LOSS ? MAX(d->rate / 2, PACE_MIN) : MIN(d->rate * 2, PACE_MAX);
    }
    d->accounted = accounted;
    d->lost = lost;
    d->fresh = now;
}

void pace_came(struct pace *d, uint64_t bytes)
{
    if (!d->stalled) {
        d->balance += (int64_t)bytes;
    }
}

bool pace_may(struct pace *d, struct mono now)
{
    if (mono_due(now, mono_add_ms(d->fresh, PACE_FRESH_MS))) {
        d->balance = MIN(d->balance, 0); /* what came in since goes at the rate, not at once */
        d->at = now;
        return false;
    }
    int64_t ns = MIN(mono_diff(now, d->at), PACE_BURST_MS * NSEC_PER_MSEC);
    if (ns > 0) {
        int64_t parts = ns * d->rate + d->rest;
        d->balance += parts / NSEC_PER_SEC;
        d->rest = parts % NSEC_PER_SEC;
        d->at = now;
    }
    return d->balance > 0;
}

void pace_sent(struct pace *d, uint64_t bytes)
{
    d->balance -= (int64_t)bytes;
}

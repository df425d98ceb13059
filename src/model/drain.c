/* SPDX-License-Identifier: Apache-2.0 */
#include "model/drain.h"

#include "base/cleanup.h"

void drain_begin(struct drain *d, struct mono now)
{
    *d = (struct drain){
        .rate = DRAIN_START, .at = now, .fresh = now, .accounted = d->accounted, .lost = d->lost};
}

void drain_report(struct drain *d, uint64_t sent, uint64_t accounted, uint64_t lost,
                  struct mono now)
{
    /* Less than before: another session's numbers. */
    uint64_t arrived = accounted >= d->accounted ? accounted - d->accounted : accounted;
    uint64_t missing = lost >= d->lost ? lost - d->lost : lost;
    d->stalled = arrived == 0 && accounted < sent;
    if (d->stalled) {
        d->rate = DRAIN_MIN;
        d->balance = MIN(d->balance, 0);
    } else if (missing > arrived / DRAIN_LOSS) {
        d->rate = MAX(d->rate / 2, DRAIN_MIN);
    } else {
        d->rate = MIN(d->rate * 2, DRAIN_MAX);
    }
    d->accounted = accounted;
    d->lost = lost;
    d->fresh = now;
}

void drain_came(struct drain *d, uint64_t bytes)
{
    if (!d->stalled) {
        d->balance += (int64_t)bytes;
    }
}

bool drain_may(struct drain *d, struct mono now)
{
    if (mono_due(now, mono_add_ms(d->fresh, DRAIN_FRESH_MS))) {
        d->balance =
            MIN(d->balance, 0); /* what came in since is drained at the rate, not at once */
        d->at = now;
        return false;
    }
    int64_t ns = MIN(mono_diff(now, d->at), DRAIN_BURST_MS * NSEC_PER_MSEC);
    if (ns > 0) {
        int64_t parts = ns * d->rate + d->rest;
        d->balance += parts / NSEC_PER_SEC;
        d->rest = parts % NSEC_PER_SEC;
        d->at = now;
    }
    return d->balance > 0;
}

void drain_sent(struct drain *d, uint64_t bytes)
{
    d->balance -= (int64_t)bytes;
}

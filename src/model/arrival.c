/* SPDX-License-Identifier: Apache-2.0 */
#include "model/arrival.h"

#include <string.h>

#include "base/cleanup.h"

void arrival_begin(struct arrival *a, struct mono now)
{
    *a = (struct arrival){.grown = now, .reported = now};
}

/* Samples whose frames are all settled are dropped. */
static void settle(struct arrival *a)
{
    uint64_t settled = MAX(a->accounted, a->forgiven);
    unsigned gone = 0;
    while (gone < a->n && a->sample[gone].sent <= settled) {
        gone++;
    }
    a->n -= gone;
    memmove(a->sample, a->sample + gone, a->n * sizeof(a->sample[0]));
}

void arrival_sent(struct arrival *a, uint64_t sent, struct mono now)
{
    uint64_t known = a->n ? a->sample[a->n - 1].sent : MAX(a->accounted, a->forgiven);
    if (sent <= known) {
        return;
    }
    a->n -= a->n == ARRIVAL_SAMPLES; /* the newest two become one, as of now */
    a->sample[a->n].at = now;
    a->sample[a->n++].sent = sent;
}

void arrival_reported(struct arrival *a, uint64_t accounted, struct mono now)
{
    if (accounted > a->accounted) {
        a->accounted = accounted;
        a->grown = now;
        settle(a);
    }
    a->reported = now;
}

void arrival_forgive(struct arrival *a, uint64_t sent, struct mono now)
{
    a->forgiven = MAX(a->forgiven, sent);
    a->grown = a->reported = now;
    settle(a);
}

bool arrival_doubtful(const struct arrival *a, int64_t rtt_ns, struct mono now)
{
    if (a->n == 0) {
        return false;
    }
    int64_t age = mono_diff(now, a->sample[0].at) - rtt_ns;
    bool late = age >= ARRIVAL_LATE_MS * NSEC_PER_MSEC &&
                mono_due(now, mono_add_ms(a->grown, ARRIVAL_GROWN_MS));
    bool stands = age >= ARRIVAL_REPORT_MS * NSEC_PER_MSEC &&
                  mono_due(a->reported, mono_add_ms(a->grown, ARRIVAL_ROUND_MS));
    return late || stands;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "model/bucket.h"

#include "base/cleanup.h"

void bucket_init(struct bucket *b, int64_t burst, struct mono now)
{
    *b = (struct bucket){burst * 1000, now};
}

int64_t bucket_fill(struct bucket *b, int64_t rate, int64_t burst, struct mono now)
{
    int64_t ms = mono_diff(now, b->at) / NSEC_PER_MSEC;
    if (ms > 0) {
        ms = MIN(ms, (int64_t)3600 * 1000);
        b->milli = MIN(b->milli + ms * rate, burst * 1000);
        /* what is left of a millisecond counts next time */
        b->at = (struct mono){now.ns - mono_diff(now, b->at) % NSEC_PER_MSEC};
    }
    return b->milli;
}

bool bucket_has(struct bucket *b, int64_t rate, int64_t burst, struct mono now)
{
    return bucket_fill(b, rate, burst, now) >= 1000;
}

bool bucket_take(struct bucket *b, int64_t rate, int64_t burst, struct mono now)
{
    if (!bucket_has(b, rate, burst, now)) {
        return false;
    }
    b->milli -= 1000;
    return true;
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a packet of each kind: a frame lies inside of it, is not longer than it says, and
 * results are those of the header's list.
 */
#include <stdlib.h>

#include "proto/decap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void check(const uint8_t *data, size_t size, enum decap_result r, const struct decap *d)
{
    require(r <= DECAP_NO_ETHERNET);
    if (r == DECAP_FRAME) {
        require(d->len >= DECAP_FRAME_MIN && d->origlen >= d->len && d->dir <= 2);
        require(d->frame >= data && d->len <= size && (size_t)(d->frame - data) <= size - d->len);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct decap d = {0};
    struct decap_word word = {0};
    check(data, size, decap_vxlan(data, size, &d), &d);
    check(data, size, decap_gre(data, size, true, true, &d), &d);
    check(data, size, decap_gre(data, size, true, false, &d), &d);
    check(data, size, decap_gre(data, size, false, true, &d), &d);
    check(data, size, decap_tzsp(data, size, &d), &d);
    const enum decap_result r = decap_ivtap(data, size, &d, &word);
    check(data, size, r, &d);
    require((r == DECAP_WORD) == (size == DECAP_IVTAP_WORD && data[0] == 0 && data[1] == 0 &&
                                  data[2] == 0 && data[3] == 0 && data[4] == 0));
    return 0;
}

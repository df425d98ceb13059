/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a note of features: each line is refused or stays within its limits, and one that is
 * taken is the same again once it is written.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "proto/offnote.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void judge(const struct offnote *v)
{
    uint8_t line[OFFNOTE_LINE], again_line[OFFNOTE_LINE];
    struct offnote again;
    struct wr w = wr_make(line, sizeof(line)), w2 = wr_make(again_line, sizeof(again_line));
    assert(v->n > 0 && v->n <= OFFNOTE_FEATURES && v->mac_len <= OFFNOTE_MAC && v->ifindex > 0);
    assert(offnote_put(&w, v) == 0);
    struct rd r = rd_make(line, wr_len(&w));
    assert(offnote_get(&r, &again) == 0);
    assert(offnote_put(&w2, &again) == 0 && wr_len(&w2) == wr_len(&w));
    assert(memcmp(line, again_line, wr_len(&w)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rd r = rd_make(data, size);
    struct offnote v;
    int e = 0;
    while (e != -ENODATA) {
        e = offnote_get(&r, &v);
        if (e == 0) {
            judge(&v);
        } else {
            assert(e == -EBADMSG || e == -ENODATA);
        }
    }
    return 0;
}

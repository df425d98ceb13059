/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a super-packet, divided in any way: nothing is read or written outside, the frames
 * carry the whole payload, and no frame is longer than the plan says.
 */
#include <stdlib.h>

#include "base/bytes.h"
#include "proto/gso.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
    if (!ok) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rd r = rd_make(data, size);
    uint8_t kind = rd_u8(&r);
    struct frame f = {.gso_type = kind & 0xbf, .gso_size = rd_u16(&r)};
    f.vnet_flags = kind & 0x40 ? GSO_NEEDS_CSUM : 0;
    uint32_t beyond = rd_u16(&r), payload = 0, origlen = 0;
    f.csum_start = rd_u16(&r);
    f.csum_offset = rd_u8(&r);
    f.datalen = f.caplen = (uint32_t)rd_left(&r);
    f.data = rd_take(&r, f.caplen);
    f.origlen = f.caplen + beyond;
    static struct gso_plan p;
    if (f.caplen > 0 && gso_plan(&f, &p) == 0) {
        uint8_t *to = malloc(p.header_len + p.size);
        for (uint32_t i = 0; to && i < p.frames; i++) {
            uint32_t n = gso_frame(&p, &f, i, to, &origlen);
            check(n <= origlen && origlen <= p.header_len + p.size);
            payload += origlen - p.header_len;
        }
        check(!to || payload == p.payload);
        free(to);
    }
    uint8_t *copy = malloc(f.caplen ? f.caplen : 1);
    if (copy && f.caplen > 0) {
        memcpy(copy, f.data, f.caplen);
        (void)gso_finish_checksum(copy, f.caplen, f.csum_start, f.csum_offset);
    }
    free(copy);
    return 0;
}

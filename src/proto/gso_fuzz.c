/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a super-packet, divided in any way: nothing is read or written outside, the frames
 * carry the whole payload, none is longer than the plan says, and each has right lengths and
 * checksums.
 */
#include <stdlib.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "proto/gso.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
    if (!ok) {
        abort();
    }
}

static uint32_t be16(const uint8_t *p)
{
    return (uint32_t)p[0] << 8 | p[1];
}

/* Each length fits the frame, IPv4 headers sum up, and so does the innermost checksum where all of
 * the payload is there. */
static void check_frame(const struct gso_plan *p, const uint8_t *h, uint32_t have, uint32_t len)
{
    for (unsigned k = 0; k < p->layers; k++) {
        const struct gso_layer *l = &p->layer[k];
        const uint8_t *ip = h + l->ip;
        if (l->v6) {
            check(ip[0] >> 4 == 6 && be16(ip + 4) == ((len - l->ip - 40) & 0xffff));
        } else {
            check(ip[0] >> 4 == 4 && be16(ip + 2) == ((len - l->ip) & 0xffff));
            check(gso_fold(gso_sum(ip, (ip[0] & 15u) * 4, 0)) == 0xffff);
        }
    }
    const struct gso_layer *l = &p->layer[p->layers - 1];
    if (have == len) {
        uint8_t pseudo[8] = {0};
        st_u32(pseudo, len - l->l4);
        pseudo[7] = p->tcp ? 6 : 17;
        uint64_t sum = gso_sum(h + l->ip + (l->v6 ? 8 : 12), l->v6 ? 32 : 8, gso_sum(pseudo, 8, 0));
        check(gso_fold(gso_sum(h + l->l4, len - l->l4, sum)) == 0xffff);
    }
}

/* A frame that is made without the end of its payload is the beginning of the whole one. */
static void check_short(const struct gso_plan *p, const struct frame *f, uint32_t i,
                        const uint8_t *whole, const struct gso_made *made)
{
    uint8_t *to = malloc(p->header_len + p->size);
    if (to) {
        struct gso_made m = gso_frame(p, f, i, GSO_HEADERS_MAX, to);
        check(m.caplen == made->caplen && m.origlen == made->origlen && m.written <= m.caplen);
        check(m.written >= MIN(m.caplen, (uint32_t)GSO_HEADERS_MAX - 1));
        check(memcmp(to, whole, m.written) == 0);
    }
    free(to);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rd r = rd_make(data, size);
    uint8_t kind = rd_u8(&r);
    struct frame f = {.gso_type = kind & 0xbf, .gso_size = rd_u16(&r)};
    f.vnet_flags = kind & 0x40 ? GSO_NEEDS_CSUM : 0;
    uint32_t beyond = rd_u16(&r), payload = 0;
    f.csum_start = rd_u16(&r);
    f.csum_offset = rd_u8(&r);
    f.datalen = f.caplen = (uint32_t)rd_left(&r);
    f.data = rd_take(&r, f.caplen);
    f.origlen = f.caplen + beyond;
    static struct gso_plan p;
    if (f.caplen > 0 && gso_plan(&f, &p) == 0) {
        uint8_t *to = malloc(p.header_len + p.size);
        for (uint32_t i = 0; to && i < p.frames; i++) {
            struct gso_made m = gso_frame(&p, &f, i, UINT32_MAX, to);
            check(m.written == m.caplen && m.caplen <= m.origlen);
            check(m.origlen <= p.header_len + p.size);
            check_frame(&p, to, m.caplen, m.origlen);
            check_short(&p, &f, i, to, &m);
            payload += m.origlen - p.header_len;
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

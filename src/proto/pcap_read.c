/* SPDX-License-Identifier: Apache-2.0
 *
 * The reader's half of pcap.h.
 */
#include <errno.h>

#include "base/cleanup.h"
#include "base/time.h"
#include "proto/pcap.h"

enum {
    MAJOR = 2,
    MINOR_MOST = 4,
    MINOR_EITHER = 3, /* the version of which there are files with either order of lengths */
    NSEC_PER_USEC = 1000,

    /* Section 4, the last field: the link type's low half, then, … */
    LINKTYPE_BITS = 0xffff,
    FCS_PRESENT = 0x04000000, /* … where this is set, … */
    FCS_SHIFT = 28,           /* … in the uppermost 4 bits the length of the check sequence … */
    FCS_UNIT = 2,             /* … in so many bytes */
};

static const struct {
    uint32_t magic;
    bool nanoseconds, modified;
} forms[] = {
    {0xa1b2c3d4, false, false},
    {0xa1b23c4d, true, false},
    {0xa1b2cd34, false, true},
};

static uint32_t u32(struct rd *r, bool big)
{
    const uint32_t v = rd_u32(r);
    return big ? v : __builtin_bswap32(v);
}

static uint16_t u16(struct rd *r, bool big)
{
    const uint16_t v = rd_u16(r);
    return big ? v : __builtin_bswap16(v);
}

static int read_magic(struct rd *r, struct pcap_file *f)
{
    const uint32_t magic = rd_u32(r);
    for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
        if (magic == forms[i].magic || magic == __builtin_bswap32(forms[i].magic)) {
            f->big = magic == forms[i].magic;
            f->nanoseconds = forms[i].nanoseconds;
            f->modified = forms[i].modified;
            return 0;
        }
    }
    return -EPROTO;
}

bool pcap_is_magic(const uint8_t data[PCAP_MAGIC_LEN])
{
    struct pcap_file f;
    struct rd r = rd_make(data, PCAP_MAGIC_LEN);
    return read_magic(&r, &f) == 0;
}

int pcap_read_header(const uint8_t data[PCAP_HEADER_LEN], struct pcap_file *ret)
{
    struct rd r = rd_make(data, PCAP_HEADER_LEN);
    struct pcap_file f = {.order = PCAP_ORDER_USUAL};
    if (read_magic(&r, &f) < 0) {
        return -EPROTO;
    }
    const uint16_t major = u16(&r, f.big), minor = u16(&r, f.big);
    if (major != MAJOR || minor > MINOR_MOST) {
        return -EPROTO;
    }
    if (minor <= MINOR_EITHER) {
        f.order = minor < MINOR_EITHER ? PCAP_ORDER_SWAPPED : PCAP_ORDER_EITHER;
    }
    rd_skip(&r, 8); /* reserved */
    f.snaplen = u32(&r, f.big);
    const uint32_t last = u32(&r, f.big);
    f.linktype = last & LINKTYPE_BITS;
    f.fcs_len = last & FCS_PRESENT ? (uint8_t)((last >> FCS_SHIFT) * FCS_UNIT) : 0;
    f.longest = f.snaplen > PCAP_SNAPLEN_MAX && f.snaplen <= PCAP_SNAPLEN_ABSURD ? f.snaplen
                                                                                 : PCAP_SNAPLEN_MAX;
    *ret = f;
    return 0;
}

static bool is_swapped(const struct pcap_file *f, const struct pcap_record *h)
{
    return f->order == PCAP_ORDER_SWAPPED ||
           (f->order == PCAP_ORDER_EITHER && h->caplen > h->origlen);
}

static struct pcap_record read_head(const struct pcap_file *f, struct rd *r)
{
    const uint32_t s = u32(r, f->big), part = u32(r, f->big);
    struct pcap_record h = {.caplen = u32(r, f->big)};
    h.origlen = u32(r, f->big);
    if (is_swapped(f, &h)) {
        h = (struct pcap_record){.caplen = h.origlen, .origlen = h.caplen};
    }
    h.origlen = MAX(h.origlen, h.caplen);
    h.ts_ns = (int64_t)s * NSEC_PER_SEC + (int64_t)part * (f->nanoseconds ? 1 : NSEC_PER_USEC);
    return h;
}

int pcap_read(const struct pcap_file *f, const uint8_t *data, size_t len, struct pcap_item *ret)
{
    const size_t head = f->modified ? PCAP_RECORD_LEN_MODIFIED : PCAP_RECORD_LEN;
    struct rd r = rd_make(data, len);
    if (len < head) {
        *ret = (struct pcap_item){.more = true, .len = head};
        return 0;
    }
    const struct pcap_record h = read_head(f, &r);
    rd_skip(&r, head - PCAP_RECORD_LEN);
    if (h.caplen > f->longest) {
        return -EPROTO;
    }
    if (rd_left(&r) < h.caplen) {
        *ret = (struct pcap_item){.more = true, .len = head + h.caplen};
        return 0;
    }
    *ret = (struct pcap_item){.len = head + h.caplen, .head = h, .data = rd_take(&r, h.caplen)};
    return 0;
}

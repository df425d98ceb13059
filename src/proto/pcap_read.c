/* SPDX-License-Identifier: Apache-2.0
 *
 * The reader's half of pcap.h.
 */
#include <errno.h>

#include "base/cleanup.h"
#include "base/time.h"
#include "proto/pcap.h"

enum {
    LINKTYPE_MASK = 0xffff,
    HAS_FCS = 0x04000000, /* the upper 4 bits are the length of the check sequence, … */
    FCS_SHIFT = 28,
    FCS_UNIT = 2, /* … in so many bytes */
    EXTENDED_LEN = 8,
    NSEC_PER_USEC = 1000,
};

static const struct {
    uint32_t magic; /* in the order of the file */
    bool nanoseconds, extended;
} forms[] = {
    {0xa1b2c3d4, false, false},
    {0xa1b23c4d, true, false},
    {0xa1b2cd34, false, true}, /* Kuznetzov's, of some Linux systems before 2000 */
};

static uint32_t u32(struct rd *r, bool big)
{
    const uint32_t v = rd_u32(r);
    return big ? v : __builtin_bswap32(v);
}

int pcap_read_header(const uint8_t data[PCAP_HEADER_LEN], struct pcap_file *ret)
{
    struct rd r = rd_make(data, PCAP_HEADER_LEN);
    const uint32_t magic = rd_u32(&r);
    for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
        const bool big = magic == forms[i].magic;
        if (!big && magic != __builtin_bswap32(forms[i].magic)) {
            continue;
        }
        rd_skip(&r, 12); /* version, two reserved fields */
        const uint32_t snaplen = u32(&r, big), link = u32(&r, big);
        *ret = (struct pcap_file){
            .big = big,
            .nanoseconds = forms[i].nanoseconds,
            .extended = forms[i].extended,
            .linktype = link & LINKTYPE_MASK,
            .fcs_len = link & HAS_FCS ? (uint8_t)((link >> FCS_SHIFT) * FCS_UNIT) : 0,
            .snaplen = snaplen};
        return 0;
    }
    return -EPROTO;
}

int pcap_read(const struct pcap_file *f, const uint8_t *data, size_t len, struct pcap_item *ret)
{
    const size_t head = PCAP_RECORD_LEN + (f->extended ? (size_t)EXTENDED_LEN : 0);
    struct rd r = rd_make(data, len);
    const uint32_t s = u32(&r, f->big), part = u32(&r, f->big);
    const uint32_t caplen = u32(&r, f->big), origlen = u32(&r, f->big);
    if (len < head) {
        *ret = (struct pcap_item){.more = true, .len = head};
        return 0;
    }
    if (caplen > PCAP_SNAPLEN_MAX) {
        return -EPROTO;
    }
    const int64_t ns = f->nanoseconds ? part : (int64_t)part * NSEC_PER_USEC;
    *ret = (struct pcap_item){
        .more = len - head < caplen,
        .len = head + caplen,
        .head = {caplen, MAX(origlen, caplen), (int64_t)s * NSEC_PER_SEC + ns},
        .data = data + head,
    };
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/pcap.h"

#include "base/time.h"

enum {
    MAGIC_US = 0xa1b2c3d4,
    MAGIC_NS = 0xa1b23c4d,
    MAJOR = 2,
    MINOR = 4,
    NSEC_PER_USEC = 1000,
};

void pcap_put_header(struct wr *w, bool nanoseconds, uint32_t snaplen, uint16_t linktype)
{
    wr_u32le(w, nanoseconds ? MAGIC_NS : MAGIC_US);
    wr_u16le(w, MAJOR);
    wr_u16le(w, MINOR);
    wr_zero(w, 8); /* reserved */
    wr_u32le(w, snaplen);
    wr_u32le(w, linktype);
}

uint8_t *pcap_record_begin(struct wr *w, bool nanoseconds, const struct pcap_record *v)
{
    const int64_t most = (int64_t)UINT32_MAX * NSEC_PER_SEC + NSEC_PER_SEC - 1;
    const int64_t ts = v->ts_ns < 0 ? 0 : v->ts_ns > most ? most : v->ts_ns;
    const uint32_t part = (uint32_t)(ts % NSEC_PER_SEC);
    wr_u32le(w, (uint32_t)(ts / NSEC_PER_SEC));
    wr_u32le(w, nanoseconds ? part : part / NSEC_PER_USEC);
    wr_u32le(w, v->caplen);
    wr_u32le(w, v->origlen);
    return wr_take(w, v->caplen);
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * The classic capture file format (draft-ietf-opsawg-pcap), written in memory: a header with one
 * link type for all frames, then a record for each frame. Timestamps are in microseconds or, by
 * another magic number, in nanoseconds. Little-endian, as is pcapng here (proto/pcapng.h). Pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

enum {
    PCAP_HEADER_LEN = 24,
    PCAP_RECORD_LEN = 16,
    PCAP_SNAPLEN_MAX = 262144, /* libpcap and Wireshark take no longer frames of Ethernet */
};

struct pcap_record {
    uint32_t caplen, origlen;
    int64_t ts_ns; /* since 1970; what does not fit is written as the first or last that does */
};

/* The file's header; without enough room the writer turns bad. `linktype`: by pcapng's registry. */
void pcap_put_header(struct wr *w, bool nanoseconds, uint32_t snaplen, uint16_t linktype);
/* Appends a record's header, and gives the place where the caller puts exactly v->caplen bytes.
 * NULL without enough room; the writer is then bad. */
uint8_t *pcap_record_begin(struct wr *w, bool nanoseconds, const struct pcap_record *v);

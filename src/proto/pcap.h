/* SPDX-License-Identifier: Apache-2.0
 *
 * The classic capture file format (draft-ietf-opsawg-pcap), written and read in memory: a header
 * with one link type for all frames, then a record for each frame. Timestamps are in microseconds
 * or, by another magic number, in nanoseconds. The writer is little-endian, as is that of pcapng
 * (proto/pcapng.h); the reader (pcap_read.c) takes both orders, and the form of some old systems
 * whose records have longer headers. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

enum {
    PCAP_HEADER_LEN = 24,
    PCAP_RECORD_LEN = 16,
    PCAP_SNAPLEN_MAX = 262144, /* libpcap and Wireshark take no longer frames of Ethernet */
    PCAP_RECORD_MAX = PCAP_RECORD_LEN + 8 + PCAP_SNAPLEN_MAX, /* what is longer is damage */
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

/* A file's header, as it was read. */
struct pcap_file {
    bool big;         /* its byte order */
    bool nanoseconds; /* else microseconds */
    bool extended;    /* records' headers have 8 bytes more, which say nothing that is needed */
    uint16_t linktype;
    uint8_t fcs_len;  /* bytes of a frame check sequence at the end of each frame */
    uint32_t snaplen; /* as it says; 0: it does not */
};

/* Reads the first PCAP_HEADER_LEN bytes of a file. -EPROTO: this is none. */
int pcap_read_header(const uint8_t data[PCAP_HEADER_LEN], struct pcap_file *ret);

struct pcap_item {
    bool more;               /* the record is not whole yet: `len` bytes are needed */
    size_t len;              /* bytes of the record, its header included */
    struct pcap_record head; /* origlen >= caplen */
    const uint8_t *data;     /* head.caplen bytes in place */
};

/* Reads the one record at `data`; the next begins ret->len bytes further. -EPROTO: it is damaged.
 */
int pcap_read(const struct pcap_file *f, const uint8_t *data, size_t len, struct pcap_item *ret);

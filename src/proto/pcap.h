/* SPDX-License-Identifier: Apache-2.0
 *
 * The classic capture file format (draft-ietf-opsawg-pcap), written and read in memory: a header
 * with one link type for all frames, then a record for each frame. Timestamps are in microseconds
 * or, by another magic number, in nanoseconds. The writer (pcap.c) writes little-endian, as is
 * pcapng here (proto/pcapng.h). The reader (pcap_read.c) takes what anybody wrote. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

enum {
    PCAP_MAGIC_LEN = 4,
    PCAP_HEADER_LEN = 24,
    PCAP_RECORD_LEN = 16,
    PCAP_RECORD_LEN_MODIFIED = 24,  /* of Kuznetzov's form */
    PCAP_SNAPLEN_MAX = 262144,      /* libpcap and Wireshark take no longer frames of Ethernet */
    PCAP_SNAPLEN_ABSURD = 16 << 20, /* a header that promises longer frames is not believed */
    PCAP_FCS_MAX = 30,              /* bytes */
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

/* The order of the two lengths in a record (version of the file): those up to 2.2 have the frame's
 * before the captured one, and of 2.3 there are both kinds. */
enum pcap_order {
    PCAP_ORDER_USUAL,
    PCAP_ORDER_SWAPPED,
    PCAP_ORDER_EITHER, /* the smaller one is the captured length */
};

/* A file's header, as far as its records depend on it. */
struct pcap_file {
    bool big;         /* the byte order */
    bool nanoseconds; /* else microseconds */
    bool modified;    /* Kuznetzov's form, of Linux before 2000: a record's header has 8 bytes more,
                       * which say nothing that is asked here */
    enum pcap_order order;
    uint16_t linktype;
    uint8_t fcs_len;  /* bytes of a frame check sequence at the end of each frame; 0: there is none,
                       * or the file does not say */
    uint32_t snaplen; /* as the file has it; 0: it does not say */
    uint32_t longest; /* a record with more captured bytes is damaged */
};

/* Does a file that begins so say that it is pcap? */
bool pcap_is_magic(const uint8_t data[PCAP_MAGIC_LEN]);
/* Reads a file's first PCAP_HEADER_LEN bytes. Versions 2.0 to 2.4 are taken. -EPROTO: this is no
 * pcap, or of another version.
 *
 * A frame may have PCAP_SNAPLEN_MAX bytes, whatever snaplen the header tells: some writers tell a
 * smaller one than they keep to. libpcap tolerates that too, but cuts the frame to it, whereas here
 * all bytes are given that the file has. A larger one is believed up to PCAP_SNAPLEN_ABSURD, where
 * libpcap does so for a few link types alone. */
int pcap_read_header(const uint8_t data[PCAP_HEADER_LEN], struct pcap_file *ret);

struct pcap_item {
    bool more;  /* the record is not whole yet: `len` bytes are needed; no more is told */
    size_t len; /* bytes of the record with its header; or needed at least */
    struct pcap_record head; /* origlen is at least caplen: where the file says less, as libpcap
                              * tolerates, the frame had the bytes that are there */
    const uint8_t *data;     /* head.caplen bytes in place */
};

/* Reads the one record at `data`; the next begins `ret->len` bytes further. Seconds are taken
 * without a sign (section 5), so that no time is before 1970 or past what fits. -EPROTO: it is
 * damaged. */
int pcap_read(const struct pcap_file *f, const uint8_t *data, size_t len, struct pcap_item *ret);

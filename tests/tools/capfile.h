/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads capture files whole: classic pcap (microseconds or nanoseconds, either byte order) and
 * pcapng (draft-ietf-opsawg-pcapng). It is written for capcmp, which judges the product, and shares
 * no code with the product's own reader and writer.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { CAPFILE_IFACES = 256 };

struct capfile_record {
    const uint8_t *data;
    uint64_t ns; /* since 1970 */
    uint32_t caplen, len;
    uint16_t iface;
    uint8_t direction; /* 0 unknown, 1 in, 2 out: the pcapng flags' lowest bits */
};

struct capfile_iface {
    char name[64]; /* empty in a pcap file */
    uint32_t linktype, snaplen;
    uint64_t unit_num, unit_den; /* a tick is num/den nanoseconds */
};

struct capfile {
    const uint8_t *map;
    size_t size, n, room;
    struct capfile_record *v;
    struct capfile_iface ifaces[CAPFILE_IFACES];
    unsigned n_ifaces;
    char error[160]; /* what is wrong with the file, and where */
};

/* 0, or -errno with `error` set. The records point into the file; end with capfile_done. */
int capfile_read(const char *name, struct capfile *file);
void capfile_done(struct capfile *file);

/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a capture file, read record by record, every frame touched. A window that ends
 * earlier asks for more, for no more than the record has, and never for less than it was given.
 */
#include <stdlib.h>

#include "proto/pcap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile uint8_t sum;

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void touch(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        sum = (uint8_t)(sum + p[i]);
    }
}

static void cut(const struct pcap_file *f, const uint8_t *data, size_t len)
{
    struct pcap_item it;
    for (size_t n = 0; n < len; n += 1 + n / 4) {
        require(pcap_read(f, data, n, &it) == 0 && it.more);
        require(it.len > n && it.len <= len);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pcap_file f;
    struct pcap_item it;
    if (size < PCAP_HEADER_LEN || pcap_read_header(data, &f) < 0) {
        return 0;
    }
    require(f.fcs_len <= PCAP_FCS_MAX && f.longest >= PCAP_SNAPLEN_MAX &&
            f.longest <= PCAP_SNAPLEN_ABSURD);
    for (size_t at = PCAP_HEADER_LEN; pcap_read(&f, data + at, size - at, &it) == 0 && !it.more;
         at += it.len) {
        require(it.len <= size - at && it.data + it.head.caplen == data + at + it.len);
        require(it.head.origlen >= it.head.caplen && it.head.caplen <= f.longest);
        require(it.head.ts_ns >= 0);
        touch(it.data, it.head.caplen);
        cut(&f, data + at, it.len);
    }
    return 0;
}

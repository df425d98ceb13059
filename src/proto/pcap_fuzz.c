/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a capture file: records lie inside and one behind the other, and a record that is
 * not whole is found whole, and the same, once its bytes are there.
 */
#include <stdlib.h>

#include "base/cleanup.h"
#include "proto/pcap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void check(const struct pcap_file *f, const uint8_t *data, size_t len,
                  const struct pcap_item *item)
{
    struct pcap_item again;
    require(item->len <= len && item->len <= PCAP_RECORD_MAX);
    require(item->data >= data && item->data + item->head.caplen == data + item->len);
    require(item->head.origlen >= item->head.caplen && item->head.ts_ns >= 0);
    for (size_t cut = 0; cut < item->len; cut += 1 + cut / 8) {
        require(pcap_read(f, data, cut, &again) == 0 && again.more && again.len > cut);
        require(again.len <= item->len);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pcap_file f;
    struct pcap_item item;
    if (size < PCAP_HEADER_LEN || pcap_read_header(data, &f) < 0) {
        return 0;
    }
    require(f.fcs_len <= 30);
    size_t at = PCAP_HEADER_LEN;
    while (pcap_read(&f, data + at, size - at, &item) == 0 && !item.more) {
        check(&f, data + at, size - at, &item);
        at += item.len;
    }
    return 0;
}

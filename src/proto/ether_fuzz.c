/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a frame: the walks stay inside, and a frame found to be UDP is found to be of the
 * flow that its own addresses and ports make, from both ends.
 */
#include <stdlib.h>
#include <string.h>

#include "proto/ether.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ether_net net;
    struct ether_udp udp;
    uint8_t hdr[ETHER_HDR_LEN];
    (void)ether_from_ip(data, size, hdr);
    if (ether_walk(data, size, &net) < 0) {
        return 0;
    }
    require(net.off <= size && net.tags <= ETHER_TAGS_MAX);
    const uint8_t *ip = data + net.off;
    size_t len = size - net.off;
    if (ether_ip_udp(ip, len, &udp) < 0) {
        return 0;
    }
    size_t n = udp.family == 2 ? 4 : 16;
    struct ether_flow flow = {.family = udp.family, .port = {udp.port[1], udp.port[0]}};
    require(udp.off <= len);
    memcpy(flow.addr[0], udp.addr[1], n);
    memcpy(flow.addr[1], udp.addr[0], n);
    require(ether_ip_is_flow(ip, len, &flow));
    flow.port[0] ^= 1;
    flow.port[1] ^= 2;
    require(!ether_ip_is_flow(ip, len, &flow));
    return 0;
}

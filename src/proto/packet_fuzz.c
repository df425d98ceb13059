/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a frame of any link type, whose number is in the first two: what is found lies
 * inside, and bytes that were cut off change no more than what they held.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "proto/packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void check_inside(const uint8_t *data, size_t size, const uint8_t *at, size_t n)
{
    require(at >= data && n <= size && (size_t)(at - data) <= size - n);
}

static void check(const uint8_t *data, size_t len, const struct packet *p)
{
    const size_t addr = p->version == 4 ? 4 : 16;
    require(p->version == 4 || p->version == 6);
    for (unsigned i = 0; i < 2; i++) {
        check_inside(data, len, p->addr[i], addr);
        if (p->mac[i]) {
            check_inside(data, len, p->mac[i], 6);
        }
    }
    require(p->vlans <= PACKET_VLANS && p->labels <= PACKET_LABELS);
    require(!p->later || (p->fragment && p->port[0] == 0 && p->port[1] == 0));
    require(p->bytes >= (p->version == 4 ? 20 : 40));
    require(p->tcp_flags == 0 || p->proto == 6);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rd r = rd_make(data, size);
    const uint16_t linktype = rd_u16(&r);
    const size_t len = rd_left(&r);
    const uint8_t *frame = r.p;
    struct packet p, less;
    const int known = packet_read(linktype, frame, len, len, &p);
    require((known == -ENOTSUP) == !packet_knows_link(linktype));
    if (known < 0) {
        return 0;
    }
    check(frame, len, &p);
    for (size_t cut = 0; cut < len; cut += 1 + cut / 16) {
        if (packet_read(linktype, frame, cut, len, &less) < 0) {
            continue;
        }
        check(frame, cut, &less);
        require(less.version == p.version && less.bytes == p.bytes);
        require(less.addr[0] == p.addr[0] && less.addr[1] == p.addr[1]);
        require(less.port[0] == 0 || less.port[0] == p.port[0]);
        require(less.tcp_flags == 0 || less.tcp_flags == p.tcp_flags);
    }
    return 0;
}

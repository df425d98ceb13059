/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a frame of any link type, whose number is in the first two: what is found lies
 * inside, and bytes that were cut off change no more than what they held. The same of the innermost
 * packet, which is the outermost one or behind it.
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

static void check_inner(uint16_t linktype, const uint8_t *data, size_t len, size_t origlen,
                        const struct packet *outer, struct packet *ret)
{
    struct packet_tunnel t;
    require(packet_read_inner(linktype, data, len, origlen, PACKET_TUNNELS, ret, &t) == 0);
    check(data, len, ret);
    require(ret->vlans >= outer->vlans && ret->labels == outer->labels);
    require(ret->mac[0] == outer->mac[0] && ret->mac[1] == outer->mac[1]);
    require(t.kind < TUNNEL_KINDS && (t.id == 0 || tunnel_has_id(t.kind)));
    if (t.kind == TUNNEL_NONE) {
        require(ret->addr[0] == outer->addr[0] && ret->bytes == outer->bytes);
        return;
    }
    for (unsigned i = 0; i < 2; i++) {
        check_inside(data, len, t.addr[i], t.version == 4 ? 4 : 16);
    }
    require(t.addr[0] >= outer->addr[0] && t.addr[1] < ret->addr[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rd r = rd_make(data, size);
    const uint16_t linktype = rd_u16(&r);
    const size_t len = rd_left(&r);
    const uint8_t *frame = r.p;
    struct packet p, less, inner, less_inner;
    const int known = packet_read(linktype, frame, len, len, &p);
    require((known == -ENOTSUP) == !packet_knows_link(linktype));
    if (known < 0) {
        return 0;
    }
    check(frame, len, &p);
    check_inner(linktype, frame, len, len, &p, &inner);
    for (size_t cut = 0; cut < len; cut += 1 + cut / 16) {
        if (packet_read(linktype, frame, cut, len, &less) < 0) {
            continue;
        }
        check(frame, cut, &less);
        require(less.version == p.version && less.bytes == p.bytes);
        require(less.addr[0] == p.addr[0] && less.addr[1] == p.addr[1]);
        require(less.port[0] == 0 || less.port[0] == p.port[0]);
        require(less.tcp_flags == 0 || less.tcp_flags == p.tcp_flags);
        check_inner(linktype, frame, cut, len, &less, &less_inner);
        require(less_inner.addr[0] <= inner.addr[0]);
        require(less_inner.addr[0] != inner.addr[0] || less_inner.bytes == inner.bytes);
    }
    return 0;
}

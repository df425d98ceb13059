/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/encap.h"

#include <netinet/in.h>

#include "base/bytes.h"

enum {
    UDP_LEN = 8,
    VXLAN_LEN = 8,
    VXLAN_VALID = 0x08,
    VXLAN_PORTS = 1 << 14,
    GRE_KEY = 0x2000,
    GRE_SEQ = 0x1000,
    GRE_LEN = 4,
    TYPE_TEB = 0x6558,    /* transparent Ethernet bridging */
    TYPE_ERSPAN = 0x88be, /* types I and II */
    ERSPAN_LEN = 8,
    ERSPAN_VERSION = 1, /* of type II */
    ERSPAN_TAG_KEPT = 3,
    ERSPAN_CUT = 0x0400,
    ERSPAN_INDEX = (1 << 20) - 1,
    TYPE_ERSPAN3 = 0x22eb,
    ERSPAN3_LEN = 12,
    ERSPAN3_VERSION = 2,
    ERSPAN3_PDU = 0x8000, /* an Ethernet frame follows; so says the frame type, which is 0 */
    ERSPAN3_OUT = 0x0008,
    ERSPAN3_100NS = 1 << 1, /* the unit of the timestamp */
    ERSPAN3_UNIT = 100,
};

uint8_t encap_protocol(enum encap_kind kind)
{
    return kind == ENCAP_VXLAN ? IPPROTO_UDP : IPPROTO_GRE;
}

size_t encap_len(const struct encap *e)
{
    switch (e->kind) {
    case ENCAP_VXLAN:
        return UDP_LEN + VXLAN_LEN;
    case ENCAP_GRE:
        return e->has_key ? GRE_LEN + 4 : GRE_LEN;
    case ENCAP_ERSPAN:
        return GRE_LEN + 4 + ERSPAN_LEN;
    case ENCAP_ERSPAN3:
        break;
    }
    return GRE_LEN + 4 + ERSPAN3_LEN;
}

static void write_vxlan(const struct encap *e, const struct encap_frame *f, uint8_t *to)
{
    st_u16(to, (uint16_t)(ENCAP_PORT_FIRST + f->flow % VXLAN_PORTS));
    st_u16(to + 2, e->port);
    st_u16(to + 4, (uint16_t)(UDP_LEN + VXLAN_LEN + f->len));
    st_u16(to + 6, 0);
    st_u32(to + 8, (uint32_t)VXLAN_VALID << 24);
    st_u32(to + 12, e->id << 8);
}

static void write_gre(const struct encap *e, uint8_t *to)
{
    st_u16(to, e->has_key ? GRE_KEY : 0);
    st_u16(to + 2, TYPE_TEB);
    if (e->has_key) {
        st_u32(to + 4, e->id);
    }
}

/* GRE with a sequence number; version and VLAN; class of service, what both types have between, the
 * session. */
static void write_erspan_base(const struct encap *e, const struct encap_frame *f, uint16_t type,
                              uint16_t version, uint16_t between, uint8_t *to)
{
    const uint16_t tci = f->tagged ? f->tci : 0;
    st_u16(to, GRE_SEQ);
    st_u16(to + 2, type);
    st_u32(to + 4, f->seq);
    st_u16(to + 8, (uint16_t)(version << 12 | (tci & 0x0fff)));
    st_u16(to + 10, (uint16_t)((tci & 0xe000) | between | (f->cut ? ERSPAN_CUT : 0) |
                               (e->id & ENCAP_SESSION_MAX)));
}

/* Whether there is a tag; an index of the sender's own. */
static void write_erspan(const struct encap *e, const struct encap_frame *f, uint8_t *to)
{
    const uint16_t tag = f->tagged ? ERSPAN_TAG_KEPT << 11 : 0;
    write_erspan_base(e, f, TYPE_ERSPAN, ERSPAN_VERSION, tag, to);
    st_u32(to + 12, f->port & ERSPAN_INDEX);
}

/* Nothing is known of errors (2 bits of 0), no group tag, no number of hardware, no sub-header. */
static void write_erspan3(const struct encap *e, const struct encap_frame *f, uint8_t *to)
{
    write_erspan_base(e, f, TYPE_ERSPAN3, ERSPAN3_VERSION, 0, to);
    st_u32(to + 12, (uint32_t)(f->ts_ns / ERSPAN3_UNIT));
    st_u16(to + 16, 0);
    st_u16(to + 18, (uint16_t)(ERSPAN3_PDU | ERSPAN3_100NS | (f->out ? ERSPAN3_OUT : 0)));
}

void encap_write(const struct encap *e, const struct encap_frame *f, uint8_t ret[ENCAP_HEAD_MAX])
{
    switch (e->kind) {
    case ENCAP_VXLAN:
        write_vxlan(e, f, ret);
        break;
    case ENCAP_GRE:
        write_gre(e, ret);
        break;
    case ENCAP_ERSPAN:
        write_erspan(e, f, ret);
        break;
    case ENCAP_ERSPAN3:
        write_erspan3(e, f, ret);
        break;
    }
}

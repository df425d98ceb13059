/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/tunnel.h"

#include <netinet/in.h>
#include <stddef.h>

#include "proto/ether.h"

enum {
    TYPE_MPLS = 0x8847,
    TYPE_ERSPAN = 0x88be,
    TYPE_ERSPAN3 = 0x22eb,
    VXLAN_PORT = 4789,
    VXLAN_PORT_OLD = 8472, /* Linux's own */
    GPE_PORT = 4790,
    GENEVE_PORT = 6081,
    GTPU_PORT = 2152,
    VXLAN_LEN = 8,
    VXLAN_VALID = 0x08, /* the flag that there is a VNI: all others are reserved, and ignored */
    GPE_VERSION = 0x30,
    GPE_NEXT = 0x04, /* the flag that there is a next protocol; without it is a frame */
    GPE_OAM = 0x01,  /* no packet of the tenant's */
    GENEVE_LEN = 8,
    GRE_LEN = 4,
    GRE_CSUM = 0x8000,
    GRE_KEY = 0x2000,
    GRE_SEQ = 0x1000,
    GRE_UNKNOWN = 0x4007, /* RFC 1701's routes and other versions, which are laid out otherwise */
    ERSPAN_SESSION = 0x03ff,
    ERSPAN2_LEN = 8,
    ERSPAN2_TAG_TAKEN = 2, /* the frame had a tag, which is in this header alone */
    ERSPAN3_LEN = 12,
    ERSPAN3_SUB_LEN = 8,
    ERSPAN3_ETHERNET = 0,
    ERSPAN3_IP = 2,
    GTPU_LEN = 8,
    GTPU_FLAGS = 0xf0, /* version and protocol type … */
    GTPU_V1 = 0x30,    /* … of GTP version 1, which is not GTP' */
    GTPU_OPTIONAL = 0x07,
    GTPU_EXTENSION = 0x04,
    GTPU_EXTENSIONS_MAX = 8,
    GTPU_PACKET = 255, /* G-PDU */
};

static uint16_t u16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t u24(const uint8_t *p)
{
    return (uint32_t)(p[0] << 16 | p[1] << 8 | p[2]);
}

/* The EtherType of an IP packet of which nothing else tells the version. */
static uint16_t type_by_version(const struct rd *r)
{
    const unsigned version = rd_left(r) > 0 ? r->p[0] >> 4 : 0;
    return version == 4 ? ETHER_TYPE_IPV4 : version == 6 ? ETHER_TYPE_IPV6 : 0;
}

/* ---- GRE ---- */

/* ERSPAN I is Ethernet right behind GRE; II, told apart by GRE's sequence number alone, has a
 * header. */
static void read_erspan(struct rd *r, bool second, struct tunnel *t)
{
    const uint8_t *h = second ? rd_take(r, ERSPAN2_LEN) : NULL;
    *t = (struct tunnel){.kind = second ? TUNNEL_ERSPAN : TUNNEL_ERSPAN1, .type = TUNNEL_ETHERNET};
    if (!h) {
        return;
    }
    t->id = u16(h + 2) & ERSPAN_SESSION;
    t->tagged = (h[2] >> 3 & 3) == ERSPAN2_TAG_TAKEN;
    if (t->tagged) { /* version (4 bits), VLAN (12), class of service (3) to class, 0, VLAN */
        t->tag = (uint16_t)((u16(h) & 0x0fff) | (h[2] & 0xe0) << 8);
    }
}

/* ERSPAN III: its frame type counts; the P bit beside it is left unset by senders. */
static void read_erspan3(struct rd *r, struct tunnel *t)
{
    const uint8_t *h = rd_take(r, ERSPAN3_LEN);
    if (h && h[11] & 1) {
        rd_skip(r, ERSPAN3_SUB_LEN);
    }
    const uint8_t type = h ? h[10] >> 2 & 0x1f : 0;
    if (!h || !rd_left(r)) {
        r->bad = true;
        return;
    }
    *t = (struct tunnel){.kind = TUNNEL_ERSPAN, .id = u16(h + 2) & ERSPAN_SESSION};
    t->type = type == ERSPAN3_ETHERNET ? TUNNEL_ETHERNET
              : type == ERSPAN3_IP     ? type_by_version(r)
                                       : 0;
}

static void read_gre(struct rd *r, struct tunnel *t)
{
    const uint8_t *h = rd_take(r, GRE_LEN);
    const uint16_t flags = h ? u16(h) : 0, type = h ? u16(h + 2) : 0;
    if (flags & GRE_UNKNOWN) {
        r->p = h;
        return;
    }
    rd_skip(r, flags & GRE_CSUM ? 4 : 0);
    const uint32_t key = flags & GRE_KEY ? rd_u32(r) : 0;
    rd_skip(r, flags & GRE_SEQ ? 4 : 0);
    if (type == TYPE_ERSPAN) {
        read_erspan(r, flags & GRE_SEQ, t);
    } else if (type == TYPE_ERSPAN3) {
        read_erspan3(r, t);
    } else if (type == TUNNEL_ETHERNET) {
        *t = (struct tunnel){flags & GRE_KEY ? TUNNEL_GRETAP_KEY : TUNNEL_GRETAP, key, type,
                             .tagged = false};
    } else {
        *t = (struct tunnel){flags & GRE_KEY ? TUNNEL_GRE_KEY : TUNNEL_GRE, key, type,
                             .tagged = false};
    }
}

void tunnel_in_ip(struct rd *r, uint8_t proto, struct tunnel *ret)
{
    *ret = (struct tunnel){0};
    if (proto == IPPROTO_IPIP) {
        *ret = (struct tunnel){.kind = TUNNEL_IP, .type = ETHER_TYPE_IPV4};
    } else if (proto == IPPROTO_IPV6) {
        *ret = (struct tunnel){.kind = TUNNEL_IP, .type = ETHER_TYPE_IPV6};
    } else if (proto == IPPROTO_GRE) {
        read_gre(r, ret);
    }
}

/* ---- UDP ---- */

/* Without its flag it is some other use of the port. */
static void read_vxlan(struct rd *r, struct tunnel *t)
{
    const uint8_t *h = rd_take(r, VXLAN_LEN);
    if (h && h[0] & VXLAN_VALID) {
        *t = (struct tunnel){.kind = TUNNEL_VXLAN, .id = u24(h + 4), .type = TUNNEL_ETHERNET};
    }
}

/* Section 3.1 of the draft, and its first numbers of MPLS, which Linux has. */
static void read_gpe(struct rd *r, struct tunnel *t)
{
    static const uint16_t types[] = {0, ETHER_TYPE_IPV4, ETHER_TYPE_IPV6, TUNNEL_ETHERNET,
                                     0, TYPE_MPLS};
    const uint8_t *h = rd_take(r, VXLAN_LEN);
    if (!h || !(h[0] & VXLAN_VALID) || h[0] & (GPE_VERSION | GPE_OAM)) {
        return;
    }
    *t = (struct tunnel){.kind = TUNNEL_GPE, .id = u24(h + 4), .type = TUNNEL_ETHERNET};
    if (h[0] & GPE_NEXT) {
        t->type = h[3] < sizeof(types) / sizeof(types[0]) ? types[h[3]] : 0;
    }
}

/* Section 3.4 of the RFC, version 0. */
static void read_geneve(struct rd *r, struct tunnel *t)
{
    const uint8_t *h = rd_take(r, GENEVE_LEN);
    if (h && h[0] >> 6 == 0) {
        rd_skip(r, (h[0] & 0x3fu) * 4);
        *t = (struct tunnel){.kind = TUNNEL_GENEVE, .id = u24(h + 4), .type = u16(h + 2)};
    }
}

/* Extension headers (section 5.2.1): units of 4 bytes, the last of which tells what follows. None
 * has 0 units, and there are never as many bytes as are then asked for. */
static void skip_extensions(struct rd *r, uint8_t next)
{
    for (unsigned i = 0; next != 0 && rd_ok(r); i++) {
        const size_t len = rd_u8(r) * (size_t)4;
        r->bad |= i == GTPU_EXTENSIONS_MAX;
        const uint8_t *rest = rd_take(r, len - 1);
        next = rest ? rest[len - 2] : 0;
    }
}

/* Section 5.1. What is inside is told nowhere but in the bearer's set-up: IP by its version. */
static void read_gtpu(struct rd *r, struct tunnel *t)
{
    const uint8_t *h = rd_take(r, GTPU_LEN);
    if (!h || (h[0] & GTPU_FLAGS) != GTPU_V1 || h[1] != GTPU_PACKET) {
        return;
    }
    const uint8_t *optional = h[0] & GTPU_OPTIONAL ? rd_take(r, 4) : NULL;
    if (optional && h[0] & GTPU_EXTENSION) {
        skip_extensions(r, optional[3]);
    }
    *t = (struct tunnel){.kind = TUNNEL_GTPU,
                         .id = (uint32_t)u16(h + 4) << 16 | u16(h + 6),
                         .type = type_by_version(r)};
}

enum tunnel_kind tunnel_of_port(uint16_t port)
{
    switch (port) {
    case VXLAN_PORT:
    case VXLAN_PORT_OLD:
        return TUNNEL_VXLAN;
    case GPE_PORT:
        return TUNNEL_GPE;
    case GENEVE_PORT:
        return TUNNEL_GENEVE;
    case GTPU_PORT:
        return TUNNEL_GTPU;
    default:
        return TUNNEL_NONE;
    }
}

void tunnel_in_udp(struct rd *r, uint16_t port, struct tunnel *ret)
{
    const enum tunnel_kind kind = tunnel_of_port(port);
    *ret = (struct tunnel){0};
    if (kind == TUNNEL_VXLAN) {
        read_vxlan(r, ret);
    } else if (kind == TUNNEL_GPE) {
        read_gpe(r, ret);
    } else if (kind == TUNNEL_GENEVE) {
        read_geneve(r, ret);
    } else if (kind == TUNNEL_GTPU) {
        read_gtpu(r, ret);
    }
}

/* ---- kinds ---- */

static const struct {
    const char *name;
    bool has_id;
} kinds[TUNNEL_KINDS] = {
    [TUNNEL_NONE] = {"none", false},        [TUNNEL_GRE] = {"gre", false},
    [TUNNEL_GRE_KEY] = {"gre", true},       [TUNNEL_GRETAP] = {"gretap", false},
    [TUNNEL_GRETAP_KEY] = {"gretap", true}, [TUNNEL_ERSPAN1] = {"erspan", false},
    [TUNNEL_ERSPAN] = {"erspan", true},     [TUNNEL_IP] = {"ip", false},
    [TUNNEL_VXLAN] = {"vxlan", true},       [TUNNEL_GPE] = {"vxlan-gpe", true},
    [TUNNEL_GENEVE] = {"geneve", true},     [TUNNEL_GTPU] = {"gtp-u", true},
};

const char *tunnel_name(enum tunnel_kind kind)
{
    return kinds[kind].name;
}

bool tunnel_has_id(enum tunnel_kind kind)
{
    return kinds[kind].has_id;
}

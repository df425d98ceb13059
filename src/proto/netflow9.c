/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/netflow9.h"

#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/time.h"

enum {
    VERSION = 9,
    HEADER = 20, /* RFC 3954, section 5.1 */
    SET_HEADER = 4,
    SET_TEMPLATES = 0,
    SET_OPTION_TEMPLATES = 1,
    SET_NONE = 2, /* reserved */
    TEMPLATE_V4 = 256,
    TEMPLATE_V6 = 257,
    TEMPLATE_NAME = 258,
    SCOPE_INTERFACE = 2, /* section 6.1 */
    IF_NAME = 82,
    INTERFACE_LEN = 4,
    ALIGN = 4,
};

/* A field type (section 8, and IANA's registry, whose numbers below 128 are the same) and its
 * length in bytes. */
struct field {
    uint16_t type, len;
};

/* Fields of one record, in the order in which put_record() puts them. The outermost VLAN is
 * SRC_VLAN (58), which collectors of version 9 know, the one within it dot1qCustomerVlanId;
 * ICMP_TYPE (32) is that of ICMPv6 too, and is in the destination's port as well. */
static const struct field v4[] = {{22, 4}, {21, 4}, {8, 4},   {12, 4},  {7, 2},  {11, 2}, {4, 1},
                                  {5, 1},  {6, 1},  {60, 1},  {136, 1}, {32, 2}, {2, 8},  {1, 8},
                                  {10, 4}, {58, 2}, {245, 2}, {70, 3},  {56, 6}, {80, 6}};
static const struct field v6[] = {{22, 4}, {21, 4}, {27, 16}, {28, 16}, {7, 2},  {11, 2}, {4, 1},
                                  {5, 1},  {6, 1},  {60, 1},  {136, 1}, {32, 2}, {2, 8},  {1, 8},
                                  {10, 4}, {58, 2}, {245, 2}, {70, 3},  {56, 6}, {80, 6}};

static size_t length_of(const struct field *f, size_t n)
{
    size_t len = 0;
    for (size_t i = 0; i < n; i++) {
        len += f[i].len;
    }
    return len;
}

void netflow9_init(struct netflow9 *m, uint32_t source)
{
    *m = (struct netflow9){.source = source, .set = SET_NONE, .used = HEADER};
}

static struct wr at_end(struct netflow9 *m)
{
    return wr_make(m->bytes + m->used, NETFLOW9_MESSAGE - m->used);
}

static void close_set(struct netflow9 *m)
{
    if (m->set != SET_NONE) {
        while (m->used % ALIGN != 0) {
            m->bytes[m->used++] = 0;
        }
        st_u16(m->bytes + m->set_at + 2, (uint16_t)(m->used - m->set_at));
        m->set = SET_NONE;
    }
}

static size_t aligned(size_t at)
{
    return (at + ALIGN - 1) / ALIGN * ALIGN;
}

/* Opens a flow set of that kind, unless it is open, for `len` bytes and the padding behind them.
 * False: there is no room. */
static bool open_set(struct netflow9 *m, uint16_t set, size_t len)
{
    const bool open = m->set == set;
    const size_t from = open ? m->used : aligned(m->used) + SET_HEADER;
    if (aligned(from + len) > NETFLOW9_MESSAGE) {
        return false;
    }
    if (!open) {
        close_set(m);
        struct wr w = at_end(m);
        wr_u16(&w, set);
        wr_u16(&w, 0); /* its length, by close_set() */
        m->set = set;
        m->set_at = m->used;
        m->used += SET_HEADER;
    }
    return true;
}

static void put_template(struct netflow9 *m, uint16_t id, const struct field *f, size_t n)
{
    struct wr w = at_end(m);
    wr_u16(&w, id);
    wr_u16(&w, (uint16_t)n);
    for (size_t i = 0; i < n; i++) {
        wr_u16(&w, f[i].type);
        wr_u16(&w, f[i].len);
    }
    m->used += wr_len(&w);
    m->count++;
}

/* Section 6.1: lengths of the scope's fields and of the others in bytes, then both. */
static void put_option_template(struct netflow9 *m)
{
    struct wr w = at_end(m);
    wr_u16(&w, TEMPLATE_NAME);
    wr_u16(&w, sizeof(struct field));
    wr_u16(&w, sizeof(struct field));
    wr_u16(&w, SCOPE_INTERFACE);
    wr_u16(&w, INTERFACE_LEN);
    wr_u16(&w, IF_NAME);
    wr_u16(&w, NETFLOW9_NAME);
    m->used += wr_len(&w);
    m->count++;
}

bool netflow9_templates(struct netflow9 *m)
{
    const size_t flows = 2 * SET_HEADER + sizeof(v4) + sizeof(v6);
    const size_t options = SET_HEADER + 6 + 2 * sizeof(struct field);
    if (!open_set(m, SET_TEMPLATES, flows + ALIGN + options)) {
        return false;
    }
    put_template(m, TEMPLATE_V4, v4, ARRAY_SIZE(v4));
    put_template(m, TEMPLATE_V6, v6, ARRAY_SIZE(v6));
    (void)open_set(m, SET_OPTION_TEMPLATES, options - SET_HEADER);
    put_option_template(m);
    close_set(m);
    return true;
}

static void put_record(struct wr *w, const struct uptime *u, const struct flowrec *r)
{
    const size_t addr = r->version == 4 ? 4 : 16;
    wr_u32(w, uptime_of(u, r->first_ns));
    wr_u32(w, uptime_of(u, r->last_ns));
    wr_copy(w, r->addr[0], addr);
    wr_copy(w, r->addr[1], addr);
    wr_u16(w, r->port[0]);
    wr_u16(w, r->port[1]);
    wr_u8(w, r->proto);
    wr_u8(w, r->tos);
    wr_u8(w, r->tcp_flags);
    wr_u8(w, r->version);
    wr_u8(w, r->end_reason);
    wr_u16(w, flowrec_is_icmp(r) ? r->port[1] : 0);
    wr_u64(w, r->packets);
    wr_u64(w, r->bytes);
    wr_u32(w, r->interface);
    wr_u16(w, r->vlans > 0 ? r->vlan[0] : 0);
    wr_u16(w, r->vlans > 1 ? r->vlan[1] : 0);
    wr_u24(w, r->has_label ? r->label : 0);
    wr_copy(w, r->mac[0], sizeof(r->mac[0]));
    wr_copy(w, r->mac[1], sizeof(r->mac[1]));
}

bool netflow9_add(struct netflow9 *m, const struct flowrec *r)
{
    const bool four = r->version == 4;
    const size_t len = four ? length_of(v4, ARRAY_SIZE(v4)) : length_of(v6, ARRAY_SIZE(v6));
    if (m->records > 0 && !uptime_fits(&m->uptime, r)) {
        return false;
    }
    if (!open_set(m, four ? TEMPLATE_V4 : TEMPLATE_V6, len)) {
        return false;
    }
    uptime_take(&m->uptime, r);
    struct wr w = at_end(m);
    put_record(&w, &m->uptime, r);
    m->used += len;
    m->count++;
    m->records++;
    return true;
}

bool netflow9_name(struct netflow9 *m, uint32_t interface, const char *name)
{
    const size_t n = strnlen(name, NETFLOW9_NAME);
    if (!open_set(m, TEMPLATE_NAME, INTERFACE_LEN + NETFLOW9_NAME)) {
        return false;
    }
    struct wr w = at_end(m);
    wr_u32(&w, interface);
    wr_copy(&w, (const uint8_t *)name, n);
    wr_zero(&w, NETFLOW9_NAME - n);
    m->used += wr_len(&w);
    m->count++;
    return true;
}

size_t netflow9_end(struct netflow9 *m)
{
    close_set(m);
    const size_t len = m->used;
    if (len == HEADER) {
        return 0;
    }
    const int64_t s = (m->uptime.last_ms + 999) / 1000;
    struct wr w = wr_make(m->bytes, HEADER);
    wr_u16(&w, VERSION);
    wr_u16(&w, (uint16_t)m->count);
    wr_u32(&w, (uint32_t)(s * 1000 - m->uptime.base_ms));
    wr_u32(&w, (uint32_t)s);
    wr_u32(&w, m->sequence);
    wr_u32(&w, m->source);
    m->sequence++;
    m->count = 0;
    m->records = 0;
    m->used = HEADER;
    return len;
}

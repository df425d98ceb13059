/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/netflow9.h"

#include "base/cleanup.h"
#include "base/time.h"

enum {
    VERSION = 9,
    HEADER = 20, /* RFC 3954, section 5.1 */
    SET_TEMPLATES = 0,
    SET_OPTION_TEMPLATES = 1,
    TEMPLATE_V4 = 256,
    TEMPLATE_V6 = 257,
    TEMPLATE_NAME = 258,
    TEMPLATE_SAMPLING = 259,
    OPTION_TEMPLATE = 6, /* bytes before its fields: section 6.1 */
    SCOPE_SYSTEM = 1,
    SCOPE_INTERFACE = 2,
    SAMPLING_INTERVAL = 34,
    SAMPLING_ALGORITHM = 35,
    RANDOM = 2, /* of the latter: as Cisco's "random sampling" */
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

/* Of options, the scope first. */
static const struct field option_name[] = {{SCOPE_INTERFACE, INTERFACE_LEN},
                                           {IF_NAME, NETFLOW9_NAME}};
static const struct field option_sampling[] = {
    {SCOPE_SYSTEM, 4}, {SAMPLING_INTERVAL, 4}, {SAMPLING_ALGORITHM, 1}};

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
    *m = (struct netflow9){.source = source};
    flowsets_init(&m->sets, HEADER, ALIGN);
}

/* A template's fields, with which it ends. */
static void end_template(struct netflow9 *m, struct wr *w, const struct field *f, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        wr_u16(w, f[i].type);
        wr_u16(w, f[i].len);
    }
    flowsets_take(&m->sets, w);
    m->count++;
}

static void put_template(struct netflow9 *m, uint16_t id, const struct field *f, size_t n)
{
    struct wr w = flowsets_end(&m->sets);
    wr_u16(&w, id);
    wr_u16(&w, (uint16_t)n);
    end_template(m, &w, f, n);
}

/* Section 6.1: the bytes that the scope has, here the first field, and the others, then all. */
static void put_option_template(struct netflow9 *m, uint16_t id, const struct field *f, size_t n)
{
    struct wr w = flowsets_end(&m->sets);
    wr_u16(&w, id);
    wr_u16(&w, sizeof(*f));
    wr_u16(&w, (uint16_t)((n - 1) * sizeof(*f)));
    end_template(m, &w, f, n);
}

bool netflow9_templates(struct netflow9 *m)
{
    const size_t flows = 2 * FLOWSETS_HEADER + sizeof(v4) + sizeof(v6);
    const size_t options = FLOWSETS_HEADER + OPTION_TEMPLATE + sizeof(option_name);
    if (!flowsets_open(&m->sets, SET_TEMPLATES, flows + ALIGN + options)) {
        return false;
    }
    put_template(m, TEMPLATE_V4, v4, ARRAY_SIZE(v4));
    put_template(m, TEMPLATE_V6, v6, ARRAY_SIZE(v6));
    (void)flowsets_open(&m->sets, SET_OPTION_TEMPLATES, options - FLOWSETS_HEADER);
    put_option_template(m, TEMPLATE_NAME, option_name, ARRAY_SIZE(option_name));
    flowsets_close(&m->sets);
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
    if (!flowsets_open(&m->sets, four ? TEMPLATE_V4 : TEMPLATE_V6, len)) {
        return false;
    }
    uptime_take(&m->uptime, r);
    struct wr w = flowsets_end(&m->sets);
    put_record(&w, &m->uptime, r);
    flowsets_take(&m->sets, &w);
    m->count++;
    m->records++;
    return true;
}

bool netflow9_name(struct netflow9 *m, uint32_t interface, const char *name)
{
    const size_t n = strnlen(name, NETFLOW9_NAME);
    if (!flowsets_open(&m->sets, TEMPLATE_NAME, INTERFACE_LEN + NETFLOW9_NAME)) {
        return false;
    }
    struct wr w = flowsets_end(&m->sets);
    wr_u32(&w, interface);
    wr_copy(&w, (const uint8_t *)name, n);
    wr_zero(&w, NETFLOW9_NAME - n);
    flowsets_take(&m->sets, &w);
    m->count++;
    return true;
}

/* The record is padded by its flow set. */
bool netflow9_sampling(struct netflow9 *m, const struct sampling *s)
{
    const size_t template = OPTION_TEMPLATE + sizeof(option_sampling);
    const size_t record = length_of(option_sampling, ARRAY_SIZE(option_sampling));
    if (FLOWSETS_MESSAGE - m->sets.used < 2 * (FLOWSETS_HEADER + ALIGN) + template + record) {
        return false;
    }
    (void)flowsets_open(&m->sets, SET_OPTION_TEMPLATES, template);
    put_option_template(m, TEMPLATE_SAMPLING, option_sampling, ARRAY_SIZE(option_sampling));
    (void)flowsets_open(&m->sets, TEMPLATE_SAMPLING, record);
    struct wr w = flowsets_end(&m->sets);
    wr_u32(&w, m->source);
    wr_u32(&w, s->packets);
    wr_u8(&w, RANDOM);
    flowsets_take(&m->sets, &w);
    m->count++;
    return true;
}

size_t netflow9_end(struct netflow9 *m)
{
    flowsets_close(&m->sets);
    const size_t len = m->sets.used;
    if (len == HEADER) {
        return 0;
    }
    const int64_t s = (m->uptime.last_ms + 999) / 1000;
    struct wr w = wr_make(m->sets.bytes, HEADER);
    wr_u16(&w, VERSION);
    wr_u16(&w, (uint16_t)m->count);
    wr_u32(&w, (uint32_t)(s * 1000 - m->uptime.base_ms));
    wr_u32(&w, (uint32_t)s);
    wr_u32(&w, m->sequence);
    wr_u32(&w, m->source);
    m->sequence++;
    m->count = 0;
    m->records = 0;
    m->sets.used = HEADER;
    return len;
}

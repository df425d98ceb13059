/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/ipfix.h"

#include "base/cleanup.h"
#include "base/time.h"

enum {
    VERSION = 10,
    HEADER = 16, /* RFC 7011, section 3.1 */
    ALIGN = 1,   /* sets have no padding */
    SET_TEMPLATES = 2,
    SET_OPTION_TEMPLATES = 3,
    TEMPLATE_V4 = 256, /* the first number that a template may have */
    TEMPLATE_V6 = 257,
    TEMPLATE_NAME = 258,
    VARIABLE = 65535,    /* the length is in front of the value */
    NAME = 82,           /* interfaceName */
    INTERFACE = 10,      /* ingressInterface */
    FIELD = 4,           /* bytes of a field in a template */
    ENTERPRISE = 0x8000, /* in a field's number: whose it is follows */
    REVERSE = 29305,     /* the enterprise that stands for the other direction */
    TEMPLATES_MAX = 512,
    NVGRE_RESERVED = 0xfff,
};

#define SINCE_1900 UINT64_C(2208988800) /* seconds to 1970 */
#define SEGMENT_VXLAN UINT64_C(1)
#define SEGMENT_NVGRE UINT64_C(2)

/* An information element (IANA's registry) and its length in bytes, which may be less than its
 * type has (RFC 7011, section 6.2). */
struct element {
    uint16_t id;
    uint8_t len;
    uint8_t version; /* of the packets that have it: 4, 6; 0: either */
    uint8_t with;    /* enum ipfix_with, all of them; 0: all streams have it */
    bool reverse;    /* of the other direction (RFC 5103, section 6.1) */
};

/* Elements of a record, in the order in which put_record() puts them. TCP's flags have one byte:
 * some collectors read no more. Some take the other direction's times, class of service and flags
 * for the record's own where they come last, and so they come before. */
static const struct element elements[] = {
    {152, 8, .with = IPFIX_BIFLOW, .reverse = true},
    {153, 8, .with = IPFIX_BIFLOW, .reverse = true},
    {156, 8, .with = IPFIX_BIFLOW | IPFIX_NS, .reverse = true},
    {157, 8, .with = IPFIX_BIFLOW | IPFIX_NS, .reverse = true},
    {152, 8},
    {153, 8},
    {156, 8, .with = IPFIX_NS},
    {157, 8, .with = IPFIX_NS},
    {8, 4, 4},
    {12, 4, 4},
    {27, 16, 6},
    {28, 16, 6},
    {7, 2},
    {11, 2},
    {4, 1},
    {5, 1, .with = IPFIX_BIFLOW, .reverse = true},
    {5, 1},
    {6, 1, .with = IPFIX_BIFLOW, .reverse = true},
    {6, 1},
    {60, 1},
    {136, 1},
    {32, 2, 4},
    {139, 2, 6},
    {2, 8},
    {1, 8},
    {10, 4},
    {243, 2},
    {58, 2}, /* the same: nfcapd reads no other */
    {245, 2},
    {70, 3},
    {56, 6},
    {80, 6},
    {351, 8, .with = IPFIX_TUNNEL},
    {2, 8, .with = IPFIX_BIFLOW, .reverse = true},
    {1, 8, .with = IPFIX_BIFLOW, .reverse = true},
    {239, 1, .with = IPFIX_BIFLOW},
};

static bool has(const struct element *e, unsigned version, unsigned with)
{
    return (e->version == 0 || e->version == version) && (e->with & ~with) == 0;
}

static uint16_t length_of(unsigned version, unsigned with)
{
    unsigned len = 0;
    for (size_t i = 0; i < ARRAY_SIZE(elements); i++) {
        len += has(&elements[i], version, with) ? elements[i].len : 0u;
    }
    return (uint16_t)len;
}

void ipfix_init_with(struct ipfix *m, uint32_t domain, unsigned with)
{
    *m = (struct ipfix){
        .domain = domain, .with = with, .record_len = {length_of(4, with), length_of(6, with)}};
    flowsets_init(&m->sets, HEADER, ALIGN);
}

void ipfix_init(struct ipfix *m, uint32_t domain)
{
    ipfix_init_with(m, domain, 0);
}

/* Of records of that version of IP; returns its length. */
static size_t put_template(struct wr *w, uint16_t id, unsigned version, unsigned with)
{
    uint8_t *begin = wr_take(w, 4);
    uint16_t n = 0;
    for (size_t i = 0; i < ARRAY_SIZE(elements); i++) {
        if (has(&elements[i], version, with)) {
            wr_u16(w, (uint16_t)(elements[i].id | (elements[i].reverse ? ENTERPRISE : 0)));
            wr_u16(w, elements[i].len);
            if (elements[i].reverse) {
                wr_u32(w, REVERSE);
            }
            n++;
        }
    }
    if (begin) {
        st_u16(begin, id);
        st_u16(begin + 2, n);
    }
    return wr_len(w);
}

bool ipfix_templates(struct ipfix *m)
{
    uint8_t bytes[TEMPLATES_MAX];
    struct wr w = wr_make(bytes, sizeof(bytes));
    (void)put_template(&w, TEMPLATE_V4, 4, m->with);
    const size_t len = put_template(&w, TEMPLATE_V6, 6, m->with);
    if (!flowsets_open(&m->sets, SET_TEMPLATES, len)) {
        return false;
    }
    struct wr at = flowsets_end(&m->sets);
    wr_copy(&at, bytes, len);
    flowsets_take(&m->sets, &at);
    flowsets_close(&m->sets);
    return true;
}

/* layer2SegmentId: the kind of overlay in the first byte, where it has a number (IANA's registry).
 * The upper 24 bits of a key are the subnet's where they are none of the reserved ones (RFC 7637,
 * section 3.2). */
static uint64_t segment(const struct flowrec *r)
{
    const uint32_t subnet = r->tunnel_id >> 8;
    if (r->tunnel == TUNNEL_VXLAN || r->tunnel == TUNNEL_GPE) {
        return SEGMENT_VXLAN << 56 | r->tunnel_id;
    }
    return r->tunnel == TUNNEL_GRETAP_KEY && subnet > NVGRE_RESERVED ? SEGMENT_NVGRE << 56 | subnet
                                                                     : 0;
}

/* As NTP has it (RFC 7011, section 6.1.10): seconds since 1900, modulo 2^32, and a fraction, which
 * is rounded up, so that one who cuts off gets the same nanosecond again. */
static uint64_t ntp(int64_t ns)
{
    const uint64_t s = (uint64_t)(ns / NSEC_PER_SEC) + SINCE_1900;
    const uint64_t rest = (uint64_t)(ns % NSEC_PER_SEC) << 32;
    return s << 32 | (rest + NSEC_PER_SEC - 1) / NSEC_PER_SEC;
}

static void put_times(struct wr *w, int64_t first_ns, int64_t last_ns, unsigned with)
{
    wr_u64(w, (uint64_t)(first_ns / NSEC_PER_MSEC));
    wr_u64(w, (uint64_t)(last_ns / NSEC_PER_MSEC));
    if (with & IPFIX_NS) {
        wr_u64(w, ntp(first_ns));
        wr_u64(w, ntp(last_ns));
    }
}

static void put_record(struct wr *w, const struct flowrec *r, unsigned with)
{
    const size_t addr = r->version == 4 ? 4 : 16;
    if (with & IPFIX_BIFLOW) {
        put_times(w, r->reverse.first_ns, r->reverse.last_ns, with);
    }
    put_times(w, r->first_ns, r->last_ns, with);
    wr_copy(w, r->addr[0], addr);
    wr_copy(w, r->addr[1], addr);
    wr_u16(w, r->port[0]);
    wr_u16(w, r->port[1]);
    wr_u8(w, r->proto);
    if (with & IPFIX_BIFLOW) {
        wr_u8(w, r->reverse.tos);
    }
    wr_u8(w, r->tos);
    if (with & IPFIX_BIFLOW) {
        wr_u8(w, r->reverse.tcp_flags);
    }
    wr_u8(w, r->tcp_flags);
    wr_u8(w, r->version);
    wr_u8(w, r->end_reason);
    wr_u16(w, flowrec_is_icmp(r) ? r->port[1] : 0);
    wr_u64(w, r->packets);
    wr_u64(w, r->bytes);
    wr_u32(w, r->interface);
    wr_u16(w, r->vlans > 0 ? r->vlan[0] : 0);
    wr_u16(w, r->vlans > 0 ? r->vlan[0] : 0);
    wr_u16(w, r->vlans > 1 ? r->vlan[1] : 0);
    wr_u24(w, r->has_label ? r->label : 0);
    wr_copy(w, r->mac[0], sizeof(r->mac[0]));
    wr_copy(w, r->mac[1], sizeof(r->mac[1]));
    if (with & IPFIX_TUNNEL) {
        wr_u64(w, segment(r));
    }
    if (with & IPFIX_BIFLOW) {
        wr_u64(w, r->reverse.packets);
        wr_u64(w, r->reverse.bytes);
        wr_u8(w, (uint8_t)r->biflow);
    }
}

bool ipfix_add(struct ipfix *m, const struct flowrec *r)
{
    const bool four = r->version == 4;
    const size_t len = m->record_len[!four];
    if (!flowsets_open(&m->sets, four ? TEMPLATE_V4 : TEMPLATE_V6, len)) {
        return false;
    }
    struct wr w = flowsets_end(&m->sets);
    put_record(&w, r, m->with);
    flowsets_take(&m->sets, &w);
    m->records++;
    const uint32_t s = (uint32_t)(MAX(r->last_ns, r->reverse.last_ns) / NSEC_PER_SEC);
    m->time_s = MAX(m->time_s, s);
    return true;
}

bool ipfix_name(struct ipfix *m, uint32_t interface, const char *name)
{
    const size_t n = strnlen(name, IPFIX_NAME_MAX);
    const size_t template = 6 + 2 * FIELD, record = 4 + 1 + n;
    if (IPFIX_MESSAGE - m->sets.used < 2 * FLOWSETS_HEADER + template + record) {
        return false;
    }
    (void)flowsets_open(&m->sets, SET_OPTION_TEMPLATES, template);
    struct wr w = flowsets_end(&m->sets);
    wr_u16(&w, TEMPLATE_NAME);
    wr_u16(&w, 2); /* fields, … */
    wr_u16(&w, 1); /* … the first of which says what the others are of */
    wr_u16(&w, INTERFACE);
    wr_u16(&w, 4);
    wr_u16(&w, NAME);
    wr_u16(&w, VARIABLE);
    flowsets_take(&m->sets, &w);
    (void)flowsets_open(&m->sets, TEMPLATE_NAME, record);
    w = flowsets_end(&m->sets);
    wr_u32(&w, interface);
    wr_u8(&w, (uint8_t)n);
    wr_copy(&w, (const uint8_t *)name, n);
    flowsets_take(&m->sets, &w);
    m->records++;
    return true;
}

bool ipfix_put(struct ipfix *m, uint16_t set, const void *bytes, size_t len, uint32_t records)
{
    if (!flowsets_open(&m->sets, set, len)) {
        return false;
    }
    struct wr w = flowsets_end(&m->sets);
    wr_copy(&w, bytes, len);
    flowsets_take(&m->sets, &w);
    m->records += records;
    return true;
}

size_t ipfix_end(struct ipfix *m)
{
    const size_t len = m->sets.used;
    if (len == HEADER) {
        return 0;
    }
    flowsets_close(&m->sets);
    struct wr w = wr_make(m->sets.bytes, HEADER);
    wr_u16(&w, VERSION);
    wr_u16(&w, (uint16_t)len);
    wr_u32(&w, m->time_s);
    wr_u32(&w, m->sequence);
    wr_u32(&w, m->domain);
    m->sequence += m->records;
    m->records = 0;
    m->sets.used = HEADER;
    return len;
}

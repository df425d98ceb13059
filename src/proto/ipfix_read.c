/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/ipfix_read.h"

#include <errno.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/ledger.h"
#include "base/time.h"

enum {
    VERSION = 10,
    HEADER = 16,    /* of a message (RFC 7011, section 3.1) */
    SET_HEADER = 4, /* section 3.3.2 */
    SET_TEMPLATES = 2,
    SET_OPTION_TEMPLATES = 3,
    DATA = 256,          /* the first number of a template, and of data sets */
    WITHDRAWAL = 4,      /* bytes; no template has fewer */
    VARIABLE = 65535,    /* the length is in front of the value */
    LONG = 255,          /* such a length has two bytes more */
    ENTERPRISE = 0x8000, /* in a field's number: whose it is follows */
    REVERSE = 29305,     /* the enterprise that stands for the other direction (RFC 5103) */
    VLAN_ID = 0x0fff,
};

#define SINCE_1900 UINT64_C(2208988800) /* seconds to 1970 */
#define ERA (UINT64_C(1) << 32)         /* of NTP: so many seconds */
#define USEC_PER_SEC UINT64_C(1000000)
#define USEC_BITS 21 /* of a fraction that count where the unit is microseconds */

/* An element's place among the values of a record. */
enum place {
    OTHER, /* it has none */
    FIRST_NS,
    LAST_NS, /* behind the first of its unit, as the others are */
    FIRST_US,
    LAST_US,
    FIRST_MS,
    LAST_MS,
    FIRST_S,
    LAST_S,
    PACKETS,
    BYTES,
    TOS,
    TCP_FLAGS,
    SOURCE_4,
    DESTINATION_4,
    SOURCE_6,
    DESTINATION_6,
    SOURCE_PORT,
    DESTINATION_PORT,
    PROTO,
    IP_VERSION,
    END_REASON,
    ICMP_4,
    ICMP_6,
    INTERFACE,
    VLAN_OUTER, /* dot1qVlanId */
    VLAN_ONLY,  /* vlanId, which is the same */
    VLAN_INNER, /* dot1qCustomerVlanId */
    LABEL,
    SOURCE_MAC,
    DESTINATION_MAC,
    WHO_BEGAN,
    PLACES
};

/* An information element (IANA's registry), and its length in bytes. */
struct element {
    uint16_t id;
    uint8_t len;
    uint8_t place; /* enum place */
    bool whole;    /* it has all of these bytes; else it is a number, which may have fewer */
    bool both;     /* the other direction has it too */
};

static const struct element elements[] = {
    {1, 8, BYTES, .both = true},
    {2, 8, PACKETS, .both = true},
    {4, 1, PROTO},
    {5, 1, TOS, .both = true},
    {6, 2, TCP_FLAGS, .both = true},
    {7, 2, SOURCE_PORT},
    {8, 4, SOURCE_4, .whole = true},
    {10, 4, INTERFACE},
    {11, 2, DESTINATION_PORT},
    {12, 4, DESTINATION_4, .whole = true},
    {27, 16, SOURCE_6, .whole = true},
    {28, 16, DESTINATION_6, .whole = true},
    {32, 2, ICMP_4},
    {56, 6, SOURCE_MAC, .whole = true},
    {58, 2, VLAN_ONLY},
    {60, 1, IP_VERSION},
    {70, 3, LABEL, .whole = true},
    {80, 6, DESTINATION_MAC, .whole = true},
    {136, 1, END_REASON},
    {139, 2, ICMP_6},
    {150, 4, FIRST_S, .both = true},
    {151, 4, LAST_S, .both = true},
    {152, 8, FIRST_MS, .both = true},
    {153, 8, LAST_MS, .both = true},
    {154, 8, FIRST_US, .whole = true, .both = true},
    {155, 8, LAST_US, .whole = true, .both = true},
    {156, 8, FIRST_NS, .whole = true, .both = true},
    {157, 8, LAST_NS, .whole = true, .both = true},
    {239, 1, WHO_BEGAN},
    {243, 2, VLAN_OUTER},
    {245, 2, VLAN_INNER},
};

struct field {
    uint16_t len; /* bytes, or VARIABLE */
    uint8_t place;
    uint8_t back; /* 1: of the other direction */
};

struct layout {
    uint32_t domain;
    uint16_t id; /* 0: there is none */
    bool options;
    uint8_t n;
    uint32_t shortest; /* bytes of a record, at least */
    struct field fields[IPFIX_READ_FIELDS];
};

/* A value within a record; `p` is NULL where there is none. */
struct value {
    const uint8_t *p;
    size_t len;
};

/* Those of one direction, by place. */
struct values {
    struct value at[PLACES];
};

struct ipfix_reader {
    struct layout layouts[IPFIX_READ_TEMPLATES];
    uint32_t domain; /* of the message */
    void (*each)(void *user, const struct flowrec *r);
    void *user;
    struct ipfix_read_counts *counts; /* the caller's, or those that nobody asks for */
    struct ipfix_read_counts unasked;
};

/* ---- templates ---- */

static struct layout *find(struct ipfix_reader *x, uint16_t id)
{
    for (size_t i = 0; i < ARRAY_SIZE(x->layouts); i++) {
        if (x->layouts[i].id == id && x->layouts[i].domain == x->domain) {
            return &x->layouts[i];
        }
    }
    return NULL;
}

/* The one of that number anew, or an unused one; NULL: there is none. */
static struct layout *make_room(struct ipfix_reader *x, uint16_t id)
{
    struct layout *t = find(x, id);
    for (size_t i = 0; i < ARRAY_SIZE(x->layouts) && !t; i++) {
        t = x->layouts[i].id == 0 ? &x->layouts[i] : NULL;
    }
    return t;
}

/* Forgets the template of that number, if there is one; the set's own number stands for all of its
 * kind (RFC 7011, section 8.1). */
static void withdraw(struct ipfix_reader *x, uint16_t id, bool options)
{
    const bool all = id == (options ? SET_OPTION_TEMPLATES : SET_TEMPLATES);
    for (size_t i = 0; i < ARRAY_SIZE(x->layouts); i++) {
        struct layout *t = &x->layouts[i];
        if (t->domain == x->domain && (all ? t->options == options : t->id == id)) {
            t->id = 0;
        }
    }
}

static const struct element *element_of(uint16_t id)
{
    for (size_t i = 0; i < ARRAY_SIZE(elements); i++) {
        if (elements[i].id == id) {
            return &elements[i];
        }
    }
    return NULL;
}

static bool has(const struct layout *t, uint8_t place, uint8_t back)
{
    for (unsigned i = 0; i < t->n; i++) {
        if (t->fields[i].place == place && t->fields[i].back == back) {
            return true;
        }
    }
    return false;
}

/* The next field of a template, behind those that it has. */
static void take_field(struct rd *r, struct layout *t)
{
    const uint16_t id = rd_u16(r), len = rd_u16(r);
    const uint32_t whose = id & ENTERPRISE ? rd_u32(r) : 0;
    const uint8_t back = whose == REVERSE;
    struct field f = {.len = len, .back = back};
    const struct element *e = element_of(id & ~ENTERPRISE);
    const bool ours = id & ENTERPRISE ? back && e && e->both : e != NULL;
    if (ours && len <= e->len && len >= (e->whole ? e->len : 1) && !has(t, e->place, back)) {
        f.place = e->place;
    }
    t->shortest += len == VARIABLE ? 1 : len;
    t->fields[t->n++] = f;
}

/* Sections 3.4.1 to 3.4.3. */
static int read_template(struct ipfix_reader *x, struct rd *r, bool options)
{
    const uint16_t id = rd_u16(r), n = rd_u16(r);
    if (n == 0) {
        withdraw(x, id, options);
        return 0;
    }
    struct layout *t = make_room(x, id);
    if (id < DATA || n > IPFIX_READ_FIELDS || !t) {
        return -EBADMSG;
    }
    if (options) {
        rd_skip(r, 2); /* how many of the fields say what the others are of */
    }
    *t = (struct layout){.domain = x->domain, .id = id, .options = options};
    for (unsigned i = 0; i < n; i++) {
        take_field(r, t);
    }
    return rd_ok(r) && t->shortest > 0 ? 0 : -EBADMSG;
}

static int read_templates(struct ipfix_reader *x, struct rd *r, bool options)
{
    int err = 0;
    while (!err && rd_left(r) >= WITHDRAWAL) { /* less is padding */
        err = read_template(x, r, options);
    }
    return err;
}

/* ---- a record ---- */

/* 0 where there is none. */
static uint64_t number(const struct value *v)
{
    uint64_t n = 0;
    for (size_t i = 0; v->p && i < v->len; i++) {
        n = n << 8 | v->p[i];
    }
    return n;
}

static void octets(const struct value *v, uint8_t *to)
{
    if (v->p) {
        memcpy(to, v->p, v->len);
    }
}

/* A time in NTP's form (RFC 7011, sections 6.1.9 and 6.1.10): seconds since 1900, of which those
 * before 1970 are of the era that begins in 2036, and a fraction. Of microseconds it has fewer bits
 * than tell them apart when some are cut off, so it is the nearest one. */
static int64_t of_ntp(uint64_t ntp, bool micro)
{
    const uint64_t s = (ntp >> 32) + (ntp >> 32 < SINCE_1900 ? ERA : 0) - SINCE_1900;
    const uint64_t fraction = ntp & (ERA - 1), half = UINT64_C(1) << (USEC_BITS - 1);
    const uint64_t us = ((fraction >> (32 - USEC_BITS)) * USEC_PER_SEC + half) >> USEC_BITS;
    const uint64_t ns = micro ? us * 1000 : fraction * (uint64_t)NSEC_PER_SEC >> 32;
    return (int64_t)(s * (uint64_t)NSEC_PER_SEC + ns);
}

/* The first time of a direction, or the last one; negative: it is beyond int64_t. */
static int64_t time_of(const struct values *v, unsigned last)
{
    const struct value *at = &v->at[last];
    if (at[FIRST_NS].p) {
        return of_ntp(number(&at[FIRST_NS]), false);
    }
    if (at[FIRST_US].p) {
        return of_ntp(number(&at[FIRST_US]), true);
    }
    if (at[FIRST_MS].p) {
        const uint64_t ms = number(&at[FIRST_MS]);
        return ms <= INT64_MAX / NSEC_PER_MSEC ? (int64_t)ms * NSEC_PER_MSEC : -1;
    }
    return (int64_t)number(&at[FIRST_S]) * NSEC_PER_SEC;
}

/* Has the direction a value at one of these places? */
static bool has_any(const struct values *v, unsigned first, unsigned last)
{
    for (unsigned i = first; i <= last; i++) {
        if (v->at[i].p) {
            return true;
        }
    }
    return false;
}

/* The figures of one direction; `times`: of which its times are. False: they cannot be. */
static bool figures(const struct values *v, const struct values *times, struct flowrec_reverse *ret)
{
    *ret = (struct flowrec_reverse){
        .packets = number(&v->at[PACKETS]),
        .bytes = number(&v->at[BYTES]),
        .first_ns = time_of(times, 0),
        .last_ns = time_of(times, 1),
        .tos = (uint8_t)number(&v->at[TOS]),
        .tcp_flags = (uint8_t)number(&v->at[TCP_FLAGS]),
    };
    return ret->packets <= LEDGER_MOST && ret->bytes <= LEDGER_MOST && ret->first_ns >= 0 &&
           ret->first_ns <= ret->last_ns;
}

static bool both_figures(const struct values v[2], struct flowrec *r)
{
    struct flowrec_reverse here;
    const struct values *back = has_any(&v[1], FIRST_NS, LAST_S) ? &v[1] : &v[0];
    const bool two = number(&v[1].at[PACKETS]) > 0;
    if (!figures(&v[0], &v[0], &here) || (two && !figures(&v[1], back, &r->reverse))) {
        return false;
    }
    r->packets = here.packets;
    r->bytes = here.bytes;
    r->first_ns = here.first_ns;
    r->last_ns = here.last_ns;
    r->tos = here.tos;
    r->tcp_flags = here.tcp_flags;
    return here.packets > 0 || two;
}

/* The side that began; one-way where the template has nothing of the other direction. Those who say
 * that nobody knows (0), or who tell which side is the outer one, have the source first. */
static enum flowrec_biflow biflow(const struct values v[2], uint64_t reverse_packets)
{
    const uint64_t who = number(&v[0].at[WHO_BEGAN]);
    if (!has_any(&v[1], 0, PLACES - 1)) {
        return FLOWREC_ONE_WAY;
    }
    if (who == FLOWREC_INITIATOR || who == FLOWREC_RESPONDER) {
        return (enum flowrec_biflow)who;
    }
    return who == 0 || reverse_packets > 0 ? FLOWREC_INITIATOR : FLOWREC_ONE_WAY;
}

static bool all_zero(const struct value *v)
{
    uint8_t any = 0;
    for (size_t i = 0; v->p && i < v->len; i++) {
        any |= v->p[i];
    }
    return any == 0;
}

/* Some exporters have one template for both versions, with addresses of which one kind is 0. */
static uint8_t version_of(const struct values *v)
{
    const struct value *at = v->at;
    if (at[IP_VERSION].p) {
        return (uint8_t)number(&at[IP_VERSION]);
    }
    if (!all_zero(&at[SOURCE_6]) || !all_zero(&at[DESTINATION_6])) {
        return 6;
    }
    if (at[SOURCE_4].p || at[DESTINATION_4].p) {
        return 4;
    }
    return at[SOURCE_6].p || at[DESTINATION_6].p ? 6 : 0;
}

static void addresses(const struct values *v, struct flowrec *r)
{
    const unsigned at = r->version == 4 ? SOURCE_4 : SOURCE_6;
    octets(&v->at[at], r->addr[0]);
    octets(&v->at[at + 1], r->addr[1]);
    octets(&v->at[SOURCE_MAC], r->mac[0]);
    octets(&v->at[DESTINATION_MAC], r->mac[1]);
    r->has_mac = !all_zero(&v->at[SOURCE_MAC]) || !all_zero(&v->at[DESTINATION_MAC]);
}

/* Both ports, or ICMP's type and code, which some have in an element of their own alone. */
static void ports(const struct values *v, struct flowrec *r)
{
    r->port[0] = (uint16_t)number(&v->at[SOURCE_PORT]);
    r->port[1] = (uint16_t)number(&v->at[DESTINATION_PORT]);
    if (flowrec_is_icmp(r)) {
        r->port[0] = 0;
        if (r->port[1] == 0) {
            r->port[1] = (uint16_t)number(&v->at[r->version == 4 ? ICMP_4 : ICMP_6]);
        }
    }
}

static void add_vlan(struct flowrec *r, uint64_t id)
{
    if (id > 0) {
        r->vlan[r->vlans++] = (uint16_t)id;
    }
}

static void tags(const struct values *v, struct flowrec *r)
{
    const uint64_t outer = number(&v->at[VLAN_OUTER]) & VLAN_ID;
    add_vlan(r, outer > 0 ? outer : number(&v->at[VLAN_ONLY]) & VLAN_ID);
    add_vlan(r, number(&v->at[VLAN_INNER]) & VLAN_ID);
    r->label = (uint32_t)number(&v->at[LABEL]);
    r->has_label = r->label > 0;
}

/* False: it is no flow. */
static bool make_record(const struct values v[2], struct flowrec *ret)
{
    *ret = (struct flowrec){
        .version = version_of(&v[0]),
        .proto = (uint8_t)number(&v[0].at[PROTO]),
        .end_reason = (uint8_t)number(&v[0].at[END_REASON]),
        .interface = (uint32_t)number(&v[0].at[INTERFACE]),
    };
    if ((ret->version != 4 && ret->version != 6) || !both_figures(v, ret)) {
        return false;
    }
    ret->biflow = biflow(v, ret->reverse.packets);
    addresses(&v[0], ret);
    ports(&v[0], ret);
    tags(&v[0], ret);
    return true;
}

/* ---- sets and messages ---- */

/* Section 7. */
static size_t take_length(struct rd *r)
{
    const uint8_t len = rd_u8(r);
    return len == LONG ? rd_u16(r) : len;
}

static int read_record(struct ipfix_reader *x, const struct layout *t, struct rd *r)
{
    struct values v[2] = {0};
    struct flowrec rec;
    for (unsigned i = 0; i < t->n; i++) {
        const struct field *f = &t->fields[i];
        const size_t len = f->len == VARIABLE ? take_length(r) : f->len;
        const uint8_t *p = rd_take(r, len);
        if (f->place != OTHER) {
            v[f->back].at[f->place] = (struct value){p, len};
        }
    }
    if (!rd_ok(r)) {
        return -EBADMSG;
    }
    if (!t->options && make_record(v, &rec)) {
        x->counts->records++;
        x->each(x->user, &rec);
    } else {
        x->counts->skipped++;
    }
    return 0;
}

/* Padding stands behind a record, and is shorter than one. */
static int read_data(struct ipfix_reader *x, const struct layout *t, struct rd *r)
{
    if (!t || (rd_left(r) > 0 && rd_left(r) < t->shortest)) {
        return -EBADMSG;
    }
    int err = 0;
    while (!err && rd_left(r) >= t->shortest) {
        err = read_record(x, t, r);
    }
    return err;
}

static int read_set(struct ipfix_reader *x, uint16_t id, struct rd *r)
{
    if (id == SET_TEMPLATES || id == SET_OPTION_TEMPLATES) {
        return read_templates(x, r, id == SET_OPTION_TEMPLATES);
    }
    return id < DATA ? 0 : read_data(x, find(x, id), r); /* the others are reserved */
}

/* The sets of a message; the last one may be cut, and is then read as far as it goes. */
static int read_sets(struct ipfix_reader *x, struct rd *r)
{
    int err = 0;
    while (!err && rd_left(r) > 0) {
        const uint16_t id = rd_u16(r), len = rd_u16(r);
        if (!rd_ok(r) || len < SET_HEADER) {
            return -EBADMSG;
        }
        const size_t body = len - SET_HEADER, there = MIN(body, rd_left(r));
        struct rd set = rd_sub(r, there);
        err = read_set(x, id, &set);
        err = there < body ? -EBADMSG : err;
    }
    return err;
}

static int read_message(struct ipfix_reader *x, struct rd *r)
{
    const uint16_t version = rd_u16(r), len = rd_u16(r);
    rd_skip(r, 8); /* the export time and the sequence */
    x->domain = rd_u32(r);
    if (!rd_ok(r) || version != VERSION || len < HEADER) {
        return -EBADMSG;
    }
    const size_t body = len - HEADER, there = MIN(body, rd_left(r));
    struct rd sets = rd_sub(r, there);
    const int err = read_sets(x, &sets);
    if (err || there < body) {
        return -EBADMSG;
    }
    x->counts->messages++;
    return 0;
}

static int read_all(struct ipfix_reader *x, const uint8_t *bytes, size_t len)
{
    struct rd r = rd_make(bytes, len);
    int err = 0;
    while (!err && rd_left(&r) > 0) {
        err = read_message(x, &r);
    }
    return err;
}

int ipfix_read(const uint8_t *bytes, size_t len, void (*each)(void *user, const struct flowrec *r),
               void *user, struct ipfix_read_counts *ret)
{
    struct ipfix_reader x = {.each = each, .user = user, .counts = ret};
    *ret = (struct ipfix_read_counts){0};
    return read_all(&x, bytes, len);
}

/* ---- in pieces ---- */

struct ipfix_reader *ipfix_reader_new(void)
{
    return calloc(1, sizeof(struct ipfix_reader));
}

void ipfix_reader_free(struct ipfix_reader *x)
{
    free(x);
}

size_t ipfix_message_len(const uint8_t head[IPFIX_READ_HEAD])
{
    struct rd r = rd_make(head, IPFIX_READ_HEAD);
    const uint16_t version = rd_u16(&r), len = rd_u16(&r);
    return version == VERSION && len >= HEADER ? len : 0;
}

int ipfix_reader_take(struct ipfix_reader *x, const uint8_t *bytes, size_t len,
                      void (*each)(void *user, const struct flowrec *r), void *user)
{
    x->each = each;
    x->user = user;
    x->counts = &x->unasked;
    return read_all(x, bytes, len);
}

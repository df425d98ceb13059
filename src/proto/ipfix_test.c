/* SPDX-License-Identifier: Apache-2.0
 *
 * Messages against bytes made by hand from RFC 7011; tests/net/test_meter.py has them read by
 * tshark and by a decoder that knows nothing but the templates.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "proto/flowrec_testing.h"
#include "proto/ipfix.h"

enum {
    HEADER = 16,
    TEMPLATES = 4 + 2 * (4 + 21 * 4),
    RECORD_V4 = 76,
    RECORD_V6 = 100,
};

static const struct flowrec web = {TESTING_WEB_TAGGED};

static uint16_t get16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static void check_header(const struct ipfix *m, size_t len, uint32_t time_s, uint32_t sequence)
{
    struct rd r = rd_make(m->sets.bytes, HEADER);
    assert_int_equal(rd_u16(&r), 10);
    assert_int_equal(rd_u16(&r), len);
    assert_int_equal(rd_u32(&r), time_s);
    assert_int_equal(rd_u32(&r), sequence);
    assert_int_equal(rd_u32(&r), m->domain);
}

static void a_record(void **state)
{
    (void)state;
    static struct ipfix m;
    static const uint8_t want[] = {1,    0,    0,    4 + RECORD_V4, /* the set */
                                   0,    0,    1,    0xa1,
                                   0xcf, 0xe5, 0x67, 0xff, /* 1794489280511 ms */
                                   0,    0,    1,    0xa1,
                                   0xcf, 0xe5, 0x78, 0x99, /* 1794489284761 */
                                   10,   0,    0,    1,
                                   10,   0,    0,    2,  /* addresses */
                                   0x9c, 0x40, 0,    80, /* ports */
                                   6,    184,  0xd8, 4,
                                   3,    0,    0, /* … to ICMP's type */
                                   0,    0,    0,    0,
                                   0,    0,    0,    5, /* packets */
                                   0,    0,    0,    0,
                                   0,    0,    0x02, 0xbc, /* bytes */
                                   0,    0,    0,    9,
                                   0,    100,  0,    100,
                                   0,    7, /* interface, VLANs */
                                   0x12, 0x34, 0x56, 2,
                                   0,    0,    0,    0,
                                   1, /* label, MAC addresses */
                                   2,    0,    0,    0,
                                   0,    2};
    ipfix_init(&m, 7);
    assert_int_equal(ipfix_end(&m), 0);
    assert_true(ipfix_templates(&m));
    assert_true(ipfix_add(&m, &web));
    const size_t len = ipfix_end(&m);
    assert_int_equal(len, HEADER + TEMPLATES + 4 + RECORD_V4);
    check_header(&m, len, 1794489284, 0);
    const uint8_t *t = m.sets.bytes + HEADER;
    assert_true(get16(t) == 2 && get16(t + 2) == TEMPLATES);
    assert_true(get16(t + 4) == 256 && get16(t + 6) == 21 && get16(t + 8) == 152);
    assert_true(get16(t + 4 + 88) == 257 && get16(t + 6 + 88) == 21);
    unsigned length[2] = {0, 0}; /* of what the templates say */
    for (unsigned k = 0; k < 42; k++) {
        length[k / 21] += get16(t + 8 + 88 * (k / 21) + 4 * (k % 21) + 2);
    }
    assert_true(length[0] == RECORD_V4 && length[1] == RECORD_V6);
    assert_memory_equal(t + TEMPLATES, want, sizeof(want));
    assert_int_equal(sizeof(want), 4 + RECORD_V4);
}

/* Sets follow the records' kinds; a message is full before it is too long; sequences count. */
static void messages_have_an_end(void **state)
{
    (void)state;
    static struct ipfix m;
    struct flowrec six = web;
    six.version = 6;
    ipfix_init(&m, 1);
    assert_true(ipfix_add(&m, &web));
    assert_true(ipfix_add(&m, &six));
    assert_true(ipfix_add(&m, &six));
    assert_true(ipfix_add(&m, &web));
    size_t len = ipfix_end(&m);
    assert_int_equal(len, HEADER + 3 * 4 + 2 * RECORD_V4 + 2 * RECORD_V6);
    check_header(&m, len, 1794489284, 0);
    assert_int_equal(get16(m.sets.bytes + HEADER + 4 + RECORD_V4), 257);
    assert_int_equal(get16(m.sets.bytes + HEADER + 4 + RECORD_V4 + 2), 4 + 2 * RECORD_V6);
    unsigned n = 0;
    six.last_ns = 0; /* an earlier end does not turn the export time back */
    while (ipfix_add(&m, &six)) {
        n++;
    }
    assert_int_equal(n, (IPFIX_MESSAGE - HEADER - 4) / RECORD_V6);
    assert_false(ipfix_templates(&m) && ipfix_templates(&m));
    len = ipfix_end(&m);
    assert_true(len <= IPFIX_MESSAGE);
    check_header(&m, len, 1794489284, 4);
    assert_true(ipfix_add(&m, &web));
    len = ipfix_end(&m);
    check_header(&m, len, 1794489284, 4 + n);
}

static void names_of_interfaces(void **state)
{
    (void)state;
    static struct ipfix m;
    static const uint8_t want[] = {0,   3,   0, 18, 1, 2,  0, 2, 0, 1, 0, 10,  0,   4,   0,  82,
                                   255, 255, 1, 2,  0, 13, 0, 0, 0, 9, 4, 'e', 't', 'h', '0'};
    char name[300];
    ipfix_init(&m, 0);
    assert_true(ipfix_name(&m, 9, "eth0"));
    size_t len = ipfix_end(&m);
    check_header(&m, len, 0, 0);
    assert_int_equal(len, HEADER + sizeof(want));
    assert_memory_equal(m.sets.bytes + HEADER, want, sizeof(want));
    memset(name, 'x', sizeof(name));
    name[sizeof(name) - 1] = '\0';
    unsigned n = 0;
    while (ipfix_name(&m, 1, name)) {
        n++;
    }
    assert_int_equal(n, (IPFIX_MESSAGE - HEADER) / (18 + 9 + IPFIX_NAME_MAX));
    len = ipfix_end(&m);
    check_header(&m, len, 0, 1);
    assert_true(ipfix_name(&m, 1, ""));
    len = ipfix_end(&m);
    check_header(&m, len, 0, 1 + n);
}

static void icmp_has_its_type(void **state)
{
    (void)state;
    static struct ipfix m;
    struct flowrec ping = web;
    ping.port[0] = 0;
    ping.port[1] = 2048;
    const struct {
        uint8_t version, proto;
        uint16_t type;
    } kinds[] = {{4, 1, 2048}, {6, 58, 2048}, {4, 58, 0}, {6, 1, 0}, {4, 17, 0}};
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        ipfix_init(&m, 1);
        ping.version = kinds[i].version;
        ping.proto = kinds[i].proto;
        assert_true(ipfix_add(&m, &ping));
        assert_true(ipfix_end(&m) > 0);
        const size_t at = HEADER + 4 + 16 + (ping.version == 4 ? 8 : 32) + 4 + 5;
        assert_int_equal(get16(m.sets.bytes + at), kinds[i].type);
    }
}

/* The other direction's fields are in the enterprise of RFC 5103; those that some collectors take
 * for the record's own come before. */
static void biflows(void **state)
{
    (void)state;
    static struct ipfix m;
    static const uint8_t reverse_start[] = {0x80, 152, 0, 8, 0, 0, 0x72, 0x79},
                         reverse_flags[] = {0x80, 6, 0, 1, 0, 0, 0x72, 0x79, 0, 6, 0, 1};
    struct flowrec r = web;
    r.biflow = FLOWREC_INITIATOR;
    r.reverse = (struct flowrec_reverse){3, 300, 1794489280511000002, 1794489290761999998, 8, 0x12};
    ipfix_init_with(&m, 1, IPFIX_BIFLOW);
    assert_true(ipfix_templates(&m));
    const size_t record = HEADER + TEMPLATES + 2 * (6 * 8 + 4);
    assert_int_equal(get16(m.sets.bytes + HEADER + 6), 28);
    assert_memory_equal(m.sets.bytes + HEADER + 8, reverse_start, 8);
    assert_memory_equal(m.sets.bytes + HEADER + 8 + 3 * 8 + 8 * 4, reverse_flags, 12);
    assert_true(ipfix_add(&m, &r));
    const size_t len = ipfix_end(&m);
    check_header(&m, len, 1794489290, 0); /* of the later end */
    assert_int_equal(len, record + 4 + RECORD_V4 + 35);
    const uint8_t *p = m.sets.bytes + record + 4;
    static const uint8_t starts[] = {0, 0, 1, 0xa1, 0xcf, 0xe5, 0x67, 0xff,
                                     0, 0, 1, 0xa1, 0xcf, 0xe5, 0x90, 0x09,
                                     0, 0, 1, 0xa1, 0xcf, 0xe5, 0x67, 0xff},
                         classes[] = {6, 8, 184, 0x12, 0xd8, 4},
                         last[] = {0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 1, 44, 1};
    assert_memory_equal(p, starts, sizeof(starts));
    assert_memory_equal(p + 32 + 12, classes, sizeof(classes));
    assert_memory_equal(m.sets.bytes + len - sizeof(last), last, sizeof(last));
}

/* Streams that are asked to have it have the segment of a tunnel, by its kind. */
static void segments(void **state)
{
    (void)state;
    static struct ipfix m;
    static const struct {
        enum tunnel_kind kind;
        uint32_t id;
        uint8_t want[8];
    } cases[] = {
        {TUNNEL_NONE, 0, {0}},
        {TUNNEL_VXLAN, 0x123456, {1, 0, 0, 0, 0, 0x12, 0x34, 0x56}},
        {TUNNEL_GPE, 7, {1, 0, 0, 0, 0, 0, 0, 7}},
        {TUNNEL_GRETAP_KEY, 0x00100001, {2, 0, 0, 0, 0, 0, 0x10, 0x00}},
        {TUNNEL_GRETAP_KEY, 0x000fffff, {0}}, /* a reserved subnet: just a key */
        {TUNNEL_GRE_KEY, 0x00100001, {0}},
        {TUNNEL_GENEVE, 7, {0}},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct flowrec r = web;
        r.tunnel = cases[i].kind;
        r.tunnel_id = cases[i].id;
        ipfix_init_with(&m, 1, IPFIX_TUNNEL);
        assert_true(ipfix_templates(&m));
        assert_true(ipfix_add(&m, &r));
        const size_t len = ipfix_end(&m);
        assert_int_equal(len, HEADER + TEMPLATES + 2 * 4 + 4 + RECORD_V4 + 8);
        assert_int_equal(get16(m.sets.bytes + HEADER + 6), 22);
        assert_int_equal(get16(m.sets.bytes + HEADER + 8 + 21 * 4), 351);
        assert_int_equal(get16(m.sets.bytes + HEADER + 8 + 21 * 4 + 2), 8);
        assert_memory_equal(m.sets.bytes + len - 8, cases[i].want, 8);
    }
}

/* Times in NTP's form behind those in milliseconds: to the nanosecond, and also in 2036, when its
 * seconds begin anew. */
static void nanoseconds(void **state)
{
    (void)state;
    static struct ipfix m;
    static const struct {
        int64_t ns;
        uint8_t want[8];
    } cases[] = {
        {0, {0x83, 0xaa, 0x7e, 0x80, 0x00, 0x00, 0x00, 0x00}},
        {999999999, {0x83, 0xaa, 0x7e, 0x80, 0xff, 0xff, 0xff, 0xfc}},
        {1794489280511000001, {0xee, 0xa0, 0x3a, 0x40, 0x82, 0xd0, 0xe5, 0x65}},
        {2085978495000000001, {0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x05}},
        {2085978496500000000, {0x00, 0x00, 0x00, 0x00, 0x80, 0x00, 0x00, 0x00}},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct flowrec r = web;
        r.first_ns = cases[i].ns;
        r.reverse.last_ns = cases[i].ns;
        ipfix_init_with(&m, 1, IPFIX_NS);
        assert_true(ipfix_templates(&m));
        assert_true(ipfix_add(&m, &r));
        size_t len = ipfix_end(&m);
        assert_int_equal(len, HEADER + TEMPLATES + 2 * 2 * 4 + 4 + RECORD_V4 + 16);
        assert_true(get16(m.sets.bytes + HEADER + 16) == 156 &&
                    get16(m.sets.bytes + HEADER + 20) == 157);
        assert_memory_equal(m.sets.bytes + HEADER + TEMPLATES + 16 + 4 + 16, cases[i].want, 8);
        ipfix_init_with(&m, 1, IPFIX_NS | IPFIX_BIFLOW);
        assert_true(ipfix_add(&m, &r));
        len = ipfix_end(&m);
        assert_int_equal(len, HEADER + 4 + RECORD_V4 + 16 + 35 + 16);
        assert_memory_equal(m.sets.bytes + HEADER + 4 + 24, cases[i].want, 8);
        assert_memory_equal(m.sets.bytes + HEADER + 4 + 32 + 16, cases[i].want, 8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record),
        cmocka_unit_test(messages_have_an_end),
        cmocka_unit_test(names_of_interfaces),
        cmocka_unit_test(icmp_has_its_type),
        cmocka_unit_test(segments),
        cmocka_unit_test(biflows),
        cmocka_unit_test(nanoseconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * Datagrams against bytes made by hand from RFC 3954; tests/net/test_export.py has them read by
 * other programs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/bytes.h"
#include "base/time.h"
#include "proto/flowrec_testing.h"
#include "proto/netflow9.h"

enum {
    HEADER = 20,
    FIELDS = 20,
    TEMPLATE = 4 + 4 * FIELDS,
    TEMPLATES = 4 + 2 * TEMPLATE,
    OPTIONS = 4 + 14 + 2, /* with padding */
    RECORD_V4 = 66,
    RECORD_V6 = 90,
    NAME = 36,
};

static const struct flowrec web = {TESTING_WEB_TAGGED};

static uint16_t get16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static void check_header(const struct netflow9 *m, unsigned count, uint32_t time_s,
                         uint32_t sequence)
{
    struct rd r = rd_make(m->sets.bytes, HEADER);
    assert_int_equal(rd_u16(&r), 9);
    assert_int_equal(rd_u16(&r), count);
    rd_skip(&r, 4);
    assert_int_equal(rd_u32(&r), time_s);
    assert_int_equal(rd_u32(&r), sequence);
    assert_int_equal(rd_u32(&r), m->source);
}

/* A time at that place as collectors compute it, in ms since 1970. */
static int64_t time_at(const struct netflow9 *m, size_t at)
{
    struct rd header = rd_make(m->sets.bytes + 4, 8), field = rd_make(m->sets.bytes + at, 4);
    const uint32_t uptime = rd_u32(&header), s = rd_u32(&header);
    return s * INT64_C(1000) - uptime + rd_u32(&field);
}

static void a_record(void **state)
{
    (void)state;
    static struct netflow9 m;
    static const uint8_t want[] = {10,   0,    0,    1,  10, 0,   0,    2, /* addresses */
                                   0x9c, 0x40, 0,    80,                   /* ports */
                                   6,    184,  0xd8, 4,  3,  0,   0,       /* … to ICMP's type */
                                   0,    0,    0,    0,  0,  0,   0,    5, /* packets */
                                   0,    0,    0,    0,  0,  0,   0x02, 0xbc, /* bytes */
                                   0,    0,    0,    9,  0,  100, 0,    7,    /* interface, VLANs */
                                   0x12, 0x34, 0x56, 2,  0,  0,   0,    0,    1,
                                   2,    0,    0,    0,  0,  2,   0,    0}; /* padding */
    netflow9_init(&m, 77);
    assert_int_equal(netflow9_end(&m), 0);
    assert_true(netflow9_add(&m, &web));
    assert_int_equal(netflow9_end(&m), HEADER + 4 + RECORD_V4 + 2);
    check_header(&m, 1, 1794489285, 0);
    assert_int_equal(get16(m.sets.bytes + HEADER), 256);
    assert_int_equal(get16(m.sets.bytes + HEADER + 2), 4 + RECORD_V4 + 2);
    assert_int_equal(time_at(&m, HEADER + 4), 1794489280511);
    assert_int_equal(time_at(&m, HEADER + 8), 1794489284761);
    assert_memory_equal(m.sets.bytes + HEADER + 12, want, sizeof(want));
    assert_int_equal(sizeof(want), RECORD_V4 - 8 + 2);
}

static void templates_say_what_records_have(void **state)
{
    (void)state;
    static struct netflow9 m;
    static const uint8_t options[] = {0, 1, 0, OPTIONS, 1, 2,  0, 4,  0, 4,
                                      0, 2, 0, 4,       0, 82, 0, 32, 0, 0};
    netflow9_init(&m, 1);
    assert_true(netflow9_templates(&m));
    assert_int_equal(netflow9_end(&m), HEADER + TEMPLATES + OPTIONS);
    check_header(&m, 3, 0, 0);
    const uint8_t *t = m.sets.bytes + HEADER;
    assert_true(get16(t) == 0 && get16(t + 2) == TEMPLATES);
    unsigned length[2] = {0, 0};
    for (unsigned k = 0; k < 2; k++) {
        const uint8_t *one = t + 4 + (size_t)k * TEMPLATE;
        assert_true(get16(one) == 256 + k && get16(one + 2) == FIELDS);
        for (unsigned i = 0; i < FIELDS; i++) {
            length[k] += get16(one + 4 + (size_t)4 * i + 2);
        }
    }
    assert_true(length[0] == RECORD_V4 && length[1] == RECORD_V6);
    assert_memory_equal(t + TEMPLATES, options, sizeof(options));
    unsigned n = 0;
    while (netflow9_templates(&m)) {
        n++;
    }
    assert_int_equal(n, (1400 - HEADER) / (TEMPLATES + OPTIONS));
    assert_true(netflow9_end(&m) <= 1400);
    check_header(&m, 3 * n, 0, 1);
}

/* Flow sets follow the records' kinds, and begin at multiples of 4. */
static void datagrams_have_an_end(void **state)
{
    (void)state;
    static struct netflow9 m;
    struct flowrec six = web;
    six.version = 6;
    netflow9_init(&m, 1);
    m.sequence = UINT32_MAX;
    assert_true(netflow9_add(&m, &web));
    assert_true(netflow9_add(&m, &six));
    assert_true(netflow9_add(&m, &six));
    assert_true(netflow9_add(&m, &web));
    assert_true(netflow9_add(&m, &web));
    const size_t six_at = HEADER + 4 + RECORD_V4 + 2, four_at = six_at + 4 + 2 * RECORD_V6;
    assert_int_equal(netflow9_end(&m), four_at + 4 + 2 * RECORD_V4);
    check_header(&m, 5, 1794489285, UINT32_MAX);
    assert_true(get16(m.sets.bytes + six_at) == 257 &&
                get16(m.sets.bytes + six_at + 2) == 4 + 2 * RECORD_V6);
    assert_true(get16(m.sets.bytes + four_at) == 256);
    assert_int_equal(m.sets.bytes[six_at - 1] | m.sets.bytes[six_at - 2], 0);
    unsigned n = 0;
    six.last_ns = six.first_ns; /* an earlier end does not turn the header's time back */
    while (netflow9_add(&m, &six)) {
        n++;
    }
    assert_int_equal(n, (1400 - HEADER - 4) / RECORD_V6);
    assert_true(netflow9_end(&m) <= 1400);
    check_header(&m, n, 1794489285, 0);
}

static void names_of_interfaces(void **state)
{
    (void)state;
    static struct netflow9 m;
    static const uint8_t want[NAME] = {0, 0, 0, 9, 'e', 't', 'h', '0'};
    char name[64];
    memset(name, 'x', sizeof(name));
    name[sizeof(name) - 1] = '\0';
    netflow9_init(&m, 1);
    assert_true(netflow9_name(&m, 9, "eth0"));
    assert_true(netflow9_name(&m, 0x01020304, name));
    assert_int_equal(netflow9_end(&m), HEADER + 4 + 2 * NAME);
    check_header(&m, 2, 0, 0);
    const uint8_t *at = m.sets.bytes + HEADER;
    assert_true(get16(at) == 258 && get16(at + 2) == 4 + 2 * NAME);
    assert_memory_equal(at + 4, want, NAME);
    assert_memory_equal(at + 4 + NAME, "\1\2\3\4", 4);
    assert_memory_equal(at + 4 + NAME + 4, name, 32);
    unsigned n = 0;
    while (netflow9_name(&m, 1, name)) {
        n++;
    }
    assert_int_equal(n, (1400 - HEADER - 4) / NAME);
}

static void a_sample(void **state)
{
    (void)state;
    static struct netflow9 m;
    static const uint8_t want[] = {0, 1, 0, 24, 1, 3, 0, 4, 0, 8,  0,    1,    0, 4, 0, 34,
                                   0, 4, 0, 35, 0, 1, 0, 0, /* template */
                                   1, 3, 0, 16, 0, 0, 0, 5, 0, 15, 0x42, 0x40, 2, 0, 0, 0};
    unsigned n = 0;
    netflow9_init(&m, 5);
    assert_true(netflow9_sampling(&m, &(struct sampling){1000000}));
    assert_int_equal(netflow9_end(&m), HEADER + sizeof(want));
    check_header(&m, 2, 0, 0);
    assert_memory_equal(m.sets.bytes + HEADER, want, sizeof(want));
    while (netflow9_sampling(&m, &(struct sampling){2})) {
        n++;
    }
    assert_in_range(n, (1400 - HEADER) / sizeof(want) - 1, (1400 - HEADER) / sizeof(want));
    assert_int_equal(netflow9_end(&m), HEADER + n * sizeof(want));
}

/* Behind any number of names templates either have room or are left out. */
static void templates_have_room(void **state)
{
    (void)state;
    static struct netflow9 m;
    for (unsigned n = 0; n < 38; n++) {
        const size_t before = HEADER + (n > 0 ? 4 : 0) + (size_t)n * NAME;
        const bool fits = before + TEMPLATES + OPTIONS <= 1400;
        netflow9_init(&m, 1);
        for (unsigned i = 0; i < n; i++) {
            assert_true(netflow9_name(&m, i, "eth0"));
        }
        assert_int_equal(netflow9_templates(&m), fits);
        assert_int_equal(netflow9_end(&m), before + (fits ? TEMPLATES + OPTIONS : 0));
    }
}

/* A datagram has the times of one base; whatever they are, they are right. */
static void the_base_moves(void **state)
{
    (void)state;
    static struct netflow9 m;
    static const int64_t day = 86400 * NSEC_PER_SEC;
    static const int64_t ends[] = {1, 20, 49, 60, 109, 5, 12000, 12050};
    netflow9_init(&m, 1);
    for (size_t k = 0; k < sizeof(ends) / sizeof(ends[0]); k++) {
        struct flowrec r = web;
        r.last_ns = ends[k] * day + 1234567890;
        r.first_ns = r.last_ns - day / 2;
        if (!netflow9_add(&m, &r)) {
            assert_true(netflow9_end(&m) > 0);
            assert_true(netflow9_add(&m, &r));
            assert_int_equal(m.records, 1);
        }
        struct netflow9 copy = m;
        const size_t at = HEADER + 4 + (size_t)(copy.records - 1) * RECORD_V4;
        assert_true(netflow9_end(&copy) > 0);
        assert_int_equal(time_at(&copy, at), r.first_ns / NSEC_PER_MSEC);
        assert_int_equal(time_at(&copy, at + 4), r.last_ns / NSEC_PER_MSEC);
    }
    assert_true(m.sequence > 2);
}

static void icmp_has_its_type(void **state)
{
    (void)state;
    static struct netflow9 m;
    struct flowrec ping = web;
    ping.port[0] = 0;
    ping.port[1] = 2048;
    const struct {
        uint8_t version, proto;
        uint16_t type;
    } kinds[] = {{4, 1, 2048}, {6, 58, 2048}, {4, 58, 0}, {6, 1, 0}, {4, 17, 0}};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        netflow9_init(&m, 1);
        ping.version = kinds[i].version;
        ping.proto = kinds[i].proto;
        assert_true(netflow9_add(&m, &ping));
        assert_true(netflow9_end(&m) > 0);
        const size_t at = HEADER + 4 + 8 + (ping.version == 4 ? 8 : 32) + 4 + 5;
        assert_int_equal(get16(m.sets.bytes + at), kinds[i].type);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record),
        cmocka_unit_test(templates_say_what_records_have),
        cmocka_unit_test(templates_have_room),
        cmocka_unit_test(datagrams_have_an_end),
        cmocka_unit_test(names_of_interfaces),
        cmocka_unit_test(a_sample),
        cmocka_unit_test(the_base_moves),
        cmocka_unit_test(icmp_has_its_type),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

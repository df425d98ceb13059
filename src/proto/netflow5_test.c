/* SPDX-License-Identifier: Apache-2.0
 *
 * Datagrams against bytes made by hand from Cisco's tables; tests/net/test_export.py has them read
 * by other programs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/time.h"
#include "proto/flowrec_testing.h"
#include "proto/netflow5.h"

enum {
    HEADER = 24,
    RECORD = 48,
    FIRST_AT = 24, /* in a record */
};

static const struct flowrec web = {TESTING_WEB, .interface = 9};

/* A header's time and its uptime, which make the base. */
struct header {
    uint16_t version, count;
    uint32_t uptime, s, ns, sequence;
    uint8_t type, engine;
    uint16_t sampling;
};

static struct header header_of(const struct netflow5 *m)
{
    struct rd r = rd_make(m->bytes, HEADER);
    struct header h = {.version = rd_u16(&r), .count = rd_u16(&r)};
    h.uptime = rd_u32(&r);
    h.s = rd_u32(&r);
    h.ns = rd_u32(&r);
    h.sequence = rd_u32(&r);
    h.type = rd_u8(&r);
    h.engine = rd_u8(&r);
    h.sampling = rd_u16(&r);
    return h;
}

/* The beginning and the end of record `i` in ms since 1970, as a collector computes them. */
static void times_of(const struct netflow5 *m, unsigned i, int64_t ret[2])
{
    const struct header h = header_of(m);
    struct rd r = rd_make(m->bytes + HEADER + (size_t)i * RECORD + FIRST_AT, 8);
    const int64_t boot = h.s * INT64_C(1000) + h.ns / 1000000 - h.uptime;
    ret[0] = boot + rd_u32(&r);
    ret[1] = boot + rd_u32(&r);
}

static void a_record(void **state)
{
    (void)state;
    static struct netflow5 m;
    static const uint8_t want[] = {
        10,   0,    0,    1,    10, 0,    0,    2,    /* addresses */
        0,    0,    0,    0,    0,  9,    0,    0,    /* interface */
        0,    0,    0,    5,    0,  0,    0x02, 0xbc, /* counters */
        5,    0x26, 0x5d, 0xff, 5,  0x26, 0x6e, 0x99, /* 86400511 ms, … */
        0x9c, 0x40, 0,    80,   0,  0xd8, 6,    184,  /* ports */
        0,    0,    0,    0,    0,  0,    0,    0};
    netflow5_init(&m, 7);
    assert_int_equal(netflow5_end(&m), 0);
    assert_int_equal(netflow5_parts(&web), 1);
    assert_true(netflow5_add(&m, &web));
    assert_int_equal(netflow5_end(&m), HEADER + RECORD);
    const struct header h = header_of(&m);
    assert_true(h.version == 5 && h.count == 1 && h.sequence == 0 && h.sampling == 0);
    assert_true(h.s == 1794489284 && h.ns == 761000000 && h.engine == 7 && h.type == 0);
    assert_int_equal(h.uptime, 86404761);
    assert_memory_equal(m.bytes + HEADER, want, sizeof(want));
    assert_int_equal(sizeof(want), RECORD);
    assert_int_equal(netflow5_end(&m), 0);
}

/* Two bits of a mode and 14 of a number, which tells of no more. */
static void a_sample(void **state)
{
    (void)state;
    static struct netflow5 m;
    static const struct {
        uint32_t packets;
        uint16_t told;
    } of[] = {{10, 0x800a}, {16383, 0xbfff}, {16384, 0}, {1000000, 0}, {0, 0}};
    netflow5_init(&m, 7);
    for (size_t i = 0; i < ARRAY_SIZE(of); i++) {
        netflow5_sampling(&m, &(struct sampling){of[i].packets});
        for (unsigned k = 0; k < 2; k++) {
            assert_true(netflow5_add(&m, &web));
            assert_int_equal(netflow5_end(&m), HEADER + RECORD);
            assert_int_equal(header_of(&m).sampling, of[i].told);
        }
    }
}

static void datagrams_have_an_end(void **state)
{
    (void)state;
    static struct netflow5 m;
    netflow5_init(&m, 0);
    m.sequence = UINT32_MAX - 27;
    unsigned n = 0;
    while (netflow5_add(&m, &web)) {
        n++;
    }
    assert_int_equal(n, NETFLOW5_RECORDS);
    assert_int_equal(netflow5_end(&m), HEADER + 28 * RECORD);
    assert_true(HEADER + 28 * RECORD <= 1400);
    assert_true(header_of(&m).count == 28 && header_of(&m).sequence == UINT32_MAX - 27);
    struct flowrec before = web;
    before.last_ns -= 3 * NSEC_PER_SEC; /* an earlier end does not turn the header's time back */
    assert_true(netflow5_add(&m, &before));
    assert_int_equal(netflow5_end(&m), HEADER + RECORD);
    assert_true(header_of(&m).sequence == 0 && header_of(&m).s == 1794489284);
}

/* Sums are the flow's, whatever it has, and no counter is more than its field holds. */
static void large_flows_are_several(void **state)
{
    (void)state;
    static const struct {
        uint64_t packets, bytes;
        unsigned parts;
    } of[] = {{UINT32_MAX, UINT32_MAX, 1},
              {2, UINT64_C(1) << 32, 2},
              {UINT64_C(1) << 32, UINT64_C(1) << 33, 3},
              {10000000001, 7, 3},
              {1, 0, 1},
              {0, 0, 1},
              {9, NETFLOW5_PARTS * (uint64_t)UINT32_MAX, NETFLOW5_PARTS},
              {9, NETFLOW5_PARTS * (uint64_t)UINT32_MAX + 1, 0},
              {UINT64_MAX, 9, 0}};
    for (size_t k = 0; k < sizeof(of) / sizeof(of[0]); k++) {
        struct flowrec r = web;
        uint64_t packets = 0, bytes = 0;
        r.packets = of[k].packets;
        r.bytes = of[k].bytes;
        assert_int_equal(netflow5_parts(&r), of[k].parts);
        for (unsigned i = 0; i < of[k].parts; i++) {
            const struct flowrec p = netflow5_part(&r, of[k].parts, i);
            assert_true(p.packets <= UINT32_MAX && p.bytes <= UINT32_MAX);
            assert_true(p.packets > 0 || r.packets < of[k].parts);
            packets += p.packets;
            bytes += p.bytes;
        }
        assert_true(of[k].parts == 0 || (packets == r.packets && bytes == r.bytes));
    }
    struct flowrec six = web;
    six.version = 6;
    assert_int_equal(netflow5_parts(&six), 0);
}

/* Years of packets, and a step back: times are right to the millisecond, and nothing wraps. */
static void the_base_moves(void **state)
{
    (void)state;
    static struct netflow5 m;
    static const int64_t day = 86400 * NSEC_PER_SEC;
    const struct {
        int64_t first, last;
        bool alone; /* it does not go into the datagram of the one before */
    } of[] = {{0, 5 * NSEC_PER_MSEC, true},
              {20 * day, 20 * day, false},
              {49 * day, 49 * day, false},
              {49 * day, 49 * day + NSEC_PER_MSEC, true},
              {48 * day, 50 * day, false},
              {96 * day, 97 * day, false},
              {97 * day, 97 * day + NSEC_PER_MSEC, true},
              {30 * day, 31 * day, true},
              {20000 * day + 999 * NSEC_PER_MSEC, 20048 * day, true}};
    netflow5_init(&m, 0);
    for (size_t k = 0; k < sizeof(of) / sizeof(of[0]); k++) {
        struct flowrec r = web;
        int64_t got[2];
        r.first_ns = of[k].first;
        r.last_ns = of[k].last;
        if (!netflow5_add(&m, &r)) {
            assert_true(of[k].alone);
            assert_true(netflow5_end(&m) > 0);
            assert_true(netflow5_add(&m, &r));
        } else {
            assert_true(!of[k].alone || k == 0);
        }
        struct netflow5 copy = m;
        const unsigned n = copy.records;
        assert_true(netflow5_end(&copy) > 0);
        times_of(&copy, n - 1, got);
        assert_int_equal(got[0], r.first_ns / NSEC_PER_MSEC);
        assert_int_equal(got[1], r.last_ns / NSEC_PER_MSEC);
        assert_true(header_of(&copy).uptime <= UPTIME_SPAN_MS);
    }
}

/* One that lasted longer than the milliseconds can tell keeps its end. */
static void a_flow_of_a_year(void **state)
{
    (void)state;
    static struct netflow5 m;
    struct flowrec r = web;
    int64_t got[2];
    r.first_ns -= 365 * 86400 * NSEC_PER_SEC;
    netflow5_init(&m, 0);
    assert_true(netflow5_add(&m, &r));
    assert_false(netflow5_add(&m, &r)); /* no datagram has another beside it */
    assert_true(netflow5_end(&m) > 0);
    times_of(&m, 0, got);
    assert_int_equal(got[1], r.last_ns / NSEC_PER_MSEC);
    assert_true(got[1] - got[0] > UPTIME_SPAN_MS - 1000 && got[1] - got[0] <= UPTIME_SPAN_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record),
        cmocka_unit_test(a_sample),
        cmocka_unit_test(datagrams_have_an_end),
        cmocka_unit_test(large_flows_are_several),
        cmocka_unit_test(the_base_moves),
        cmocka_unit_test(a_flow_of_a_year),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * Values of records in messages made by hand, and those of another exporter. ipfix_read_test.c has
 * the messages themselves.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/ledger.h"
#include "base/test_hex.h"
#include "proto/ipfix_read_testing.h"

/* Fields that make a record a flow: a version, and packets. */
#define FLOW_FIELDS PAIR(60, 1), PAIR(2, 8)
#define FLOW(version, packets) version, U64(packets)

static struct draft draft;
static struct seen seen;

static int reset(void **state)
{
    (void)state;
    draft.len = 0;
    draft_message(&draft, TESTING_DOMAIN);
    return 0;
}

/* The only record. */
static const struct flowrec *one(void)
{
    assert_int_equal(seen_draft(&seen, &draft), 0);
    assert_int_equal(seen.n, 1);
    assert_int_equal(seen.counts.skipped, 0);
    return &seen.r[0];
}

static void assert_skipped(uint64_t n)
{
    assert_int_equal(seen_draft(&seen, &draft), 0);
    assert_int_equal(seen.n, 0);
    assert_int_equal(seen.counts.skipped, n);
}

static void numbers_may_have_fewer_bytes(void **state)
{
    (void)state;
    SET(&draft, 2, PAIR(300, 11), PAIR(60, 1), PAIR(2, 3), PAIR(1, 5), PAIR(7, 1), PAIR(11, 1),
        PAIR(10, 2), PAIR(152, 6), PAIR(153, 7), PAIR(6, 2), PAIR(243, 1), PAIR(245, 1));
    SET(&draft, 300, 4, 1, 2, 3, 1, 2, 3, 4, 5, 22, 80, 1, 2, 0x01, 0xa1, 0xcf, 0xe5, 0x67, 0xff, 0,
        0x01, 0xa1, 0xcf, 0xe5, 0x68, 0x00, 0x01, 0x12, 100, 7);
    const struct flowrec *r = one();
    const struct flowrec want = {.version = 4,
                                 .packets = 0x010203,
                                 .bytes = 0x0102030405,
                                 .port = {22, 80},
                                 .interface = 0x0102,
                                 .first_ns = INT64_C(1794489280511000000),
                                 .last_ns = INT64_C(1794489280512000000),
                                 .tcp_flags = 0x12,
                                 .vlan = {100, 7},
                                 .vlans = 2};
    assert_true(same_record(r, &want));
}

/* Other lengths than those of the type, and an element that came before. */
static void elements_of_impossible_lengths_are_others(void **state)
{
    (void)state;
    SET(&draft, 2, PAIR(300, 13), FLOW_FIELDS, PAIR(7, 3), PAIR(4, 0), PAIR(8, 16), PAIR(12, 3),
        PAIR(56, 5), PAIR(80, 7), PAIR(70, 4), PAIR(11, 65535), PAIR(156, 4), PAIR(152, 9),
        PAIR(60, 1));
    SET(&draft, 300, FLOW(4, 1), 1, 2, 3, U64(1), U64(2), 1, 2, 3, 1, 2, 3, 4, 5, 1, 2, 3, 4, 5, 6,
        7, 1, 2, 3, 4, 2, 0, 80, U32(9), U64(1), 1, 6);
    const struct flowrec want = {.version = 4, .packets = 1};
    assert_true(same_record(one(), &want));
}

static void the_version_is_that_of_the_addresses(void **state)
{
    (void)state;
    SET(&draft, 2, PAIR(300, 3), PAIR(8, 4), PAIR(12, 4), PAIR(2, 1));
    SET(&draft, 2, PAIR(301, 2), PAIR(28, 16), PAIR(2, 1));
    SET(&draft, 2, PAIR(302, 3), PAIR(8, 4), PAIR(27, 16), PAIR(2, 1));
    SET(&draft, 2, PAIR(303, 1), PAIR(2, 1));
    SET(&draft, 300, 0, 0, 0, 0, 0, 0, 0, 0, 1);
    SET(&draft, 301, U64(0), U64(5), 1, U64(0), U64(0), 1);
    SET(&draft, 302, 10, 0, 0, 1, U64(0), U64(0), 1, 0, 0, 0, 0, U64(0), U64(5), 1);
    SET(&draft, 303, 1);
    assert_int_equal(seen_draft(&seen, &draft), 0);
    static const uint8_t versions[] = {4, 6, 6, 4, 6};
    assert_int_equal(seen.n, ARRAY_SIZE(versions));
    for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
        assert_int_equal(seen.r[i].version, versions[i]);
    }
    assert_int_equal(seen.r[1].addr[1][15], 5);
    assert_int_equal(seen.r[3].addr[0][0], 10);
    assert_int_equal(seen.r[4].addr[0][0], 0);
    assert_int_equal(seen.r[4].addr[0][15], 5);
    assert_int_equal(seen.counts.skipped, 1);
}

static void records_that_are_no_flows_are_skipped(void **state)
{
    (void)state;
    SET(&draft, 2, PAIR(300, 5), FLOW_FIELDS, PAIR(1, 8), BACK(2, 8), BACK(1, 8));
    SET(&draft, 300, FLOW(0, 1), U64(1), U64(0), U64(0));
    SET(&draft, 300, FLOW(5, 1), U64(1), U64(0), U64(0));
    SET(&draft, 300, FLOW(4, 0), U64(1), U64(0), U64(1));
    SET(&draft, 300, FLOW(4, LEDGER_MOST + 1), U64(1), U64(0), U64(0));
    SET(&draft, 300, FLOW(4, 1), U64(LEDGER_MOST + 1), U64(0), U64(0));
    SET(&draft, 300, FLOW(4, 1), U64(1), U64(LEDGER_MOST + 1), U64(0));
    SET(&draft, 300, FLOW(4, 1), U64(1), U64(1), U64(UINT64_MAX));
    assert_skipped(7);
    SET(&draft, 300, FLOW(6, LEDGER_MOST), U64(LEDGER_MOST), U64(LEDGER_MOST), U64(LEDGER_MOST));
    SET(&draft, 300, FLOW(4, 1), U64(0), U64(0), U64(UINT64_MAX)); /* bytes of no packet */
    assert_int_equal(seen_draft(&seen, &draft), 0);
    assert_int_equal(seen.n, 2);
    assert_int_equal(seen.counts.skipped, 7);
    assert_int_equal(seen.r[0].reverse.bytes, LEDGER_MOST);
    assert_int_equal(seen.r[1].reverse.bytes, 0);
}

/* ---- times ---- */

#define NTP(s, fraction) U32(s), U32(fraction)

static void times_have_four_units(void **state)
{
    (void)state;
    SET(&draft, 2, PAIR(300, 10), FLOW_FIELDS, PAIR(150, 4), PAIR(151, 4), PAIR(152, 8),
        PAIR(153, 8), PAIR(154, 8), PAIR(155, 8), PAIR(156, 8), PAIR(157, 8));
    SET(&draft, 2, PAIR(301, 8), FLOW_FIELDS, PAIR(150, 4), PAIR(151, 4), PAIR(152, 8),
        PAIR(153, 8), PAIR(154, 8), PAIR(155, 8));
    SET(&draft, 2, PAIR(302, 6), FLOW_FIELDS, PAIR(152, 8), PAIR(153, 8), PAIR(150, 4),
        PAIR(151, 4));
    SET(&draft, 2, PAIR(303, 4), FLOW_FIELDS, PAIR(150, 4), PAIR(151, 4));
    SET(&draft, 300, FLOW(4, 1), U32(1), U32(2), U64(3001), U64(4001), NTP(5, 0), NTP(6, 0),
        NTP(0xeea03a40, 0x82d0e565), NTP(0, 0x80000000)); /* the next era */
    SET(&draft, 301, FLOW(4, 1), U32(1), U32(2), U64(3001), U64(4001), NTP(0x83aa7e80, 0x1999aa60),
        NTP(0x83aa7e80, 0xffffef00)); /* the nearest of microseconds */
    SET(&draft, 302, FLOW(4, 1), U64(3001), U64(9223372036854), U32(1), U32(2));
    SET(&draft, 303, FLOW(4, 1), U32(1), U32(4294967295));
    static const int64_t times[][2] = {
        {1794489280511000001, 2085978496500000000},
        {100001000, 999999000},
        {3001000000, 9223372036854000000},
        {1000000000, 4294967295000000000},
    };
    assert_int_equal(seen_draft(&seen, &draft), 0);
    assert_int_equal(seen.n, ARRAY_SIZE(times));
    for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
        assert_int_equal(seen.r[i].first_ns, times[i][0]);
        assert_int_equal(seen.r[i].last_ns, times[i][1]);
    }
}

/* Each microsecond of a second stays itself, whether its fraction was rounded up or cut off. */
static void microseconds_stay_themselves(void **state)
{
    (void)state;
    draft.len = 0;
    for (uint32_t us = 0; us < 1000000; us += 997) {
        for (unsigned up = 0; up <= 1; up++) {
            const uint64_t exact = ((uint64_t)us << 32) / 1000000;
            const uint64_t fraction = up ? (exact + 2047) & ~UINT64_C(2047) : exact;
            const uint64_t ntp = (UINT64_C(0x83aa7e80) << 32) + fraction;
            reset(NULL);
            SET(&draft, 2, PAIR(300, 4), FLOW_FIELDS, PAIR(154, 8), PAIR(155, 8));
            SET(&draft, 300, FLOW(4, 1), U64(ntp), U64(ntp));
            assert_int_equal(one()->first_ns, (int64_t)us * 1000);
        }
    }
}

static void records_with_impossible_times_are_skipped(void **state)
{
    (void)state;
    SET(&draft, 2, PAIR(300, 7), FLOW_FIELDS, PAIR(152, 8), PAIR(153, 8), BACK(2, 1), BACK(152, 8),
        BACK(153, 8));
    SET(&draft, 300, FLOW(4, 1), U64(2), U64(1), 0, U64(0), U64(0));
    SET(&draft, 300, FLOW(4, 1), U64(0), U64(9223372036855), 0, U64(0), U64(0));
    SET(&draft, 300, FLOW(4, 1), U64(UINT64_MAX), U64(UINT64_MAX), 0, U64(0), U64(0));
    SET(&draft, 300, FLOW(4, 1), U64(1), U64(1), 1, U64(2), U64(1));
    SET(&draft, 300, FLOW(4, 1), U64(1), U64(1), 1, U64(2), U64(UINT64_MAX));
    assert_skipped(5);
    SET(&draft, 300, FLOW(4, 1), U64(1), U64(1), 0, U64(2), U64(1)); /* of no packet */
    assert_int_equal(seen_draft(&seen, &draft), 0);
    assert_int_equal(seen.n, 1);
    assert_int_equal(seen.r[0].reverse.first_ns, 0);
}

/* ---- directions ---- */

static void the_other_direction_has_its_own_figures(void **state)
{
    (void)state;
    SET(&draft, 2, PAIR(300, 8), FLOW_FIELDS, PAIR(239, 1), BACK(2, 1), BACK(1, 2), BACK(5, 1),
        BACK(6, 1), BACK(153, 8));
    SET(&draft, 300, FLOW(4, 5), 2, 3, 1, 44, 184, 0x12, U64(7));
    struct flowrec want = {
        .version = 4,
        .packets = 5,
        .biflow = FLOWREC_RESPONDER,
        .reverse = {.packets = 3, .bytes = 300, .last_ns = 7000000, .tos = 184, .tcp_flags = 0x12}};
    assert_true(same_record(one(), &want));
    reset(NULL);
    SET(&draft, 2, PAIR(300, 5), FLOW_FIELDS, PAIR(152, 8), PAIR(153, 8), BACK(2, 1));
    SET(&draft, 300, FLOW(4, 0), U64(2), U64(5), 3); /* only the other one has packets */
    want = (struct flowrec){.version = 4,
                            .first_ns = 2000000,
                            .last_ns = 5000000,
                            .biflow = FLOWREC_INITIATOR,
                            .reverse = {.packets = 3, .first_ns = 2000000, .last_ns = 5000000}};
    assert_true(same_record(one(), &want));
}

static void the_other_direction_has_times_of_all_units(void **state)
{
    (void)state;
    SET(&draft, 2, PAIR(300, 7), FLOW_FIELDS, PAIR(152, 8), PAIR(153, 8), BACK(2, 1), BACK(154, 8),
        BACK(155, 8));
    SET(&draft, 2, PAIR(301, 6), FLOW_FIELDS, PAIR(152, 8), PAIR(153, 8), BACK(2, 1), BACK(151, 4));
    SET(&draft, 2, PAIR(302, 5), FLOW_FIELDS, BACK(2, 1), BACK(150, 4), BACK(151, 4));
    SET(&draft, 300, FLOW(4, 1), U64(2), U64(5), 1, NTP(0x83aa7e80, 0x80000000),
        NTP(0x83aa7e81, 0x80000000));
    SET(&draft, 301, FLOW(4, 1), U64(2), U64(5), 1, U32(7));
    SET(&draft, 302, FLOW(4, 1), 1, U32(6), U32(7));
    static const int64_t ms[][2] = {{500, 1500}, {0, 7000}, {6000, 7000}};
    assert_int_equal(seen_draft(&seen, &draft), 0);
    assert_int_equal(seen.n, ARRAY_SIZE(ms));
    for (size_t i = 0; i < ARRAY_SIZE(ms); i++) {
        assert_int_equal(seen.r[i].reverse.first_ns, ms[i][0] * NSEC_PER_MSEC);
        assert_int_equal(seen.r[i].reverse.last_ns, ms[i][1] * NSEC_PER_MSEC);
    }
}

static void the_side_that_began_is_told(void **state)
{
    (void)state;
    static const struct {
        uint8_t word, packets;
        enum flowrec_biflow want;
    } cases[] = {
        {0, 0, FLOWREC_INITIATOR}, {0, 1, FLOWREC_INITIATOR}, {1, 0, FLOWREC_INITIATOR},
        {2, 0, FLOWREC_RESPONDER}, {2, 1, FLOWREC_RESPONDER}, {3, 0, FLOWREC_ONE_WAY},
        {3, 1, FLOWREC_INITIATOR}, {255, 0, FLOWREC_ONE_WAY},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        reset(NULL);
        SET(&draft, 2, PAIR(300, 4), FLOW_FIELDS, PAIR(239, 1), BACK(2, 1));
        SET(&draft, 300, FLOW(4, 5), cases[i].word, cases[i].packets);
        assert_int_equal(one()->biflow, cases[i].want);
        assert_int_equal(seen.r[0].reverse.packets, cases[i].packets);
    }
    reset(NULL);
    SET(&draft, 2, PAIR(300, 3), FLOW_FIELDS, PAIR(239, 1));
    SET(&draft, 300, FLOW(4, 5), 1);
    assert_int_equal(one()->biflow, FLOWREC_ONE_WAY);
}

/* ---- the rest ---- */

static void tags_are_told_by_three_elements(void **state)
{
    (void)state;
    static const struct {
        uint16_t outer, only, inner;
        uint8_t vlans;
        uint16_t want[2];
    } cases[] = {
        {0xf064, 5, 0x2007, 2, {100, 7}}, {0, 5, 0, 1, {5}}, {0x1000, 0xf005, 7, 2, {5, 7}},
        {0, 0x3000, 7, 1, {7}},           {0, 0, 0, 0, {0}}, {4095, 0, 0xf000, 1, {4095}},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        reset(NULL);
        SET(&draft, 2, PAIR(300, 5), FLOW_FIELDS, PAIR(245, 2), PAIR(58, 2), PAIR(243, 2));
        SET(&draft, 300, FLOW(4, 5), U16(cases[i].inner), U16(cases[i].only), U16(cases[i].outer));
        const struct flowrec *r = one();
        assert_int_equal(r->vlans, cases[i].vlans);
        assert_memory_equal(r->vlan, cases[i].want, sizeof(cases[i].want));
    }
}

static void the_type_of_icmp_is_told_by_either_element(void **state)
{
    (void)state;
    static const struct {
        uint8_t version, proto;
        uint16_t port, want;
    } cases[] = {
        {4, 1, 0, 0x0400}, {4, 1, 0x0303, 0x0303}, {6, 58, 0, 0x0600},
        {4, 58, 0, 0},     {6, 1, 0, 0},           {4, 17, 53, 53},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        reset(NULL);
        SET(&draft, 2, PAIR(300, 7), FLOW_FIELDS, PAIR(4, 1), PAIR(7, 2), PAIR(11, 2), PAIR(32, 2),
            PAIR(139, 2));
        SET(&draft, 300, FLOW(cases[i].version, 5), cases[i].proto, U16(9), U16(cases[i].port),
            U16(0x0400), U16(0x0600));
        const struct flowrec *r = one();
        assert_int_equal(r->port[0], flowrec_is_icmp(r) ? 0 : 9);
        assert_int_equal(r->port[1], cases[i].want);
    }
}

static void labels_and_macs_of_zeros_are_none(void **state)
{
    (void)state;
    SET(&draft, 2, PAIR(300, 5), FLOW_FIELDS, PAIR(70, 3), PAIR(56, 6), PAIR(80, 6));
    SET(&draft, 300, FLOW(4, 5), 0, 0, 0, U32(0), U32(0), U32(0));
    SET(&draft, 300, FLOW(4, 5), 0, 0, 1, U32(0), U32(0), U32(2));
    SET(&draft, 300, FLOW(4, 5), 0x12, 0x34, 0x56, U32(0x01000000), U32(0), U32(0));
    assert_int_equal(seen_draft(&seen, &draft), 0);
    assert_int_equal(seen.n, 3);
    assert_false(seen.r[0].has_label || seen.r[0].has_mac);
    assert_true(seen.r[1].has_label && seen.r[1].has_mac);
    assert_int_equal(seen.r[1].mac[1][5], 2);
    assert_true(seen.r[2].has_label && seen.r[2].has_mac);
    assert_int_equal(seen.r[2].label, 0x123456);
    assert_int_equal(seen.r[2].mac[0][0], 1);
}

/* ---- another exporter ---- */

/* Datagrams of softflowd 1.1.0 (-r FILE -v 10 -6 -T ether -c none), which a socket on loopback
 * took, of a capture file that was made for it: three segments of TCP in VLAN 100 with class of
 * service 8, two from 10.0.0.1:40000 to 10.0.0.2:80 and one back between them; two datagrams from
 * [fd00::1]:5000 to [fd00::2]:53; an echo of ICMP, 10.0.0.3 to 10.0.0.4, and its answer. The MAC
 * addresses are 2:0:0:0:0:1, of those who began, and 2:0:0:0:0:2. With -A milli, … */
static const char milli[] =
    "000a03186b0a59040000000500000000000200580400001400080004000c00040098000800990008000100040002"
    "0004000a0004000e0004003d00010088000100070002000b00020004000100060001003c000100050001003a0002"
    "003b00020038000600390006000200500401001200080004000c000400980008009900080001000400020004000a"
    "0004000e0004003d0001008800010020000200040001003c000100050001003a0002003b00020038000600390006"
    "0002005808000014001b0010001c001000980008009900080001000400020004000a0004000e0004003d00010088"
    "000100070002000b00020004000100060001003c000100050001003a0002003b0002003800060039000600020050"
    "08010012001b0010001c001000980008009900080001000400020004000a0004000e0004003d000100880001008b"
    "000200040001003c000100050001003a0002003b0002003800060039000600030022010000060001008f000400a0"
    "0008013100040132000401300002005200100100002a00005173000001a2206bb84100000001000000000001612e"
    "706361700000000000000000000008000060fd000000000000000000000000000001fd0000000000000000000000"
    "000000020000018bcfe569900000018bcfe56ddc0000008800000002000000000000000000011388003511000600"
    "000000000200000000010200000000020000040100840a0000030a0000040000018bcfe56e400000018bcfe56e40"
    "0000003000000001000000000000000000010800010400000000000200000000010200000000020a0000040a0000"
    "030000018bcfe5728c0000018bcfe5728c0000003000000001000000000000000001010000010400000000000200"
    "000000020200000000010000040000880a0000010a0000020000018bcfe568640000018bcfe5692c0000008c0000"
    "0002000000000000000000019c400050061a0408006400000200000000010200000000020a0000020a0000010000"
    "018bcfe568c80000018bcfe568c800000028000000010000000000000000010100509c4006120408006400000200"
    "00000002020000000001";
/* … and with -A micro -b, where both directions are in one record. */
static const char micro[] =
    "000a03c86b0a59060000000500000000000200780400001800080004000c0004009a0008009b0008000100040002"
    "0004000a0004000e0004003d00010088000100070002000b00020004000100060001003c000100050001003a0002"
    "003b0002003800060039000680010004000072798002000400007279800500010000727980060001000072790002"
    "00700401001600080004000c0004009a0008009b00080001000400020004000a0004000e0004003d000100880001"
    "0020000200040001003c000100050001003a0002003b000200380006003900068001000400007279800200040000"
    "7279800500010000727980200002000072790002007808000018001b0010001c0010009a0008009b000800010004"
    "00020004000a0004000e0004003d00010088000100070002000b00020004000100060001003c000100050001003a"
    "0002003b000200380006003900068001000400007279800200040000727980050001000072798006000100007279"
    "0002007008010016001b0010001c0010009a0008009b00080001000400020004000a0004000e0004003d00010088"
    "0001008b000200040001003c000100050001003a0002003b00020038000600390006800100040000727980020004"
    "000072798005000100007279808b00020000727900030022010000060001008f000400a000080131000401320004"
    "01300002005200100100002a000051ba000001a2206bc02e00000001000000000001612e70636170000000000000"
    "0000000008000068fd000000000000000000000000000001fd000000000000000000000000000002e8fe6f806666"
    "87f4e8fe6f8180003254000000880000000200000000000000000001138800351100060000000000020000000001"
    "02000000000200000000000000000000040100980a0000030a000004e8fe6f819999dcb5e8fe6f819999dcb50000"
    "00300000000100000000000000000001080001040000000000020000000001020000000002000000000000000000"
    "08000a0000030a000004e8fe6f82b3338716e8fe6f82b33387160000000000000000000000000000000000010000"
    "0104000000000002000000000102000000000200000030000000010000000400009c0a0000010a000002e8fe6f80"
    "1999aa60e8fe6f804cccdd930000008c00000002000000000000000000019c400050061a04080064000002000000"
    "0001020000000002000000000000000000000a0000010a000002e8fe6f80333343fae8fe6f80333343fa00000000"
    "00000000000000000000000000019c40005006000400000000640200000000010200000000020000002800000001"
    "0812";

static void read_foreign(const char *text)
{
    uint8_t bytes[1024];
    const size_t len = strlen(text) / 2;
    assert_true(len <= sizeof(bytes) && test_hex(text, bytes, len));
    assert_int_equal(seen_read(&seen, bytes, len), 0);
    assert_int_equal(seen.counts.messages, 1);
    assert_int_equal(seen.counts.skipped, 1); /* its options */
}

#define AT(ms) (INT64_C(1700000000000000000) + (ms)*NSEC_PER_MSEC)
/* It has another element for the destination's MAC address. */
#define OTHERS .interface = 0, .end_reason = 1, .has_mac = true
#define FROM_ONE OTHERS, .mac = {{2, 0, 0, 0, 0, 1}}
#define FROM_TWO OTHERS, .mac = {{2, 0, 0, 0, 0, 2}}
#define NAMES                                                                                      \
    .addr = {{0xfd, [15] = 1}, {0xfd, [15] = 2}}, .port = {5000, 53}, .version = 6, .proto = 17,   \
    .packets = 2, .bytes = 136
#define ECHO                                                                                       \
    .addr = {{10, 0, 0, 3}, {10, 0, 0, 4}}, .port = {0, 0x0800}, .version = 4, .proto = 1,         \
    .packets = 1, .bytes = 48
#define WEB                                                                                        \
    .addr = {{10, 0, 0, 1}, {10, 0, 0, 2}}, .port = {40000, 80}, .version = 4, .proto = 6,         \
    .vlan = {100}, .vlans = 1, .packets = 2, .bytes = 140, .tcp_flags = 0x1a, .tos = 8

static void softflowd_in_milliseconds(void **state)
{
    (void)state;
    const struct flowrec want[] = {
        {FROM_ONE, NAMES, .first_ns = AT(400), .last_ns = AT(1500)},
        {FROM_ONE, ECHO, .first_ns = AT(1600), .last_ns = AT(1600)},
        {FROM_TWO, .addr = {{10, 0, 0, 4}, {10, 0, 0, 3}}, .version = 4, .proto = 1, .packets = 1,
         .bytes = 48, .first_ns = AT(2700), .last_ns = AT(2700)},
        {FROM_ONE, WEB, .first_ns = AT(100), .last_ns = AT(300)},
        {FROM_TWO, .addr = {{10, 0, 0, 2}, {10, 0, 0, 1}}, .port = {80, 40000}, .version = 4,
         .proto = 6, .vlan = {100}, .vlans = 1, .packets = 1, .bytes = 40, .tcp_flags = 0x12,
         .tos = 8, .first_ns = AT(200), .last_ns = AT(200)},
    };
    read_foreign(milli);
    assert_int_equal(seen.n, ARRAY_SIZE(want));
    for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
        assert_true(same_record(&seen.r[i], &want[i]));
    }
}

/* To the time of a packet, in microseconds, it adds one. */
#define US(us) (AT(0) + ((us) + 1) * INT64_C(1000))
#define BOTH .biflow = FLOWREC_INITIATOR

static void softflowd_in_microseconds_and_both_directions(void **state)
{
    (void)state;
    const struct flowrec want[] = {
        {BOTH, FROM_ONE, NAMES, .first_ns = US(400001), .last_ns = US(1500002)},
        {BOTH, FROM_ONE, ECHO, .first_ns = US(1600003), .last_ns = US(1600003)},
        {BOTH, FROM_ONE, .addr = {{10, 0, 0, 3}, {10, 0, 0, 4}}, .version = 4, .proto = 1,
         .first_ns = US(2700004), .last_ns = US(2700004),
         .reverse = {1, 48, US(2700004), US(2700004), 0, 0}},
        {BOTH, FROM_ONE, WEB, .first_ns = US(100000), .last_ns = US(300000)},
        {BOTH, FROM_ONE, .addr = {{10, 0, 0, 1}, {10, 0, 0, 2}}, .port = {40000, 80}, .version = 4,
         .proto = 6, .first_ns = US(200000), .last_ns = US(200000),
         .reverse = {1, 40, US(200000), US(200000), 8, 0x12}}, /* its VLAN is in another element */
    };
    read_foreign(micro);
    assert_int_equal(seen.n, ARRAY_SIZE(want));
    for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
        assert_true(same_record(&seen.r[i], &want[i]));
    }
}

#define TEST(f) cmocka_unit_test_setup(f, reset)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(numbers_may_have_fewer_bytes),
        TEST(elements_of_impossible_lengths_are_others),
        TEST(the_version_is_that_of_the_addresses),
        TEST(records_that_are_no_flows_are_skipped),
        TEST(times_have_four_units),
        TEST(microseconds_stay_themselves),
        TEST(records_with_impossible_times_are_skipped),
        TEST(the_other_direction_has_its_own_figures),
        TEST(the_other_direction_has_times_of_all_units),
        TEST(the_side_that_began_is_told),
        TEST(tags_are_told_by_three_elements),
        TEST(the_type_of_icmp_is_told_by_either_element),
        TEST(labels_and_macs_of_zeros_are_none),
        TEST(softflowd_in_milliseconds),
        TEST(softflowd_in_microseconds_and_both_directions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

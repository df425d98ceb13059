/* SPDX-License-Identifier: Apache-2.0
 *
 * Rows as nfdump 1.6 has written them, and sums at their bounds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/time.h"
#include "proto/flowcsv.h"

#define MAC "00:00:00:00:00:00"
#define LABELS "0-0-0,0-0-0,0-0-0,0-0-0,0-0-0,0-0-0,0-0-0,0-0-0,0-0-0,0-0-0"
#define REST                                                                                       \
    "0,0,0,0,0,0,0,0,0,0,0.0.0.0,0.0.0.0,%u,0," MAC "," MAC "," MAC "," MAC "," LABELS             \
    ",    0.000,    0.000,    0.000,0.0.0.0,0/0,1,1970-01-01 00:00:00.000\n"

/* 2026-11-12 13:14:40 UTC */
static const int64_t day_ns = 1794489280 * NSEC_PER_SEC;

static const struct flowrec web = {.first_ns = 1794489280511000000,
                                   .last_ns = 1794489284761999999,
                                   .packets = 5,
                                   .bytes = 700,
                                   .addr = {{10, 0, 0, 1}, {10, 0, 0, 2}},
                                   .port = {40000, 80},
                                   .version = 4,
                                   .proto = 6,
                                   .tcp_flags = 0xd8};

static void check_row(const struct flowrec *r, struct flowcsv_sums *sums, const char *want)
{
    char row[FLOWCSV_ROW], all[FLOWCSV_ROW];
    assert_true(strlen(want) + sizeof(REST) < sizeof(all));
    (void)snprintf(all, sizeof(all), "%s,", want);
    (void)snprintf(all + strlen(all), sizeof(all) - strlen(all), REST, r->vlans ? r->vlan[0] : 0U);
    const size_t n = flowcsv_row(r, sums, row);
    assert_int_equal(n, strlen(row));
    assert_string_equal(row, all);
}

static void rows(void **state)
{
    (void)state;
    struct flowcsv_sums sums = {0};
    check_row(&web, &sums,
              "2026-11-12 13:14:40.511,2026-11-12 13:14:44.761,4.250,10.0.0.1,10.0.0.2,40000,80,"
              "TCP,.AP...,0,0,5,700");
    struct flowrec six = {.first_ns = day_ns + 999999,
                          .last_ns = day_ns + 1000000,
                          .packets = UINT64_MAX,
                          .bytes = UINT64_MAX,
                          .addr = {{0xfd}, {0xfd, [15] = 1}},
                          .port = {0, 34304},
                          .version = 6,
                          .proto = 58,
                          .tos = 255,
                          .vlan = {100, 7},
                          .vlans = 2};
    check_row(&six, &sums,
              "2026-11-12 13:14:40.000,2026-11-12 13:14:40.001,0.001,fd00::,fd00::1,0,34304,ICMP6,"
              "......,0,255,18446744073709551615,18446744073709551615");
    six.proto = 254;
    six.tcp_flags = 0x3f;
    six.vlans = 0;
    six.last_ns = INT64_MAX;
    six.first_ns = 0;
    check_row(&six, &sums,
              "1970-01-01 00:00:00.000,2262-04-11 23:47:16.854,9223372036.854,fd00::,fd00::1,0,"
              "34304,254,UAPRSF,0,255,18446744073709551615,18446744073709551615");
    assert_int_equal(sums.flows, 3);
    assert_int_equal(sums.first_ns, 0);
    assert_int_equal(sums.last_ns, INT64_MAX);
}

static void longest_row_fits(void **state)
{
    (void)state;
    struct flowcsv_sums sums = {0};
    char row[FLOWCSV_ROW];
    struct flowrec r = {.last_ns = INT64_MAX,
                        .packets = UINT64_MAX,
                        .bytes = UINT64_MAX,
                        .port = {65535, 65535},
                        .vlan = {4095},
                        .vlans = 1,
                        .version = 6,
                        .proto = 58,
                        .tos = 255,
                        .tcp_flags = 255};
    memset(r.addr, 0xff, sizeof(r.addr));
    const size_t n = flowcsv_row(&r, &sums, row);
    assert_true(n < sizeof(row));
    assert_int_equal(row[n - 1], '\n');
}

static void check_tail(const struct flowcsv_sums *sums, const char *want)
{
    char tail[FLOWCSV_ROW];
    const size_t n = flowcsv_tail(sums, tail);
    assert_int_equal(n, strlen(tail));
    assert_memory_equal(tail, "Summary\nflows,bytes,packets,avg_bps,avg_pps,avg_bpp\n", 52);
    assert_string_equal(tail + 52, want);
}

static void sums_at_the_end(void **state)
{
    (void)state;
    struct flowcsv_sums sums = {0};
    char row[FLOWCSV_ROW];
    check_tail(&sums, "0,0,0,0,0,0\n");
    struct flowrec r = web;
    (void)flowcsv_row(&r, &sums, row);
    r.first_ns = web.last_ns + NSEC_PER_SEC;
    r.last_ns = web.first_ns + 6 * NSEC_PER_SEC;
    r.packets = 11;
    r.bytes = 2600;
    (void)flowcsv_row(&r, &sums, row);
    check_tail(&sums, "2,3300,16,4400,2,206\n");
    sums = (struct flowcsv_sums){1, 16, UINT64_MAX, 5, 5};
    check_tail(&sums, "1,18446744073709551615,16,0,0,1152921504606846975\n");
    const size_t n = flowcsv_head(row);
    assert_int_equal(n, strlen(row));
    unsigned columns = 1;
    for (const char *p = row; *p; p++) {
        columns += *p == ',';
    }
    assert_int_equal(columns, 48);
}

static int64_t west(int64_t ns)
{
    return ns > 0 ? -9 * 3600 * NSEC_PER_SEC : 0;
}

/* Lengths and sums do not depend on the zone, and a time before 1970 is told in UTC. */
static void rows_of_a_zone(void **state)
{
    (void)state;
    struct flowcsv_sums sums = {0}, same = {0};
    char row[FLOWCSV_ROW];
    struct flowrec r = web;
    (void)flowcsv_row_in(&r, west, &sums, row);
    assert_memory_equal(row, "2026-11-12 04:14:40.511,2026-11-12 04:14:44.761,4.250,", 54);
    (void)flowcsv_row(&r, &same, row);
    assert_memory_equal(&sums, &same, sizeof(sums));
    r.first_ns = 3600 * NSEC_PER_SEC;
    r.last_ns = 9 * 3600 * NSEC_PER_SEC;
    (void)flowcsv_row_in(&r, west, &sums, row);
    assert_memory_equal(row, "1970-01-01 01:00:00.000,1970-01-01 00:00:00.000,", 48);
    r.last_ns = INT64_MAX;
    (void)flowcsv_row_in(&r, west, &sums, row);
    assert_memory_equal(row + 24, "2262-04-11 14:47:16.854,", 24);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows),
        cmocka_unit_test(rows_of_a_zone),
        cmocka_unit_test(longest_row_fits),
        cmocka_unit_test(sums_at_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

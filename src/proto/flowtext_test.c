/* SPDX-License-Identifier: Apache-2.0
 *
 * Records as text, with each field that one may have; tests/net/test_meter.py reads them with
 * parsers of JSON and comma-separated values.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "proto/flowrec_testing.h"
#include "proto/flowtext.h"

static const struct flowrec web = {TESTING_WEB};

static void check_json(const struct flowrec *r, const char *id, const char *want)
{
    char row[FLOWTEXT_ROW];
    const size_t n = flowtext_json(r, id, row);
    assert_int_equal(n, strlen(row));
    assert_string_equal(row, want);
}

static void json(void **state)
{
    (void)state;
    check_json(&web, NULL,
               "{\"flowStartNanoseconds\":\"2026-11-12T13:14:40.511000001Z\","
               "\"flowEndNanoseconds\":\"2026-11-12T13:14:44.761999999Z\","
               "\"sourceIPv4Address\":\"10.0.0.1\",\"destinationIPv4Address\":\"10.0.0.2\","
               "\"protocolIdentifier\":6,\"sourceTransportPort\":40000,"
               "\"destinationTransportPort\":80,\"packetDeltaCount\":5,\"octetDeltaCount\":700,"
               "\"tcpControlBits\":216,\"ipClassOfService\":184,\"flowEndReason\":3}\n");
    const struct flowrec six = {.addr = {{0xfd}, {0xfd, [15] = 1}},
                                .port = {0, 34304},
                                .packets = UINT64_MAX,
                                .bytes = UINT64_MAX,
                                .vlan = {100, 7},
                                .vlans = 2,
                                .version = 6,
                                .proto = 58,
                                .has_mac = true,
                                .has_label = true,
                                .mac = {{2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 0xff}},
                                .label = 100 << 4 | 1,
                                .point = "a\"b\\x0a,%\n"};
    check_json(&six, "1:x=",
               "{\"flowStartNanoseconds\":\"1970-01-01T00:00:00.000000000Z\","
               "\"flowEndNanoseconds\":\"1970-01-01T00:00:00.000000000Z\","
               "\"sourceIPv6Address\":\"fd00::\",\"destinationIPv6Address\":\"fd00::1\","
               "\"protocolIdentifier\":58,\"icmpTypeCodeIPv6\":34304,"
               "\"packetDeltaCount\":18446744073709551615,"
               "\"octetDeltaCount\":18446744073709551615,\"ipClassOfService\":0,"
               "\"flowEndReason\":0,\"dot1qVlanId\":100,\"dot1qCustomerVlanId\":7,"
               "\"mplsTopLabelStackSection\":100,\"sourceMacAddress\":\"02:00:00:00:00:01\","
               "\"destinationMacAddress\":\"02:00:00:00:00:ff\","
               "\"interfaceName\":\"a\\\"b\\\\x0a,%?\",\"communityId\":\"1:x=\"}\n");
}

/* The tunnel is an object of its own, with as much as is known of it. */
static void tunnels(void **state)
{
    (void)state;
    char row[FLOWTEXT_ROW];
    struct flowrec r = web;
    r.tunnel = TUNNEL_VXLAN;
    r.outer_version = 6;
    r.outer[0][0] = 0xfd;
    r.outer[1][0] = 0xfe;
    (void)flowtext_json(&r, "1:x=", row);
    assert_non_null(strstr(row, "\"communityId\":\"1:x=\",\"tunnel\":{\"kind\":\"vxlan\",\"id\":0,"
                                "\"source\":\"fd00::\",\"destination\":\"fe00::\"}}\n"));
    (void)flowtext_row(&r, NULL, row);
    assert_non_null(strstr(row, ",,vxlan,0,fd00::,fe00::,,,,,,,\n"));
    r.tunnel = TUNNEL_IP;
    r.outer_version = 0;
    (void)flowtext_json(&r, NULL, row);
    assert_non_null(strstr(row, "\"flowEndReason\":3,\"tunnel\":{\"kind\":\"ip\"}}\n"));
    r.outer_version = 4;
    r.tunnel_id = 7;
    r.tunnel = TUNNEL_GRE_KEY;
    (void)flowtext_row(&r, NULL, row);
    assert_non_null(strstr(row, ",gre,7,253.0.0.0,254.0.0.0,,,,,,,\n"));
    (void)flowtext_head(row);
    assert_non_null(strstr(row, ",tunnel.kind,tunnel.id,tunnel.source,tunnel.destination,"));
}

/* Both directions in one, or one and zeros. */
static void biflows(void **state)
{
    (void)state;
    char row[FLOWTEXT_ROW];
    struct flowrec r = web;
    r.tunnel = TUNNEL_IP;
    r.biflow = FLOWREC_INITIATOR;
    r.reverse = (struct flowrec_reverse){4, 400, 1794489280511000002, 1794489284761999998, 8, 0x12};
    (void)flowtext_json(&r, NULL, row);
    assert_non_null(strstr(row,
                           "\"flowEndReason\":3,\"tunnel\":{\"kind\":\"ip\"},"
                           "\"reverseFlowStartNanoseconds\":\"2026-11-12T13:14:40.511000002Z\","
                           "\"reverseFlowEndNanoseconds\":\"2026-11-12T13:14:44.761999998Z\","
                           "\"reversePacketDeltaCount\":4,\"reverseOctetDeltaCount\":400,"
                           "\"reverseTcpControlBits\":18,\"reverseIpClassOfService\":8,"
                           "\"biflowDirection\":1}\n"));
    r.proto = 17;
    (void)flowtext_row(&r, NULL, row);
    assert_non_null(strstr(row, ",ip,,,,2026-11-12T13:14:40.511000002Z,"
                                "2026-11-12T13:14:44.761999998Z,4,400,,8,1\n"));
    r.biflow = FLOWREC_RESPONDER;
    r.reverse = (struct flowrec_reverse){0};
    (void)flowtext_row(&r, NULL, row);
    assert_non_null(strstr(row, ",ip,,,,,,0,0,,,2\n"));
}

static unsigned columns(const char *row)
{
    unsigned n = 1;
    for (; *row; row++) {
        n += *row == ',';
    }
    return n;
}

static void comma_separated(void **state)
{
    (void)state;
    char head[FLOWTEXT_ROW], row[FLOWTEXT_ROW];
    size_t n = flowtext_head(head);
    assert_int_equal(n, strlen(head));
    assert_memory_equal(head, "flowStartNanoseconds,flowEndNanoseconds,sourceIPv4Address,", 57);
    struct flowrec r = web;
    r.point = "eth0";
    n = flowtext_row(&r, "1:x=", row);
    assert_int_equal(n, strlen(row));
    assert_string_equal(
        row, "2026-11-12T13:14:40.511000001Z,2026-11-12T13:14:44.761999999Z,"
             "10.0.0.1,10.0.0.2,,,6,40000,80,,,5,700,216,184,3,,,,,,eth0,1:x=,,,,,,,,,,,\n");
    assert_int_equal(columns(row), columns(head));
    r.point = "a\"b\\x0a,c";
    (void)flowtext_row(&r, NULL, row);
    assert_non_null(strstr(row, ",,\"a\"\"b\\x0a,c\",,,,,,,,,,,,\n"));
    r.point = "eth0";
    r.proto = 1;
    r.port[1] = 2048;
    (void)flowtext_row(&r, NULL, row);
    assert_string_equal(row, "2026-11-12T13:14:40.511000001Z,2026-11-12T13:14:44.761999999Z,"
                             "10.0.0.1,10.0.0.2,,,1,,,2048,,5,700,,184,3,,,,,,eth0,,,,,,,,,,,,\n");
}

/* The longest values, and a name of nothing but marks. */
static void longest_line_fits(void **state)
{
    (void)state;
    char name[300], row[FLOWTEXT_ROW];
    memset(name, '"', sizeof(name));
    name[sizeof(name) - 1] = '\0';
    struct flowrec r = {.first_ns = INT64_MAX,
                        .last_ns = INT64_MAX,
                        .packets = UINT64_MAX,
                        .bytes = UINT64_MAX,
                        .port = {65535, 65535},
                        .vlan = {4095, 4095},
                        .vlans = 2,
                        .version = 6,
                        .proto = 6,
                        .tos = 255,
                        .tcp_flags = 255,
                        .end_reason = 255,
                        .has_mac = true,
                        .has_label = true,
                        .label = 0xffffff,
                        .point = name,
                        .tunnel = TUNNEL_GPE,
                        .tunnel_id = UINT32_MAX,
                        .outer_version = 6,
                        .biflow = FLOWREC_RESPONDER,
                        .reverse = {UINT64_MAX, UINT64_MAX, INT64_MAX, INT64_MAX, 255, 255}};
    memset(r.addr, 0xff, sizeof(r.addr));
    memset(r.outer, 0xff, sizeof(r.outer));
    const size_t n = flowtext_json(&r, "1:0123456789012345678901234567", row);
    assert_true(n < sizeof(row));
    assert_memory_equal(row + n - 4, ":2}\n", 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json),
        cmocka_unit_test(tunnels),
        cmocka_unit_test(biflows),
        cmocka_unit_test(comma_separated),
        cmocka_unit_test(longest_line_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

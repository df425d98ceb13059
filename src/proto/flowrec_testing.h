/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests only: fields of a flow record, to which tests add what theirs have besides.
 */
#pragma once

#include "proto/flowrec.h"

/* TCP over IPv4. */
#define TESTING_WEB                                                                                \
    .first_ns = 1794489280511000001, .last_ns = 1794489284761999999, .packets = 5, .bytes = 700,   \
    .addr = {{10, 0, 0, 1}, {10, 0, 0, 2}}, .port = {40000, 80}, .version = 4, .proto = 6,         \
    .tos = 184, .tcp_flags = 0xd8, .end_reason = 3

/* The same with tags, a label and MAC addresses. */
#define TESTING_WEB_TAGGED                                                                         \
    TESTING_WEB, .vlan = {100, 7}, .vlans = 2, .has_label = true, .has_mac = true,                 \
                 .label = 0x123456, .interface = 9,                                                \
                 .mac = {{2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}}

/* Both directions of the first, without those. */
#define TESTING_WEB_BOTH                                                                           \
    TESTING_WEB, .biflow = FLOWREC_INITIATOR,                                                      \
                 .reverse = {3, 400, 1794489280511000002, 1794489284761000000}

/* SPDX-License-Identifier: Apache-2.0
 *
 * The command line of `farspan flow`: flow_rows.c has its options, flow.c what is done by it.
 */
#pragma once

#include "cmd/taps_client.h"

struct flow_line {
    struct client_options client;
    struct tap_client_change change;
    const char *source, *service, *direction, *vlans, *filter, *project;
    int64_t wait_ns;
    bool watch, may_exist, if_exists;
};

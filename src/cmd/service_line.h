/* SPDX-License-Identifier: Apache-2.0
 *
 * The command line of `farspan service`: service_rows.c has its options, service.c what is done by
 * it.
 */
#pragma once

#include "cmd/taps_client.h"

struct service_line {
    struct client_options client;
    struct tap_client_change change;
    const char *port, *project, *frames;
    bool may_exist, if_exists;
};

/* SPDX-License-Identifier: Apache-2.0
 *
 * The command line of `farspan meter`: meter_rows.c has its options.
 */
#pragma once

#include "node/meter.h"

struct meter_line {
    struct meter_conf conf;
    const char *user;
    bool ledger;
    char *words; /* of the filter behind the options, owned */
};

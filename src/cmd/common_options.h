/* SPDX-License-Identifier: Apache-2.0
 *
 * The options that taps, collectors and services share, but for their keys (secret_options.h):
 * tap_options.c, collector_options.c and serve_rows.c have the groups in their tables.
 */
#pragma once

#include "base/conf.h"

struct common_options {
    const char *config; /* a file of settings; NULL: none */
    const char *user;   /* whom the engine runs as; NULL: the default */
    bool json;
};

extern const struct conf_group common_group;
/* Of a program that has a ledger: --json; to the same structure. */
extern const struct conf_group ledger_group;

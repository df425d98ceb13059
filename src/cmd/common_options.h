/* SPDX-License-Identifier: Apache-2.0
 *
 * The options that taps and collectors share, but for their keys (secret_options.h): tap_options.c
 * and collector_options.c have the group in their tables.
 */
#pragma once

#include "base/conf.h"

struct common_options {
    const char *config; /* a file of settings; NULL: none */
    const char *user;   /* whom the engine runs as; NULL: the default */
    bool json;
};

extern const struct conf_group common_group;

/* SPDX-License-Identifier: Apache-2.0
 *
 * A table of settings as getopt_long wants it; options.c asks getopt_long by it.
 */
#pragma once

#include <getopt.h>

#include "cmd/options_help.h"

struct getopt_strings {
    char letters[2 + 2 * CONF_ROWS + 1];
    struct option names[CONF_ROWS + 1];
};

void getopt_strings(const struct options *o, struct getopt_strings *ret);
/* The number of the row of which getopt_long has returned `opt`, or -1. */
int getopt_row(const struct options *o, int opt);

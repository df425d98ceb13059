/* SPDX-License-Identifier: Apache-2.0
 *
 * The commands there are, a row each, in the order of the help: main.c runs one, describe/ prints
 * the manual's lists of options and the completions.
 */
#pragma once

#include "cmd/options_help.h"

struct command {
    const char *name, *help;
    int (*run)(int argc, char **argv);
    const struct options *options;
};

extern const struct command commands[];
extern const size_t commands_n;

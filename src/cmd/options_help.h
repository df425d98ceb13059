/* SPDX-License-Identifier: Apache-2.0
 *
 * A command's help, printed from its table of options, for options.c.
 */
#pragma once

#include <stdio.h>

#include "cmd/options_row.h"

/* The row of that number: the table's, then -h and -V, which all commands have; NULL: none. */
const struct option_row *option_row_at(const struct option_table *t, size_t i);
void options_help(const struct option_table *t, FILE *to);

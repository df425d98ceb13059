/* SPDX-License-Identifier: Apache-2.0
 *
 * The options of a command as a table of rows, out of which come its help (options_help.h), the
 * strings of getopt_long and the calls that carry an option out. Each command has one table:
 * tap_options.c, collector_options.c, keygen.c, status.c.
 */
#pragma once

#include "base/error.h"
#include "cmd/options_row.h"

/* The end of a row: sets a bool, or a text, which stays where getopt left it. */
#define OPTION_FLAG(type, member) option_flag, OPTION_AT(type, member, bool)
#define OPTION_TEXT(type, member) option_text, OPTION_AT(type, member, const char *)
/* The offset of a member, which has to be of that type. */
#define OPTION_AT(type, member, of)                                                                \
    (offsetof(type, member) + 0 * sizeof(char[_Generic(((type *)NULL)->member, of : 1)]))
option_set option_flag, option_text;

/* For a value that was parsed with `r`: 0, or what usage_error returns after the sentence. */
int option_parsed(const struct option_given *given, int r, const struct error *err);

/* Reads argv into `conf`: 0, with the words that are no options from `optind` on; or -1 - exit
 * status, after a message or after what -h and -V print. No option with an argument replaces an
 * earlier one silently. */
int options_parse(const struct option_table *t, void *conf, int argc, char **argv);

/* SPDX-License-Identifier: Apache-2.0
 *
 * The options that taps, collectors and services share, but for their keys.
 */
#include "cmd/common_options.h"

static const struct conf_row common_rows[] = {
    {0, "config", "FILE", "read settings from a file; those of the command line win",
     CONF_TEXT_AT(struct common_options, config), .flags = CONF_LINE, .offer = CONF_FILE,
     .manual = "Read settings from _FILE_, which *farspan-check*(1) describes; what the\n"
               "command line says wins."},
    {0, "user", "USER", "the unprivileged user to run as (default: farspan, else nobody)",
     CONF_TEXT_AT(struct common_options, user), .offer = CONF_USER,
     .manual = "The unprivileged user that the engine becomes; by default *farspan* if there\n"
               "is such a user, else *nobody*. Root without the capabilities for that, as in a\n"
               "container that has dropped them, remains root in the engine too, which gives\n"
               "up all that are left, and says so."},
};

static const struct conf_row ledger_rows[] = {
    {0, "json", NULL, "print the ledger at the end, as JSON",
     CONF_FLAG_AT(struct common_options, json),
     .manual = "Print the ledger as JSON at the end. Not together with a collector's *-w -*."},
};

const struct conf_group common_group = {"Other:", common_rows, ARRAY_SIZE(common_rows)};
const struct conf_group ledger_group = {NULL, ledger_rows, ARRAY_SIZE(ledger_rows)};

/* SPDX-License-Identifier: Apache-2.0
 *
 * The declarations that the files of `farspan tap` share: tap.c (wiring), tap_options.c (command
 * line) and tap_summary.c (the lines at the end).
 */
#pragma once

#include "cmd/cmd.h"
#include "node/tap.h"

/* The command line. */
struct tap_line {
    struct tap_conf conf;      /* is first: rows of options without an offset write there */
    const char *filter_option; /* -f */
    bool list, json, strict;
    struct secret_options secret;
};

/* Reads argv; EXIT_SUCCESS to go on, else -1 - exit status. */
int tap_parse(struct tap_line *l, int argc, char **argv);

/* Says what was captured, and what did not arrive. Returns the exit status: a capture of which
 * nothing can have arrived is a failure, and with `strict` one of which something may be missing.
 */
int tap_summary(const struct tap *t, const char *collector, bool strict);

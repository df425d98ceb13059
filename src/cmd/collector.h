/* SPDX-License-Identifier: Apache-2.0
 *
 * The declarations that the files of `farspan collector` share: collector.c (wiring),
 * collector_options.c (command line) and collector_summary.c (what it says).
 */
#pragma once

#include "cmd/cmd.h"
#include "node/collector.h"

/* The command line. */
struct collector_line {
    struct collector_conf conf; /* is first: rows of options without an offset write there */
    bool json;
    struct secret_options secret; /* its list of taps is conf.allow, too */
};

/* Reads argv; EXIT_SUCCESS to go on, else -1 - exit status. */
int collector_parse(struct collector_line *l, int argc, char **argv);

/* Says where frames come from and where they go. */
void collector_say_where(const struct collector_conf *c);
/* Says what was received and what was lost. */
void collector_summary(const struct collector *c);

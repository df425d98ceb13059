/* SPDX-License-Identifier: Apache-2.0
 *
 * The command line of `farspan tap` in its parts: rows (tap_rows_select.c, tap_rows_link.c,
 * tap_rows_safe.c), their table (tap_options.c), options whose value has a form (tap_values.c),
 * what is checked across options (tap_checks.c), and --list (tap_list.c).
 */
#pragma once

#include "cmd/common_options.h"
#include "cmd/options.h"
#include "cmd/secret_options.h"
#include "node/tap.h"

struct tap_line {
    struct tap_conf conf;      /* is first: rows of options without an offset write there */
    const char *filter_option; /* -f */
    bool list, strict;
    struct secret_options secret;
    struct common_options common;
    struct options_file file; /* the configuration file; owned */
};

/* Reads argv; EXIT_SUCCESS to go on, else -1 - exit status. Where l->file has a text, that is the
 * file. */
int tap_parse(struct tap_line *l, int argc, char **argv);
void tap_line_done(struct tap_line *l);

/* ---- among the parts ---- */

/* The setters of rows; each writes to a struct tap_conf. */
conf_set tap_set_collector, tap_set_name, tap_set_hours, tap_set_zone, tap_set_on_limit,
    tap_set_keep, tap_set_cpu;

extern const struct conf_group tap_select_group, tap_link_group, tap_limit_group, tap_safe_group;

/* Looks at the options together and takes the filter from them or from the `n` words behind them:
 * 0, or -EINVAL with a sentence. */
int tap_check(struct tap_line *l, int n, char **words, struct error *err);

/* Prints the interfaces of the namespace that --netns names; NULL: of this one. An exit status. */
int tap_list(const char *netns);

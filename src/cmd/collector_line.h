/* SPDX-License-Identifier: Apache-2.0
 *
 * The command line of `farspan collector` in its parts: rows (collector_options.c) and options
 * whose value has a form (collector_values.c).
 */
#pragma once

#include "cmd/options_row.h"
#include "cmd/secret_options.h"
#include "node/collector.h"

struct collector_line {
    struct collector_conf conf; /* is first: rows of options without an offset write there */
    bool json;
    struct secret_options secret; /* its list of taps is conf.allow, too */
};

/* Reads argv; EXIT_SUCCESS to go on, else -1 - exit status. */
int collector_parse(struct collector_line *l, int argc, char **argv);

/* ---- among the parts ---- */

/* The setters of rows; each writes to a struct collector_conf. */
option_set collector_set_port, collector_set_threads, collector_set_device, collector_set_order,
    collector_set_queue;

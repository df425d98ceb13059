/* SPDX-License-Identifier: Apache-2.0
 *
 * The command line of `farspan collector` in its parts: rows (collector_rows.c), their table
 * (collector_options.c), and options whose value has a form (collector_values.c).
 */
#pragma once

#include "cmd/common_options.h"
#include "cmd/options.h"
#include "cmd/output_rows.h"
#include "cmd/secret_options.h"
#include "node/collector.h"

struct collector_line {
    struct collector_conf conf;   /* is first: rows of options without an offset write there */
    struct secret_options secret; /* its list of taps is conf.allow, too */
    struct common_options common;
    struct options_file file; /* the configuration file; owned */
    /* The file's section of an output that is being read. */
    struct output_section section;
    const char *section_name;
};

/* Reads argv; EXIT_SUCCESS to go on, else -1 - exit status. */
int collector_parse(struct collector_line *l, int argc, char **argv);
void collector_line_done(struct collector_line *l);

/* ---- among the parts ---- */

/* The setter of a row, which writes to a struct collector_conf. */
conf_set collector_set_device, collector_add_output;

extern const struct conf_group collector_from_group, collector_to_group, collector_view_group;

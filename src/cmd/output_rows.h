/* SPDX-License-Identifier: Apache-2.0
 *
 * The sections "[output NAME]" of a collector's configuration file: outputs with names and settings
 * of their own, beside those of -o.
 */
#pragma once

#include "cmd/options.h"

/* The section's table writes to this. */
struct output_section {
    const char *to; /* the words, as behind -o; NULL: none were given */
    uint64_t queue; /* bytes that may wait before it; 0: as many as before others */
};

extern const struct conf_table output_table;
/* Puts them into a struct collector_line. */
extern const struct options_named output_sections;

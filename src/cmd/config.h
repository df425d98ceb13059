/* SPDX-License-Identifier: Apache-2.0
 *
 * A configuration file's settings, put where a command's options go.
 */
#pragma once

#include "cmd/config_section.h"
#include "cmd/options_help.h"

/* The file of --config, as it was read; freed by the caller, all of it. */
struct options_file {
    char *text;  /* into which the structure points; changed in reading */
    size_t len;  /* text[len] may be written */
    char *fixed; /* what it says of rows that are not CONF_LIVE */
};

/* Sets in `conf` what the file says in the section of the command's table, but for rows that are
 * `given` elsewhere: 0; or an exit status, after a message for each mistake of the file, whatever
 * its section. `file` is as for options_parse: its text is read from `path` unless it has one. */
int config_load(const struct options *o, const char *path, const bool given[CONF_ROWS], void *conf,
                struct options_file *file);

/* Do two readings of a file say the same of rows that are not CONF_LIVE? -EBUSY with a sentence
 * that names the first setting that differs. */
int config_same_fixed(const struct options_file *from, const struct options_file *to,
                      struct error *err);

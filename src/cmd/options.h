/* SPDX-License-Identifier: Apache-2.0
 *
 * The command line of a command, read by its table of settings (base/conf.h), after the
 * configuration file that it names. Each command has one: tap_options.c, collector_options.c,
 * keygen.c, status.c, check.c.
 */
#pragma once

#include "cmd/config.h"

/* Sets the defaults in `conf`, then what the file of --config says of this table, then what argv
 * says: 0, with the words that are no options from `optind` on; or -1 - exit status, after a
 * message or after what -h and -V print. What the line gives replaces what the file gives; no
 * option with a value replaces an earlier one of the line silently. `file` may be NULL where there
 * is no row "config". Where it has a text already, that is the file, as it is now: the line may be
 * read several times. */
int options_parse(const struct options *o, void *conf, int argc, char **argv,
                  struct options_file *file);

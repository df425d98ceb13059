/* SPDX-License-Identifier: Apache-2.0
 *
 * A configuration file's settings, put where a command's options go.
 */
#pragma once

#include "base/conf.h"

/* Sets in `conf` what the table's section of the file says, but for rows that are `given`
 * elsewhere: 0; or an exit status, after a message for each mistake of the file, whatever its
 * section. `sections`: those that there may be, to a NULL. *ret_text is the file's text, which
 * `conf` points into; the caller frees it, also on failure. */
int config_load(const struct conf_table *t, const struct conf_table *const *sections,
                const char *path, const bool given[CONF_ROWS], void *conf, char **ret_text);

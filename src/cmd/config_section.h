/* SPDX-License-Identifier: Apache-2.0
 *
 * Sections of a configuration file that have names, as they are read: config.c and check_read.c
 * call these functions.
 */
#pragma once

#include "cmd/options_help.h"

/* The section with a name of which settings are read; zeros before the first. */
struct config_section {
    const struct options_named *named; /* NULL: none is */
    unsigned line;
};

/* A section begins, of which `line` is the command's structure. -EINVAL with a sentence: none does,
 * and its settings are to be left alone. */
int config_section_begin(struct config_section *s, const struct options_named *named, void *line,
                         const char *name, unsigned at, struct error *err);
/* It ends, if one had begun; to be called before another begins and at the end of the file. */
int config_section_end(struct config_section *s, void *line, struct error *err);
/* Where its settings go. */
void *config_section_at(const struct config_section *s, void *line);

/* SPDX-License-Identifier: Apache-2.0
 *
 * The settings that `farspan check` has read from a file, to be printed as they hold.
 */
#pragma once

#include <stdio.h>

#include "base/conf.h"

struct check_setting {
    const struct conf_table *table;
    size_t row;        /* CONF_ROWS: a section with a name begins, which is the value */
    const char *name;  /* of a section with a handler, which has no rows, else NULL; borrowed */
    const char *value; /* borrowed */
};

struct check_settings {
    struct check_setting *of;
    size_t n;
};

/* -ENOMEM with a sentence. */
int check_settings_add(struct check_settings *s, const struct conf_table *t, size_t row,
                       const char *value, struct error *err);
/* The same of a section with a handler. */
int check_settings_add_own(struct check_settings *s, const struct conf_table *t, const char *name,
                           const char *value, struct error *err);
/* Is anything of the table's section set? */
bool check_settings_has(const struct check_settings *s, const struct conf_table *t);
/* As a file that says the same, with the defaults. */
void check_settings_print(const struct check_settings *s, FILE *to);
void check_settings_done(struct check_settings *s);

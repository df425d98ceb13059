/* SPDX-License-Identifier: Apache-2.0
 *
 * The output of `farspan import`: sections on standard output, as lines of a configuration
 * file (base/conf_file.h) below comments, and on standard error all that a person has to look at.
 * No text can become another line than the one that it is for.
 */
#pragma once

#include "base/conf.h"

/* A file that is imported. */
struct import {
    const char *path;
    unsigned mistakes;  /* of it */
    unsigned told_most; /* so many of them are told, and further ones only counted */
};

/* Tells a mistake on standard error; `line` 0: one of the file as a whole. */
void import_mistake(struct import *m, unsigned line, const char *fmt, ...) _printf_(3, 4);
/* A line that is a comment; a long text is cut. */
void import_comment(const char *fmt, ...) _printf_(1, 2);
/* From now on all mistakes are told; before, those beyond `most` were only counted, which is said.
 */
void import_told_rest(struct import *m, unsigned most);
/* Could a configuration file have the setting in the table's section? 0, or -EINVAL or -ERANGE with
 * a sentence that begins with its name. A setting that this program does not know is not looked
 * into. */
int import_check(const struct conf_table *t, const char *name, const char *value,
                 struct error *err);
/* Prints it as a line, which import_check has allowed. */
void import_setting(const char *name, const char *value);

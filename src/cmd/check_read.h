/* SPDX-License-Identifier: Apache-2.0
 *
 * A configuration file as `farspan check` reads it: each setting is tried, and each mistake told.
 */
#pragma once

#include "cmd/check_print.h"
#include "cmd/collector_line.h"
#include "cmd/config_section.h"
#include "cmd/serve_line.h"
#include "cmd/tap_line.h"

struct check_read {
    const char *path;
    unsigned mistakes;
    struct tap_line tap;
    struct collector_line collector;
    struct serve_line serve;
    struct check_settings settings;
    struct config_section section; /* of an output of the collector's */
};

/* Tells a mistake on standard error, behind the path and `where`. */
void check_tell(struct check_read *c, const char *where, const char *sentence);
/* The structure that the table's settings are put into; each table that is no part of another's has
 * one of its own. */
void *check_structure(struct check_read *c, const struct conf_table *t);
/* Reads the text, which it changes and which has to outlive the settings; text[len] may be written.
 */
void check_read(struct check_read *c, char *text, size_t len);

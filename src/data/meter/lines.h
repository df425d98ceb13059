/* SPDX-License-Identifier: Apache-2.0
 *
 * An exporter that writes records into a file or a pipe, a line each. It waits for the reader of a
 * pipe.
 */
#pragma once

#include "data/meter/exporter.h"

enum lines_form {
    LINES_CSV,      /* nfdump's (proto/flowcsv.h) */
    LINES_CSV_LONG, /* all fields (proto/flowtext.h) */
    LINES_JSON,
    LINES_FORMS
};

/* The descriptor is open for writing, and is closed with the exporter; `name` is for sentences;
 * `live`: as in outfile.h. -ENOMEM: it stays open. */
int lines_exporter_new(enum lines_form form, int fd, const char *name, bool live,
                       struct exporter **ret);

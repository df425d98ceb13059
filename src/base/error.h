/* SPDX-License-Identifier: Apache-2.0
 *
 * One sentence for a person: what went wrong, where, and what to do. Functions whose failure a
 * person reads take a `struct error *` as their last argument; it may be NULL, and it is written on
 * failure only. The return value stays a negative errno.
 */
#pragma once

#include "base/cleanup.h"

struct error {
    char text[320]; /* a sentence without a newline or full stop at its end; "" when unset */
};

/* Writes the sentence (cut short if too long) and returns -code, so that a caller can write
 * `return error_set(err, ENOENT, "…")`. `code` is a positive errno. */
int error_set(struct error *err, int code, const char *fmt, ...) _printf_(3, 4);

/* As error_set, with ": " and the system's words for `code` appended. */
int error_sys(struct error *err, int code, const char *fmt, ...) _printf_(3, 4);

/* Puts "prefix: " before a sentence that is already there. Does nothing to NULL. */
void error_prefix(struct error *err, const char *fmt, ...) _printf_(2, 3);

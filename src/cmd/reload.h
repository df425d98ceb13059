/* SPDX-License-Identifier: Apache-2.0
 *
 * A configuration file that is read again while its program runs: what `farspan tap` and `farspan
 * collector` do alike, and `farspan serve` for each of its roles. The broker reads it, as it may,
 * compiles the filters in it, and hands both to the engine, which reads the same text by the same
 * command line: so both halves come to the same settings. tap_reload.c, collector_reload.c and
 * serve_reload.c have what differs, as their operations.
 */
#pragma once

#include <stdbool.h>

#include "cmd/reload_line.h"

/* Is there a file? */
bool reload_can(const struct reload *r);
/* Before the split: has the broker serve the request, if there is a file. `grants` are for holds();
 * both are borrowed. */
void reload_grant(struct reload *r, struct reload_grant *ret, void *grants);
/* In the engine: asks the broker for the file, and has `node` be as it says. What came of it is
 * told; what is wrong changes nothing. */
void reload_ask(struct reload *r, struct broker *b, void *node);

/* For a broker of several engines, which are to get the same file: it reads the file by itself
 * (without one, the command line alone), from which on its grants are as it says. -errno with a
 * sentence: nothing has changed. */
int reload_read(struct reload *r, struct error *err);
/* Has the broker serve their requests with what was read so. */
void reload_grant_read(struct reload *r, struct reload_grant *ret, void *grants);
/* In one of them: asks for it, and the line is the new one then. -errno with a sentence: it is the
 * one before. */
int reload_take(struct reload *r, struct broker *b, struct error *err);
/* Frees the lines that were read again. */
void reload_done(struct reload *r);

/* SPDX-License-Identifier: Apache-2.0
 *
 * The file with the note of features that were switched off (proto/offnote.h): each call is on the
 * disk when it returns. The folder is the caller's, and nobody else's to write in; -1: nothing is
 * noted, and nothing was.
 */
#pragma once

#include <stddef.h>

#include "base/error.h"
#include "proto/offnote.h"

#define MIRROR_NOTE "offloads" /* the file's name */

/* The running kernel's: features do not outlive it. */
int mirror_note_boot(char ret[OFFNOTE_BOOT + 1], struct error *err);

/* Each line that is one, in the order in which they were added. `ret_bad` is the number of others.
 * Without a file there are none. -errno, also `each`'s. */
int mirror_note_read(int folder, int (*each)(void *user, const struct offnote *v), void *user,
                     unsigned *ret_bad, struct error *err);
/* One line more. On failure the file is as it was. */
int mirror_note_append(int folder, const struct offnote *v, struct error *err);
/* These alone, or on failure those that were there; none: the file goes. */
int mirror_note_write(int folder, const struct offnote *const *v, size_t n, struct error *err);

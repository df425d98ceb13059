/* SPDX-License-Identifier: Apache-2.0
 *
 * A damaged database is kept under another name, for whoever wants to look at it, so that a new one
 * can be made in its place.
 */
#pragma once

#include <stdint.h>

#include "base/error.h"

enum {
    ASIDE_NAME = 64,   /* bytes of the new name, its end included */
    ASIDE_TRIES = 100, /* names of one moment */
};

/* Renames `folder`/`file` to file.damaged-TIME, which is no name that is there, and what SQLite has
 * beside it likewise. The new name without the folder is in ret_name. */
int aside_put(const char *folder, const char *file, int64_t now_ns, char ret_name[ASIDE_NAME],
              struct error *err);

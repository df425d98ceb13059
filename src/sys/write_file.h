/* SPDX-License-Identifier: Apache-2.0
 *
 * Files that somebody wants written: by name, which overwrites none, and by whole buffers.
 */
#pragma once

#include <stddef.h>

#include "base/error.h"

/* A new file to write to, or standard output for "-". The descriptor, or -errno with a sentence;
 * -EEXIST: there is one of that name. */
int new_file(const char *path, struct error *err);
/* All of it, whatever the system takes at a time. 0 or -errno. */
int write_all(int fd, const void *bytes, size_t len);

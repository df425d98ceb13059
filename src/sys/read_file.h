/* SPDX-License-Identifier: Apache-2.0
 *
 * Small files of keys or settings, read whole and within bounds: by a command before privileges are
 * given up (cmd/secrets.c, cmd/config.c), and by the engine from a descriptor that its broker
 * opened (node/collector.c).
 */
#pragma once

#include "base/error.h"

/* -EFBIG: it has more than `max` bytes. The caller wipes and frees; a zero byte follows. */
int read_file(const char *path, size_t max, char **ret, size_t *ret_len, struct error *err);
/* The same of one that is open; `path` is for sentences. */
int read_open_file(int fd, const char *path, size_t max, char **ret, size_t *ret_len,
                   struct error *err);

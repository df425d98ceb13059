/* SPDX-License-Identifier: Apache-2.0
 *
 * Where an existing capture file can be continued. Only file.c uses it.
 */
#pragma once

#include <stdint.h>

#include "base/error.h"
#include "proto/pcapng.h"

/* Reads the file's chain of blocks. ret->good: the end of the last whole block, beyond which there
 * is at most a torn one. -EEXIST: no pcapng file; -EBADMSG: damaged; errno of reading; -ENOMEM. */
int file_tail_find(int fd, const char *name, uint64_t size, struct pcapng_tail *ret,
                   struct error *err);

/* The link type of the file's first interface; 0: it has none near its beginning, or cannot be
 * read. */
uint16_t file_tail_linktype(int fd, uint64_t size);

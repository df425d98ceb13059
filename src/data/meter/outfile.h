/* SPDX-License-Identifier: Apache-2.0
 *
 * The file or pipe that an exporter writes to, through a buffer. It waits for the reader of a pipe.
 * Records count in the exporter's ledger once their bytes were written, or as not written: a file
 * that has failed takes nothing more.
 */
#pragma once

#include <stddef.h>

#include "base/error.h"
#include "base/ledger.h"

enum {
    OUTFILE_BUFFER = 64 << 10,
};

struct outfile {
    int fd;
    int error;        /* errno of the first write that failed */
    uint64_t records; /* in the buffer */
    size_t used;
    char bytes[OUTFILE_BUFFER];
};

/* Zeros, and the descriptor, to begin with. The place for `n` bytes at most, n <= OUTFILE_BUFFER;
 * outfile_put() says how many they were, and how many records are in them. */
char *outfile_room(struct outfile *o, size_t n, struct ledger *ledger);
void outfile_put(struct outfile *o, size_t n, uint64_t records);
/* Writes what is buffered. */
void outfile_flush(struct outfile *o, struct ledger *ledger);
/* Writes what is buffered and closes the descriptor: 0, or -errno with a sentence about `name`. */
int outfile_finish(struct outfile *o, const char *name, struct ledger *ledger, struct error *err);
/* Closes it, where it is not closed yet. */
void outfile_done(struct outfile *o);

/* SPDX-License-Identifier: Apache-2.0
 *
 * The file or pipe that an exporter writes to, through a buffer. A meter of a file waits for the
 * reader of a pipe; one of interfaces (`live`) does not: where the reader is slow, 16 MB wait, and
 * then records are dropped. Records count in the exporter's ledger once their bytes were written,
 * or as not written: a file that has failed takes nothing more.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/ledger.h"

enum {
    OUTFILE_BUFFER = 64 << 10,
    OUTFILE_LIVE = 16 << 20,   /* live */
    OUTFILE_ENTRY = 4096 - 64, /* bytes that are put at once, at most */
    OUTFILE_FINISH_MS = 8000,  /* live: for which the reader of a pipe is waited for at the end */
};

struct outfile {
    int fd;
    bool live;
    int error; /* errno of the first write that failed */
    char *bytes;
    size_t from, used; /* entries between them wait: a head (outfile.c), and bytes */
};

/* The descriptor is owned from now on. -ENOMEM: it is not. */
int outfile_init(struct outfile *o, int fd, bool live);
/* The place for `n` bytes at most, n <= OUTFILE_ENTRY; outfile_put() says how many they were, and
 * how many records are in them. NULL: live, and there is none. */
char *outfile_room(struct outfile *o, size_t n, struct ledger *ledger);
void outfile_put(struct outfile *o, size_t n, uint32_t records);
/* Writes what is buffered; live, as far as nobody has to be waited for. */
void outfile_flush(struct outfile *o, struct ledger *ledger);
/* Writes what is buffered and closes the descriptor: 0, or -errno with a sentence about `name`. */
int outfile_finish(struct outfile *o, const char *name, struct ledger *ledger, struct error *err);
/* Closes it, where it is not closed yet, and frees the buffer. */
void outfile_done(struct outfile *o);

/* SPDX-License-Identifier: Apache-2.0
 *
 * The sink that writes pcapng, to a file, a pipe (`-w -`) or a socket. Frames go through two
 * threads: the data thread encodes them into large chunks of memory and never waits; a writer
 * thread hands whole chunks to the system. When the disk or the reader is slower than the traffic
 * for so long that no chunk is free, frames are dropped, counted, and the next frame's drop count
 * in the file says how many.
 *
 * "Written" means that the system took it. A regular file always ends with a whole block: after an
 * error it is cut back to the last one, and a torn end left by a crash is cut off before a file is
 * continued. Nothing that was there before is ever overwritten. That nobody else writes the file is
 * for the caller to see to (lock.h).
 */
#pragma once

#include "data/sink.h"
#include "data/sink/file/chunk_size.h"

struct file_pool; /* pool.h */

struct file_sink_conf {
    const char *path;     /* for sentences and the sink's name; "-" for standard output */
    const char *os, *app; /* section header: "Linux 6.1", "farspan 0.1.0"; may be NULL */
    uint32_t chunks;      /* buffers of chunk_bytes; 0: 64, else at least 2 */
    uint32_t chunk_bytes; /* 0: FILE_SINK_CHUNK; else FILE_SINK_CHUNK_MIN at least: a frame that is
                           * too long for one is dropped */
    uint32_t finish_ms;   /* how long finish() waits for a slow reader; 0: 5000 */
    struct file_pool *pool; /* whose threads write a regular file; NULL: a thread of its own */
    uint64_t most_bytes;    /* the file is to be no longer, its last statistics included; 0: any */
};

/* Takes an open descriptor over on success (sink_free closes it); for a regular file it must be
 * readable and writable. A file that is not empty is continued with a new section when
 * `append_section`, else refused.
 * -EEXIST: not empty, or not a pcapng file; -EBADMSG: a damaged one; errno of reading; -ENOMEM. */
int file_sink_new(int fd, bool append_section, const struct file_sink_conf *conf, struct sink **ret,
                  struct error *err);

/* Any thread: bytes of a regular file below which nothing changes any more; there ends a block. */
uint64_t file_sink_published(const struct sink *s);
/* How many frames a regular file had when the sink went on with it. */
uint64_t file_sink_found(const struct sink *s);
/* Any thread: how many frames were given when the file had no more room below most_bytes. They are
 * in no count of the ledger, but behind a queue, which has counted them: there they are dropped as
 * SINK_FULL. No other frame is taken after the first of them. */
uint64_t file_sink_beyond(const struct sink *s);
/* And the time of the first of them; 0: there is none. */
int64_t file_sink_beyond_ns(const struct sink *s);

/* In place of the wait in finish(): the writing comes to its end, without waiting, after the last
 * write; and once it has, finish() returns at once. */
void file_sink_end(struct sink *s);
bool file_sink_ended(const struct sink *s);

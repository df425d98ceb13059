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

struct file_sink_conf {
    const char *path;     /* for sentences and the sink's name; "-" for standard output */
    const char *os, *app; /* section header: "Linux 6.1", "farspan 0.1.0"; may be NULL */
    uint32_t chunks;      /* buffers of FILE_SINK_CHUNK bytes; 0: 64, else at least 2 */
    uint32_t finish_ms;   /* how long finish() waits for a slow reader; 0: 5000 */
};

/* Takes an open descriptor over on success (sink_free closes it); for a regular file it must be
 * readable and writable. A file that is not empty is continued with a new section when
 * `append_section`, else refused.
 * -EEXIST: not empty, or not a pcapng file; -EBADMSG: a damaged one; errno of reading; -ENOMEM. */
int file_sink_new(int fd, bool append_section, const struct file_sink_conf *conf, struct sink **ret,
                  struct error *err);

/* SPDX-License-Identifier: Apache-2.0
 *
 * The half of the file sink that may wait: one thread that takes chunks of whole pcapng blocks and
 * writes them. Only file.c uses it. Chunks belong to whoever took them last: the data thread takes
 * an empty one, fills it and submits it; the writer thread writes it and gives it back.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "data/sink/file/chunk_size.h"
#include "data/sink/file/point.h"

enum {
    CHUNK_POINTS = 64,
};

struct chunk_count {
    struct file_point *point;
    uint64_t frames, bytes;
};

struct chunk {
    struct wr w;
    uint8_t *buf;             /* of the writer's chunk_bytes */
    struct file_point *ended; /* its statistics block comes after this chunk; may be NULL */
    uint32_t n_counts;
    struct chunk_count counts[CHUNK_POINTS];
};

struct file_pool;
struct file_writer;

struct file_writer_conf {
    bool regular;
    uint64_t end;           /* of a regular file: where to write */
    uint32_t chunks;        /* so many, … */
    uint32_t chunk_bytes;   /* … of so many bytes */
    struct file_pool *pool; /* whose threads write; NULL: one of its own. Regular files only */
};

/* Takes `fd` over on success. -EINVAL: a pool would wait for a pipe. */
int file_writer_new(int fd, const struct file_writer_conf *conf, struct file_writer **ret);
void file_writer_free(struct file_writer *w);

/* Data thread. An empty chunk, or NULL. */
struct chunk *file_writer_take(struct file_writer *w);
void file_writer_submit(struct file_writer *w, struct chunk *c);
/* Data thread. Is the writer so far behind that partly filled chunks had better wait? */
bool file_writer_behind(const struct file_writer *w);

/* Data thread. Has all that was submitted been written, or given up? */
bool file_writer_idle(const struct file_writer *w);

/* Any thread: bytes of a regular file below which nothing changes any more; there ends a block. */
uint64_t file_writer_published(const struct file_writer *w);

/* Any thread: 0 or the -errno that ended the writing. */
int file_writer_error(const struct file_writer *w);

/* Has the thread write all that was submitted, and the ends that file_writer_finish() tells of,
 * without waiting; file_writer_ended(): it has. */
void file_writer_end(struct file_writer *w, struct file_point *const *points, uint32_t n);
bool file_writer_ended(struct file_writer *w);

/* Writes all that was submitted, then the statistics blocks of the `n` points that lack one, and
 * syncs; gives up after `ms`. Returns what file_writer_error does. */
int file_writer_finish(struct file_writer *w, struct file_point *const *points, uint32_t n,
                       uint32_t ms);

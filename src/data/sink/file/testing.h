/* SPDX-License-Identifier: Apache-2.0
 *
 * For the file sink's tests, a library of its own: sinks, frames to write, and the contents of a
 * finished file.
 */
#pragma once

#include "data/sink/file/file.h"

extern const struct file_sink_conf util_conf;

struct sink *util_sink(int fd, bool append, const struct file_sink_conf *conf);
void util_point(struct sink *s, uint32_t index, const char *tap, const char *filter);
/* One frame of `len` bytes that all follow from `id`, on a point. */
void util_write(struct sink *s, uint32_t point, uint32_t id, uint32_t len);
uint64_t util_count(const struct sink *s, uint32_t point, enum ledger_id id);
/* The point was given `in` frames, and all of them are accounted for. */
void util_balanced(const struct sink *s, uint32_t point, uint64_t in);

struct util_pipe {
    int fd;
    uint8_t *data;
    size_t len;
};

/* A thread that reads all of a pipe, to its end. `data` is the caller's to free. */
void *util_pipe_read(void *arg);

struct util_file {
    uint32_t sections, interfaces, frames, stats, bad; /* bad: frames not as util_write made them */
    uint64_t lost, delivered, dropped; /* sums of the frames' and the statistics' figures */
    size_t len, whole;                 /* bytes, and those in whole blocks */
    uint32_t last_interface;           /* of the last frame */
    char comment[512];                 /* of the last statistics */
};

struct util_file util_read(const uint8_t *p, size_t len);
struct util_file util_read_path(const char *path);

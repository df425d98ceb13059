/* SPDX-License-Identifier: Apache-2.0
 *
 * The outputs there are, a row each: NAME_output() makes that sink, in its file in data/sink/,
 * where the wishes have one. node/outputs.c makes a collector's from this list and puts a queue
 * before those that need one.
 */
#pragma once

#include "data/sink.h"

#define OUTPUT_LIST(X)                                                                             \
    X(DEVICE, device)                                                                              \
    X(FILE, file)

enum output_kind {
#define X(ID, name) OUTPUT_##ID,
    OUTPUT_LIST(X)
#undef X
        OUTPUT_KINDS
};

/* The wishes of a user for the outputs. */
struct output_wishes {
    const char *device; /* a TAP device's name, or a pattern with %t; NULL: none */
    int device_fd;      /* of all taps, borrowed; -1: each tap has one of its own */
    const char *file;   /* a path, or "-"; NULL: none */
    int file_fd;        /* taken by the output of the file */
    const char *os;     /* of the host, for the file; may be NULL */
    uint64_t bytes;     /* that may wait before an output; 0: as it likes */
};

/* Makes the sink; *ret is NULL where none is wished for. 0 or -errno with a sentence. */
#define X(ID, name)                                                                                \
    int name##_output(const struct output_wishes *w, struct sink **ret, struct error *err);
OUTPUT_LIST(X)
#undef X

/* SPDX-License-Identifier: Apache-2.0
 *
 * The file of one capture, and the sink before it that takes the frames of each of its points: a
 * pcapng file; with several points a queue before it, which puts frames in the order of time; a
 * flow table whose records go into an IPFIX file (engine_flows.h); or rows of link counters
 * (engine_rows.h). Nothing waits for a disk.
 */
#pragma once

#include <pthread.h>

#include "data/sink.h"
#include "node/engine_flows.h"
#include "node/engine_rows.h"
#include "proto/wanted.h"

struct engine_room;

struct engine_output {
    enum wanted_kind kind;
    unsigned n_points;
    uint64_t most_bytes; /* 0: any */
    struct sink *sink;   /* owned, with what is behind it; NULL: there is none */
    struct sink *file;   /* the pcapng file's, `sink` itself or behind it; NULL: there is none */
    struct engine_rows rows;
    struct engine_flows flows;
    const struct wake *wake;
    int counters; /* borrowed: a socket of sys/linkcount.h */
    bool open, ending, ended;
    int result; /* once it has ended */
    struct error why;
    pthread_t thread; /* that waits for the end */
    bool has_thread;
    _Atomic bool thread_over;
};

struct engine_output_counts {
    uint64_t published, written, unwanted, dropped; /* bytes; frames */
    uint64_t found; /* frames, or rows, of earlier lives in the file; WANTED_UNKNOWN */
};

/* Not open yet. */
void engine_output_init(struct engine_output *o);
/* Its places are given up. It may wait for threads that write. */
void engine_output_done(struct engine_output *o);

/* The capture's file is made, or continued, and its points are known to the sink. The descriptor
 * comes from the broker. -errno with a sentence. */
int engine_output_open(struct engine_output *o, const struct engine_room *room,
                       const struct wanted *w, int64_t now_ns, struct error *err);
bool engine_output_is_open(const struct engine_output *o);
/* The sink for the frames of the point, from one thread. */
struct sink *engine_output_sink(const struct engine_output *o, unsigned point);
/* Nobody writes frames of the point now. */
void engine_output_idle(const struct engine_output *o, unsigned point);
/* Time passes, towards the capture's stop. */
void engine_output_tick(struct engine_output *o, int64_t now_ns, int64_t stop_ns);
/* The wall clock was set by so much. */
void engine_output_shift(struct engine_output *o, int64_t ns);
/* Can it not be written any more? Why says engine_output_end(). */
bool engine_output_failed(const struct engine_output *o);
/* The file would soon be longer than it may be: it is to end, with all that came until then. */
bool engine_output_is_full(const struct engine_output *o);
/* Frames that came when the file was as long as it may be, and the time of the first; 0: none. */
uint64_t engine_output_beyond(const struct engine_output *o);
int64_t engine_output_beyond_ns(const struct engine_output *o);
/* Frames that may still be written, of so many that the file may have. */
uint64_t engine_output_left(const struct engine_output *o, uint64_t most_frames);
void engine_output_count(const struct engine_output *o, struct engine_output_counts *ret);

/* The flows of this moment into the capture's second file: 0, and then engine_output_snapped()
 * tells more; -EOPNOTSUPP: it has no flows; -ENOENT: it is not open; -EBUSY; or another -errno. */
int engine_output_snap(struct engine_output *o, const struct engine_room *room,
                       const struct wanted *w);
/* -EAGAIN: it is being made; 0, or -errno. */
int engine_output_snapped(struct engine_output *o);

/* Brings it to its end: -EAGAIN while that is under way; then 0, or -errno with a sentence. */
int engine_output_end(struct engine_output *o, struct error *err);

/* SPDX-License-Identifier: Apache-2.0
 *
 * The file of a capture of flows: IPFIX messages, written by a meter (data/meter/meter.h) that all
 * of the capture's points share. A second file has all flows so far, those that have not ended
 * included, as of a moment.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "data/sink.h"
#include "sys/loop.h"

struct exporter;

enum {
    ENGINE_FLOWS_LATE_S = 80, /* in which the records of a packet have come into the file */
};

struct engine_flows {
    struct sink *meter;        /* borrowed by all functions but engine_flows_open(); NULL: none */
    struct exporter *exporter; /* the meter's */
    int fd;                    /* owned: the file; -1 */
    /* The thread that makes the second file. */
    pthread_t thread;
    bool has_thread;
    _Atomic bool over;
    int result;      /* of the last one */
    int to;          /* owned by the thread: the second file */
    uint64_t length; /* of the first file at the moment */
    const struct wake *wake;
};

/* Not open. */
void engine_flows_init(struct engine_flows *f);
/* Waits for the thread. The meter is not used any more. */
void engine_flows_done(struct engine_flows *f);

/* Takes the file over on success: a torn end is cut off, and what is there is continued. The meter
 * is the caller's, to be kept until engine_flows_done(). -errno with a sentence. */
int engine_flows_open(struct engine_flows *f, int fd, const struct wake *wake, struct sink **ret,
                      struct error *err);
/* Bytes of the file, which are whole messages. */
uint64_t engine_flows_length(const struct engine_flows *f);
/* Would it be longer than that, if all flows ended now? `most` 0: never. */
bool engine_flows_are_full(const struct engine_flows *f, uint64_t most);
/* Records could not be written. The reason is the meter's finish(). */
bool engine_flows_failed(const struct engine_flows *f);
/* The meter has finished: the file is whole messages, and on the disk. 0 or -errno. May wait. */
int engine_flows_sync(const struct engine_flows *f);

/* Makes the second file, which is empty: 0, and it is taken over, or -errno. */
int engine_flows_snap(struct engine_flows *f, int fd);
/* -EAGAIN: it is being made; else the result of the last one. */
int engine_flows_snapped(struct engine_flows *f);

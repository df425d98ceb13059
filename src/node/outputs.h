/* SPDX-License-Identifier: Apache-2.0
 *
 * Where a collector's frames go: a device, a file, or both, each with the queue that it needs. The
 * file is opened with privileges, the outputs on top of device and file are made in the engine, and
 * node/collector.c asks five times a second whether one is left.
 */
#pragma once

#include "data/link/receive/receiver.h"
#include "data/outputs.h"
#include "node/teller.h"

enum {
    OUTPUTS_MAX = OUTPUT_KINDS,
};

struct outputs_conf {
    const char *device;   /* a name, or a pattern with %t; NULL: none */
    bool one_each;        /* it is a pattern: each tap has a device of its own */
    const char *file;     /* a path, or "-"; NULL: none */
    const char *os;       /* of the host, for the file */
    unsigned threads;     /* that receive */
    uint32_t order_ms;    /* the window in which frames are ordered; 0: as they arrive */
    uint64_t queue_bytes; /* before each output; 0: as they like */
    const struct teller *teller;
};

struct outputs {
    struct outputs_conf conf;
    struct sink *output[OUTPUTS_MAX];
    unsigned n;
    struct sink *device; /* behind its queue; NULL: there is none */
    /* Each receiving thread's sinks for them, one thread's after the other. */
    struct sink *writer[OUTPUTS_MAX * RECEIVER_THREADS];
    bool told[OUTPUTS_MAX];         /* that it has failed */
    bool told_refused[OUTPUTS_MAX]; /* that it has no room for interfaces of taps */
    bool failed;                    /* one did, and not because its reader had seen enough */
};

/* With privileges: the file, and the lock that keeps other collectors from it while it is open. */
int outputs_open_file(const char *path, int *ret_fd, int *ret_lock, struct error *err);
/* `device` is borrowed, -1: none is for all taps; *file is taken, and left as -1. Zeros in `ret`
 * before; outputs_done is due also on failure. */
int outputs_make(const struct outputs_conf *conf, int device, int *file, struct outputs *ret,
                 struct error *err);
void outputs_done(struct outputs *o);

/* Says which outputs have failed since; false when none is left. */
bool outputs_alive(struct outputs *o);
/* Writes out what is buffered; says what went wrong. */
void outputs_finish(struct outputs *o);

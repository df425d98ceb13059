/* SPDX-License-Identifier: Apache-2.0
 *
 * Where a collector's frames go: a device, a file, what -o names, each with the queue that it
 * needs. What they need is opened with privileges, the outputs on top of it are made in the engine,
 * and node/collector.c asks five times a second whether one is left.
 */
#pragma once

#include "data/link/listen/listener.h"
#include "data/link/receive/receiver.h"
#include "data/output_list.h"
#include "node/teller.h"

enum {
    OUTPUTS_MAX = 8,                        /* that a user may wish for */
    OUTPUTS_WRITERS = RECEIVER_THREADS + 1, /* the last is of mirrored frames */
};

struct outputs_conf {
    const char *device;             /* a name, or a pattern with %t; NULL: none */
    bool one_each;                  /* it is a pattern: each tap has a device of its own */
    const char *file;               /* a path, or "-"; NULL: none */
    const struct output_list *list; /* of -o; NULL: none */
    struct sink *meter;             /* that makes flow records; taken, NULL: none */
    const char *os;                 /* of the host, for the file */
    unsigned threads;               /* that give frames, OUTPUTS_WRITERS at most */
    uint32_t order_ms;              /* the window in which frames are ordered; 0: as they arrive */
    uint64_t queue_bytes;           /* before each output; 0: as they like */
    const struct teller *teller;
};

/* An output's place, the same in the fan of each thread. */
struct output_place {
    const struct output_spec *spec; /* of the list; NULL: of -i or -w, or the place is free */
    struct sink *sink;              /* the output itself, behind its queue if it has one */
    unsigned at;                    /* its number in the list, by which the broker knows it */
    bool leaves;                    /* it is to be an output no longer */
    unsigned posted;                /* threads that were told to give it frames, and then not to */
    _Atomic unsigned done;          /* threads that have done so */
    bool told;                      /* that it has failed */
    bool told_refused;              /* that it has no room for interfaces of taps */
};

struct outputs {
    struct outputs_conf conf;
    struct sink *output[FAN_SINKS]; /* by place, behind their queues; NULL: a free one */
    unsigned n;                     /* up to the last place that is not free */
    struct output_place place[FAN_SINKS];
    struct sink *device; /* behind its queue; NULL: there is none */
    /* Each thread's sinks for them. */
    struct sink *writer[OUTPUTS_WRITERS][FAN_SINKS];
    bool failed;                /* one did, and not because its reader had seen enough */
    struct outputs_end *ending; /* those that are outputs no longer (node/outputs_change.h) */
};

/* Opened with privileges; -1: nothing. */
struct outputs_opened {
    int file;
    int lock; /* keeps another collector from that file while it is open */
    int listed[OUTPUT_LIST_MAX];
};

/* Nothing is open. */
void outputs_opened_none(struct outputs_opened *o);
/* Closes what was not taken out. */
void outputs_opened_done(struct outputs_opened *o);
/* With privileges: an output of the list; names of hosts are looked up as this user, NULL: the
 * default. */
int outputs_open_one(const struct output_spec *s, const char *user, int *ret_fd, struct error *err);
/* All of them. */
int outputs_open_list(const struct output_list *list, const char *user, int ret[OUTPUT_LIST_MAX],
                      struct error *err);
/* With privileges: the file, and the lock that keeps other collectors from it while it is open. */
int outputs_open_file(const char *path, int *ret_fd, int *ret_lock, struct error *err);
/* `device` is borrowed, -1: none is for all taps; all but the lock is taken out of `opened`. Zeros
 * in `ret` before; outputs_done is due also on failure. */
int outputs_make(const struct outputs_conf *conf, int device, struct outputs_opened *opened,
                 struct outputs *ret, struct error *err);
/* No output is on its way out any more (outputs_end_all). */
void outputs_done(struct outputs *o);
/* Makes an output of the list, which lives on, in a place that is free; its threads' sinks are
 * made too. `fd` is taken, also on failure. Its place, or -errno with a sentence. */
int outputs_make_one(struct outputs *o, const struct output_spec *spec, unsigned at, int fd,
                     struct error *err);
/* How many places are not free. */
unsigned outputs_count(const struct outputs *o);

/* The words, behind the output's name, become an event of the collector's and are told. */
void outputs_event(const struct outputs *o, struct listener *l, enum history_kind kind,
                   const char *name, const char *words);
/* Says which outputs have failed since; false when none is left. */
bool outputs_alive(struct outputs *o);
/* Writes out what is buffered; says what went wrong. */
void outputs_finish(struct outputs *o);

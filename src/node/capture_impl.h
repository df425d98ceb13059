/* SPDX-License-Identifier: Apache-2.0
 *
 * A capture for those who are in its thread: capture.c, and its owner's part, which is a table of
 * functions.
 */
#pragma once

#include "data/pipeline.h"
#include "data/thread.h"
#include "node/capture.h"
#include "sys/loop.h"

/* All but `sink` and `free` may be NULL. They are called by the thread, but for these two, with the
 * owner's part. */
struct capture_ops {
    /* Before the thread: it is the part of this capture, and makes the pipeline's sink, which may
     * count in the capture's `counting`; it may add to the wishes for the stages. 0 or -errno. */
    int (*sink)(void *part, struct capture *cap, struct sink **ret, struct stage_conf *wishes);
    void (*woke)(void *part); /* after each sleep, before commands are carried out */
    /* Nothing is to be read or passed on in this run. Returns the milliseconds to the next
     * question, -1: go on. */
    int (*pauses)(void *part);
    /* How many batches are read in the run that begins. */
    unsigned (*begins)(void *part);
    /* The run is over, and `more` says whether the source has more. Returns the milliseconds after
     * which the next is wanted at the latest, -1: it does not matter. */
    int (*ran)(void *part, bool more);
    void (*published)(void *part); /* the capture's counts were */
    void (*stops)(void *part);     /* no more frames are taken from now on */
    bool (*finished)(void *part);  /* stopping: it has nothing left to do */
    void (*over)(void *part);      /* the last call in the thread */
    void (*free)(void *part);      /* the thread has ended */
};

struct capture {
    const struct capture_ops *ops;
    void *part; /* the owner's, owned: freed by the table's last function */
    enum stage_end end;
    struct thread *thread;
    bool stopping; /* takes no more frames, and ends when all that it has is passed on */
    bool paused;   /* nothing is read or passed on */
    bool swapping; /* the source is emptied, and the ring `next` comes after it */
    struct ring *next;
    struct mono source_end; /* not waited for longer */
    const struct wake *control;
    struct pipeline pipeline;
    struct ledger counting; /* the thread's own; published after each run */
    struct ledger ledger;
    _Atomic int error;
    _Atomic bool done;
    struct queue *told; /* events for the control thread */
};

struct capture_conf {
    const char *name;           /* of the interface */
    uint32_t point;             /* frame.point of its frames */
    const char *thread;         /* the thread's, as the system shows it: 15 bytes at most */
    const struct wake *control; /* signalled when something was published that cannot wait */
    const struct capture_ops *ops;
    void *part; /* taken over, also on failure */
    enum stage_end end;
    struct stage_conf wishes;
};

/* Starts the thread, without a ring. */
int capture_start(const struct capture_conf *conf, struct capture **ret, struct error *err);

/* ---- in the thread ---- */

/* An event for the history. */
void capture_tell(struct capture *cap, enum history_kind kind, const char *words);
/* The program is this one from now on; a failure is told to the control thread. */
void capture_use_filter(struct capture *cap, const struct filter_prog *prog);

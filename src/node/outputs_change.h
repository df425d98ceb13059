/* SPDX-License-Identifier: Apache-2.0
 *
 * Outputs that come and go while a collector runs, as its list becomes another one. A thread that
 * gives frames is told by a posted function, between two batches, so that an output that stays
 * misses none. One that goes gets what was given to it before, is finished by a thread of its own,
 * since that may take seconds, and then its counts are told.
 */
#pragma once

#include "node/outputs.h"

/* The threads that give frames (struct outputs_conf), and whoever has ledgers of points. */
struct outputs_threads {
    /* Has the thread give frames to `sink`, NULL: to none, in that place; `done` counts up when
     * that is so. -EAGAIN, -ENOMEM: it is asked again later. */
    int (*post)(void *user, unsigned thread, unsigned place, struct sink *sink,
                _Atomic unsigned *done);
    /* The output of a place, before threads give it frames; NULL, once none does any more. */
    void (*place)(void *user, unsigned place, struct sink *output);
    /* Opens, with privileges, what the list's output of that number needs. -errno with a sentence.
     */
    int (*open)(void *user, unsigned at, int *ret_fd, struct error *err);
    void *user;
};

/* The list is this one from now on, which lives as long as the outputs. Those that are in both stay
 * as they are. Says which come and go, and which cannot be had. */
void outputs_become(struct outputs *o, struct listener *l, const struct output_list *list,
                    const struct outputs_threads *threads);
/* Now and then: goes on with outputs that are on their way in or out. */
void outputs_step(struct outputs *o, struct listener *l, const struct outputs_threads *threads);
/* Waits for the end of those that are outputs no longer. */
void outputs_end_all(struct outputs *o);

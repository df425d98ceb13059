/* SPDX-License-Identifier: Apache-2.0
 *
 * One thread that writes many files: a job is a file's writer (writer.h), which has the thread
 * called in when there is something to write, and is called for one piece at a time, so that no
 * file waits for all of another.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

struct file_pool;

/* Made by its owner; all but the first two is the pool's. */
struct file_job {
    /* Does one piece of the work; true: there may be more. Called by the pool's thread. */
    bool (*step)(void *owner);
    void *owner;
    _Atomic bool wanted;
    bool busy; /* under the pool's lock: step() runs */
    struct file_job *next;
};

/* Starts the thread. 0, -ENOMEM, or it cannot be made. */
int file_pool_new(struct file_pool **ret);
/* Takes NULL. There must be no job any more. */
void file_pool_free(struct file_pool *p);

void file_pool_add(struct file_pool *p, struct file_job *job);
/* Waits until its step() has returned, which is not called any more afterwards. */
void file_pool_remove(struct file_pool *p, struct file_job *job);
/* Has its step() called soon. Any thread. */
void file_pool_want(const struct file_pool *p, struct file_job *job);

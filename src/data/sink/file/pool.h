/* SPDX-License-Identifier: Apache-2.0
 *
 * Two threads that write many files: a job is a file's writer (writer.h), which has a thread called
 * in when there is something to write, and is called for one piece at a time, so that no file waits
 * for all of another. The second thread has the pieces that may take seconds, such as putting a
 * whole file on the disk, so that meanwhile the first goes on with those of other files.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

struct file_pool;

/* Made by its owner; all but the first three is the pool's. */
struct file_job {
    /* Does one piece of the work; true: there may be more. Called by one thread at a time. */
    bool (*step)(void *owner);
    void *owner;
    _Atomic bool slow; /* step() sets it: the second thread is to call it next, and from then on */
    _Atomic bool wanted;
    bool busy; /* under the pool's lock: step() runs */
    struct file_job *next;
};

/* Starts the threads. 0, -ENOMEM, or one cannot be made. */
int file_pool_new(struct file_pool **ret);
/* Takes NULL. There must be no job any more. */
void file_pool_free(struct file_pool *p);

void file_pool_add(struct file_pool *p, struct file_job *job);
/* Waits until its step() has returned, which is not called any more afterwards. */
void file_pool_remove(struct file_pool *p, struct file_job *job);
/* Has its step() called soon. Any thread. */
void file_pool_want(const struct file_pool *p, struct file_job *job);

/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests only, a library of its own: time and the network as a simulation, so that a test of
 * both ends runs thousands of times faster than clocks do, and the same way each time. The linker's
 * --wrap gives sim.c the program's calls of clock_gettime, poll, epoll_wait and so on; the library
 * brings these arguments of the linker along (data/meson.build):
 *
 * - UDP sockets are real, but only their ports are used: a datagram goes into a list in memory, at
 *   once and without loss. A test says by `next_due` and `deliver` what a path does to it.
 * - Threads are real, but one runs at a time: a thread that would block in poll() gives the turn
 *   back, and gets it again when what it waits for has come.
 * - When nobody has anything to do, the clock jumps to the next time at which somebody has.
 * - A thread may be held up (sim_stall): after it has read its socket, time goes by.
 *
 * A process has one simulation at a time.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* `next_due`: the time at which `deliver` has something to do, 0: never; both NULL: there is no
 * path but the lists. */
void sim_begin(uint64_t seed, int64_t (*next_due)(void), void (*deliver)(void));
void sim_end(void);
/* Between sim_begin and sim_end. */
bool sim_runs(void);
/* The monotonic clock, ns. */
int64_t sim_now(void);
/* Somebody sets the wall clock on, or back, by so many ns. */
void sim_set_wall(int64_t by);
/* So many of a thousand reads of a thread hold it up; 0 to begin with. */
void sim_stall(unsigned per_thousand);
/* Drawn from the seed, below `n`. */
uint32_t sim_random(uint32_t n);

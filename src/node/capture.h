/* SPDX-License-Identifier: Apache-2.0
 *
 * The data thread of one interface, running source -> stages -> sink, where the source is the
 * interface's (data/sources.h). It sleeps in poll until the source has frames, the control thread
 * wants something, or its owner's part does, and never spins. The two threads share a queue of
 * commands and what is published below, nothing else.
 *
 * What a tap's captures do beside that is in node/tap_capture.h, what a meter's do in
 * node/meter_capture.h; both by a table of functions (node/capture_impl.h).
 */
#pragma once

#include "base/history.h"
#include "base/ledger.h"
#include "data/stage_list.h"
#include "sys/filter.h"
#include "sys/ring.h"

struct capture;

/* Ends the thread, if capture_stop did not, and frees everything. Takes NULL. */
void capture_free(struct capture *cap);

/* Commands, carried out in order by the thread. -EAGAIN when the thread has not kept up: it is
 * stuck. What is passed belongs to the thread, also on failure. */
/* Has fn(capture, arg) called; `drop` frees the argument afterwards, also on failure. */
int capture_post(struct capture *cap, void (*fn)(void *owner, void *arg), void *arg,
                 void (*drop)(void *arg));
/* The filter is another one now: the whole program. */
int capture_filter(struct capture *cap, struct filter_prog *prog);
/* The interface is another one now, or gone (NULL). What the old ring has is passed on and counted
 * first; commands that follow wait for that. `ring` has its filter. */
int capture_ring(struct capture *cap, struct ring *ring);
/* The interface, which is the same, gets another ring if the one in use has accepted no more than
 * `known` frames until then (source_renew); LEDGER_RING_REOPENED counts it. `ring` has its filter,
 * and captures. */
int capture_renew(struct capture *cap, struct ring *ring, uint64_t known);
/* The user's stages are these from now on; the list outlives the capture. */
int capture_stages(struct capture *cap, const struct stage_list *stages);
/* Takes no more frames, passes on what it has, and ends. */
void capture_stop(struct capture *cap);
/* Has it run soon. No command: it needs no room. */
void capture_look(struct capture *cap);

/* Published: the counts of the stages that frames pass here, and which those are. */
const struct ledger *capture_ledger(const struct capture *cap);
const struct ledger_way *capture_way(const struct capture *cap);
/* The thread has ended. */
bool capture_done(const struct capture *cap);
/* The oldest event that it has told and that was not taken yet, without number and time, or NULL;
 * the caller frees it. The interface gives what was sent, or a stage tells something. */
struct history_event *capture_take_event(struct capture *cap);
/* Takes the source's last error: 0, or a positive errno. */
int capture_take_error(struct capture *cap);

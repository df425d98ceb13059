/* SPDX-License-Identifier: Apache-2.0
 *
 * A tap's data thread: one for each interface, running ring -> stages -> link. It sleeps
 * in poll until the kernel hands a block over, the control thread wants something, or some of the
 * backlog may go, and never spins. The two threads share a queue of commands and what is published
 * below, nothing else.
 */
#pragma once

#include "base/ledger.h"
#include "data/link/send/tx.h"
#include "proto/ether.h"
#include "sys/filter.h"
#include "sys/loop.h"
#include "sys/ring.h"

enum {
    WORKER_DRAIN_MS = 8000, /* at the end: for what waits in the backlog */
    WORKER_STOOD_MS = 2200, /* a thread that did not run for so long stood still */
};

struct worker;

struct worker_conf {
    uint16_t stream;
    bool take_links;              /* other links' datagrams are captured */
    bool keep_super;              /* super-packets are not cut */
    uint32_t snaplen;             /* 0: whole frames */
    uint64_t seed;                /* random, the same for all of a tap: see model/amplify.h */
    const char *name;             /* of the interface, for the thread's name */
    const struct wake *control;   /* signalled when something was published that cannot wait */
    struct backlog_pool *backlog; /* the budget of all workers' backlogs; NULL: they have none */
};

/* Starts the thread; takes `ring` over, also on failure; NULL: there is none yet. */
int worker_start(struct ring *ring, const struct worker_conf *conf, struct worker **ret,
                 struct error *err);
/* Ends the thread, if worker_stop did not, and frees everything. Takes NULL. */
void worker_free(struct worker *w);

/* Commands, carried out in order by the thread. -EAGAIN when the thread has not kept up: it is
 * stuck. What is passed belongs to the thread, also on failure. */
/* `accounted`, here and below: so many frames of all sessions before does the collector know of. */
int worker_session(struct worker *w, const struct link_tx_key *key, uint32_t serial,
                   uint64_t accounted);
int worker_rekey(struct worker *w, const struct link_tx_key *key);
int worker_size(struct worker *w, uint32_t datagram); /* bytes of UDP payload from now on */
int worker_down(struct worker *w, uint64_t accounted);
/* What is not to be captured: the whole filter program with that, and the own flow for the second
 * check. */
int worker_filter(struct worker *w, struct filter_prog *prog, const struct ether_flow *flow);
/* The interface is another one now, or gone (NULL). What the old ring has is sent and counted
 * first; commands that follow wait for that. `ring` has its filter. */
int worker_ring(struct worker *w, struct ring *ring);
/* The session is in doubt: frames wait in the backlog, or no longer. No command: it needs no room.
 */
void worker_hold(struct worker *w, bool held);
/* It looks after its backlog, which memory may be wanted of. */
void worker_look(struct worker *w);
/* The collector's report on the session's frames. */
void worker_reported(struct worker *w, uint64_t accounted, uint64_t lost);
/* Takes no more frames, sends what was accepted (what waits, for WORKER_DRAIN_MS at most, and as
 * long as there is a session), counts, and ends; worker_done tells when. */
void worker_stop(struct worker *w);

/* Published. The ledger's stages RING, SELECT and LINK_TX. */
const struct ledger *worker_ledger(const struct worker *w);
/* True once after a datagram was refused by the collector's host. */
bool worker_take_refused(struct worker *w);
/* True once after the thread stood still (stopped, or the machine suspended): the session may be
 * long over, and frames wait in the backlog until worker_stood_known, which comes after worker_hold
 * if that is to go on. */
bool worker_take_stood(struct worker *w);
void worker_stood_known(struct worker *w);
bool worker_done(const struct worker *w);
/* The interface gives what was sent: its frames are dropped, or it is tried whether it still does.
 */
bool worker_amplified(const struct worker *w);
/* Takes the ring's last error: 0, or a positive errno. */
int worker_take_error(struct worker *w);
/* Frames numbered and datagrams sent in the session `serial`; false when the thread is not there.
 */
bool worker_progress(const struct worker *w, uint32_t serial, struct link_tx_progress *ret);

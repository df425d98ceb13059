/* SPDX-License-Identifier: Apache-2.0
 *
 * A tap's data thread: one for each interface, running source -> stages -> link, where the source
 * is the interface's (data/sources.h). It sleeps in poll until the source has frames, the control
 * thread wants something, or some of the backlog may go, and never spins. The two threads share a
 * queue of commands and what is published below, nothing else.
 */
#pragma once

#include "base/history.h"
#include "base/ledger.h"
#include "data/link/send/tx.h"
#include "data/link/sender.h"
#include "data/stage_list.h"
#include "proto/ether.h"
#include "sys/filter.h"
#include "sys/loop.h"
#include "sys/ring.h"

struct capture;

struct capture_conf {
    uint16_t stream;
    bool take_links;                 /* other links' datagrams are captured */
    bool keep_super;                 /* super-packets are not cut */
    uint32_t snaplen;                /* 0: whole frames */
    const struct stage_list *stages; /* the user's; borrowed, and kept */
    bool restage;                    /* which capture_stages may replace */
    uint64_t seed;                   /* random, the same for all of a tap: see model/amplify.h */
    const char *name;                /* of the interface, for the thread's name */
    const struct wake *control;      /* signalled when something was published that cannot wait */
    const struct link_tx_shared *shared; /* what the sending ends of all captures share */
};

/* Starts the thread, without a ring. */
int capture_start(const struct capture_conf *conf, struct capture **ret, struct error *err);
/* Ends the thread, if capture_stop did not, and frees everything. Takes NULL. */
void capture_free(struct capture *cap);

/* Its sending end, for the dialer. */
struct link_sender *capture_sender(struct capture *cap);

/* Commands, carried out in order by the thread. -EAGAIN when the thread has not kept up: it is
 * stuck. What is passed belongs to the thread, also on failure. */
/* The filter is another one now: the whole program, and the own flow for the second check. */
int capture_filter(struct capture *cap, struct filter_prog *prog, const struct ether_flow *flow);
/* The interface is another one now, or gone (NULL). What the old ring has is sent and counted
 * first; commands that follow wait for that. `ring` has its filter. */
int capture_ring(struct capture *cap, struct ring *ring);
/* The interface, which is the same, gets another ring if the one in use has accepted no more than
 * `known` frames until then (source_renew); LEDGER_RING_REOPENED counts it. `ring` has its filter,
 * and captures. */
int capture_renew(struct capture *cap, struct ring *ring, uint64_t known);
/* The user's stages are these from now on; the list outlives the capture. */
int capture_stages(struct capture *cap, const struct stage_list *stages);
/* Takes no more frames, sends what it has (see link/sender.h), and ends. */
void capture_stop(struct capture *cap);
/* It looks after its backlog, which memory may be wanted of. No command: it needs no room. */
void capture_look(struct capture *cap);

/* Published: the counts of the stages that frames pass here, and which those are. */
const struct ledger *capture_ledger(const struct capture *cap);
const struct ledger_way *capture_way(const struct capture *cap);
/* The oldest event that it has told and that was not taken yet, without number and time, or NULL;
 * the caller frees it. The interface gives what was sent, or a stage tells something. */
struct history_event *capture_take_event(struct capture *cap);
/* Takes the source's last error: 0, or a positive errno. */
int capture_take_error(struct capture *cap);

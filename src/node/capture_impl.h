/* SPDX-License-Identifier: Apache-2.0
 *
 * The structures that the two files of a capture share. capture.c has the thread and its life, and
 * calls capture_commands.c, which has the commands, and the end that the dialer gives them at.
 */
#pragma once

#include "base/ledger.h"
#include "data/link/sender.h"
#include "data/pipeline.h"
#include "data/stage/tunnel.h"
#include "data/thread.h"
#include "model/amplify.h"
#include "proto/ether.h"
#include "sys/filter.h"
#include "sys/loop.h"
#include "sys/ring.h"

/* A function of the thread takes what it knows of it. */
struct capture_command {
    struct link_sender_key key;
    uint32_t serial, datagram;
    uint64_t accounted;
    struct filter_prog prog;
    struct ring *ring;
    uint64_t known;
    const struct stage_list *stages;
    bool has_flow;
    struct ether_flow flow;
};

struct capture {
    struct link_sender sender; /* first: the dialer has only that */
    struct thread *thread;
    bool stopping; /* takes no more frames, and ends when it has sent what it has */
    bool paused;   /* nothing is read or sent, so that it can be told whether frames fall away */
    bool swapping; /* the source is emptied, and the ring `next` comes after it */
    struct ring *next;
    struct mono source_end, backlog_end; /* not waited for longer */
    bool held;                           /* as the sink was told */
    uint32_t reports_seen;
    struct awake ran;    /* when the thread last woke */
    uint32_t stood_told; /* the control thread's: how often, as it was told */
    const struct wake *control;
    struct pipeline pipeline;
    struct tunnel_conf tunnel; /* as that stage is set */
    struct ledger counting;    /* the thread's own; published after each run */
    struct ledger ledger;
    uint32_t serial; /* of the thread's session */
    _Atomic uint32_t published_serial;
    _Atomic uint64_t frames, datagrams;
    _Atomic int error;
    _Atomic bool done;
    _Atomic bool wants_hold, refused;
    _Atomic uint32_t stood, stood_known; /* how often it stood still; how much of it is known */
    struct amplify amplify;
    struct queue *told; /* events for the control thread */
    _Atomic uint64_t accounted, lost;
    _Atomic uint32_t reports;
};

/* Has the thread call `fn` with the capture and a copy of the command. What is in it belongs to the
 * thread, also on failure. -ENOMEM, -EAGAIN. */
int capture_command(struct capture *cap, void (*fn)(void *owner, void *arg),
                    struct capture_command from);

/* A command: its `stages` are the user's from now on. */
void capture_take_stages(void *owner, void *arg);

/* The dialer's commands. */
extern const struct link_sender_ops capture_sender_ops;

/* SPDX-License-Identifier: Apache-2.0
 *
 * The structures that the two files of a tap's capture share. tap_capture.c has what it does in the
 * thread, and its life; tap_sender.c has the end that the dialer gives commands at.
 */
#pragma once

#include "data/stage/tunnel.h"
#include "model/amplify.h"
#include "node/capture_impl.h"
#include "node/tap_capture.h"
#include "node/tap_flows.h"

struct tap_capture {
    struct link_sender sender; /* first: the dialer has only that */
    struct capture *capture;   /* whose part it is */
    struct tap_capture_conf conf;
    struct mono backlog_end; /* not waited for longer */
    bool held;               /* as the sink was told */
    uint32_t reports_seen;
    struct awake ran;          /* when the thread last woke */
    uint32_t stood_told;       /* the control thread's: how often, as it was told */
    struct tunnel_conf tunnel; /* as that stage is set */
    struct ledger *counting;   /* the capture's */
    uint32_t serial;           /* of the thread's session */
    struct amplify amplify;
    struct tap_flows *flows; /* NULL: they were not wished yet */
    bool no_flows;           /* there is no memory for them */
    _Atomic uint32_t published_serial;
    _Atomic uint64_t frames, datagrams;
    _Atomic bool wants_hold, refused;
    _Atomic uint32_t stood, stood_known; /* how often it stood still; how much of it is known */
    _Atomic uint64_t accounted, lost;
    _Atomic uint32_t reports;
};

/* The dialer's commands. */
extern const struct link_sender_ops tap_sender_ops;

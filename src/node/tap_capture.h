/* SPDX-License-Identifier: Apache-2.0
 *
 * A tap's capture (node/capture.h): its sink is the link's sending end, to which the dialer gives
 * keys. It looks after the backlog, holds frames back while the session is in doubt, and finds out
 * whether frames come because frames are sent (model/amplify.h).
 */
#pragma once

#include "data/link/send/tx.h"
#include "data/link/sender.h"
#include "node/capture.h"
#include "proto/ether.h"
#include "sys/loop.h"

struct tap_capture_conf {
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
int tap_capture_start(const struct tap_capture_conf *conf, struct capture **ret, struct error *err);
/* Its sending end, for the dialer; of a capture of this kind. It is stopped by that, or by
 * capture_stop. */
struct link_sender *tap_capture_sender(struct capture *cap);
/* The filter is another one now: the whole program, and the own flow for the second check (NULL:
 * none). As capture_filter(). */
int tap_capture_filter(struct capture *cap, struct filter_prog *prog,
                       const struct ether_flow *flow);

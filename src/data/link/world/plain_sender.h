/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests and their tools only: a stream's sender without a thread, over the real link sink
 * (send/tx.h). Each command is carried out before the call returns. The tests' world
 * (world_sender.h) and tests/tools/manytaps.c use it.
 */
#pragma once

#include "data/link/send/tx.h"
#include "data/link/sender.h"

struct plain_sender {
    struct link_sender head; /* first */
    struct sink *tx;
    struct ledger ledger;
    uint32_t serial; /* of the session; 0: there is none */
    bool stopped;
};

extern const struct link_sender_ops plain_sender_ops;

/* A sender for this stream, without a session. The budget of the backlog (NULL: there is none) must
 * outlive it. -ENOMEM. */
int plain_sender_init(struct plain_sender *p, uint16_t stream, struct backlog_pool *pool);
void plain_sender_done(struct plain_sender *p);

/* SPDX-License-Identifier: Apache-2.0
 *
 * The things that agents (control/agents.h) are given: the store, and edges to the rest of control.
 */
#pragma once

#include "control/store.h"

struct agents_ops {
    /* One end of a new SOCK_SEQPACKET pair with the data role; or -errno with a sentence, and it is
     * tried again a second later. */
    int (*connect)(void *user, int *ret_fd, struct error *err);
    /* A transaction is about to begin: whoever else has one under way ends it. NULL: nobody has. */
    void (*settle)(void *user);
    /* Committed: so much of the capture's file is published; `ended`: and no more will be. */
    void (*published)(void *user, const char *id, uint64_t published, bool ended);
    /* The result is known that agents_snapshot() was called for. No transaction is under way. */
    void (*wake)(void *user, void *waiter);
    /* A sentence for the log. */
    void (*say)(void *user, const char *words);
};

struct agents_conf {
    struct store *store;          /* borrowed; has captures and ports */
    const struct agents_ops *ops; /* each that is NULL is not called, but for `connect` */
    void *user;
    uint64_t generation; /* of the first set, as the wall clock in ns: unlike those of earlier
                          * processes */
};

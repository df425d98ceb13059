/* SPDX-License-Identifier: Apache-2.0
 *
 * A stream's sender, as the dialer sees it: the owner of a link sink (send/tx.h), in a thread of
 * its own or not. The dialer gives it keys and news of the session, and asks how far it is; the
 * tap's capture is one, and tests have theirs.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/ledger.h"
#include "sys/crypto/aead.h"
#include "sys/udp.h"

enum {
    LINK_SENDER_DRAIN_MS = 8000, /* at the end: for what waits in the backlog */
    LINK_SENDER_STOOD_MS = 2200, /* a thread that did not run for so long stood still */
};

/* A session's sending half for one stream. */
struct link_sender_key {
    int fd; /* the connected socket: a duplicate of its own, closed with the key, because the
             * control thread may be done with its descriptor, and the number in use for something
             * else, long before the sender hears of it */
    struct udp_shared *shared; /* a reference; NULL in tests whose socket is not UDP's */
    struct aead *aead;
    uint32_t receiver;
    uint32_t datagram; /* bytes of UDP payload that the path carries */
    bool weights;      /* the collector understands them, … */
    bool extensions;   /* … and passes these over */
    bool flows;        /* it takes flow records in place of frames */
};

/* For a key that came to nothing: closes and frees what it owns. */
void link_sender_key_done(struct link_sender_key *key);

struct link_sender_progress {
    uint64_t frames, datagrams; /* numbered and sent in this session */
};

struct link_sender {
    const struct link_sender_ops *ops;
};

/* All are called by the control thread and none waits. The first four are commands, carried out in
 * order: 0, or -EAGAIN when the sender has not kept up; a key belongs to the sender, also then. */
struct link_sender_ops {
    /* A session begins under this key, with a number of its own (not 0). `accounted`, here and
     * below: so many frames of all sessions before does the collector know of. */
    int (*session)(struct link_sender *s, const struct link_sender_key *key, uint32_t serial,
                   uint64_t accounted);
    /* The session goes on under another key, or over another socket. */
    int (*rekey)(struct link_sender *s, const struct link_sender_key *key);
    int (*size)(struct link_sender *s, uint32_t datagram); /* bytes of UDP payload from now on */
    int (*down)(struct link_sender *s, uint64_t accounted);
    /* The session is in doubt: frames wait in the backlog, or no longer. */
    void (*hold)(struct link_sender *s, bool held);
    /* The collector's report on the session's frames. */
    void (*reported)(struct link_sender *s, uint64_t accounted, uint64_t lost);
    /* Takes no more frames, sends what was accepted (what waits, for LINK_SENDER_DRAIN_MS at most,
     * and as long as there is a session), counts, and is done. */
    void (*stop)(struct link_sender *s);
    bool (*done)(const struct link_sender *s);
    /* Frames numbered and datagrams sent in the session `serial`; false when the sender is not
     * there. */
    bool (*progress)(const struct link_sender *s, uint32_t serial,
                     struct link_sender_progress *ret);
    const struct ledger *(*ledger)(const struct link_sender *s);
    /* The stages that frames pass before they are sent, and the sending; it stays the same. */
    const struct ledger_way *(*way)(const struct link_sender *s);
    /* True once after a datagram was refused by the collector's host. */
    bool (*take_refused)(struct link_sender *s);
    /* True once after the sender stood still (its thread stopped, or the machine suspended): the
     * session may be long over, and frames wait in the backlog until stood_known, which comes after
     * `hold` if that is to go on. */
    bool (*take_stood)(struct link_sender *s);
    void (*stood_known)(struct link_sender *s);
};

/* SPDX-License-Identifier: Apache-2.0
 *
 * The structure of the link's sending end (tx.h), for its files: tx.c has what is sent and what has
 * to wait, and calls tx_limit.c for what the rate allows, and what is published of it.
 */
#pragma once

#include "data/link/send/packer.h"
#include "data/link/send/tx.h"
#include "data/link/send/unsent.h"
#include "model/pace.h"
#include "sys/udp.h"

struct link_tx {
    struct sink sink;
    struct packer *packer;
    struct ledger *ledger;
    struct link_sender_key key; /* aead NULL: no session */
    uint32_t size;    /* of a datagram, as the packer has it: key.datagram sooner or later */
    uint32_t headers; /* IP's and UDP's, of each */
    bool direct;      /* frames are sent as they come; follows from what is below */
    bool held;
    bool stuck; /* the socket was full for TX_WAIT_MS, or did not take what is in `unsent` */
    bool out;   /* frames wait, or waited just now, for more than the rate */
    bool keeps; /* frames without a session wait too */
    struct backlog *backlog; /* NULL: none */
    struct unsent *unsent;   /* NULL: none */
    struct pace pace;
    struct packer_stats counted;
    uint64_t abandoned; /* datagrams of `unsent` that were given up */
    struct udp_io io;
    /* With a rate. */
    struct budget *budget; /* NULL: none */
    struct budget_seat seat;
    struct limit_view view;
    unsigned may;      /* full datagrams that may leave now, as far as is known */
    int wait_ms;       /* for more of them */
    int64_t sealed_ns; /* when what is in `unsent` came there; wall time */
    uint64_t told[2];  /* what was last published */
};

static inline unsigned tx_datagrams(size_t bytes, uint32_t datagram)
{
    return (unsigned)((bytes + datagram - 1) / datagram);
}

/* tx_limit.c */
/* As udp_send_segments, within the rate: -EDQUOT where that lets no more pass now. */
int tx_transmit(struct link_tx *t, const uint8_t *data, size_t len, uint32_t datagram, int wait,
                size_t *ret_sent);
/* With a rate: brings what is published of the limit up to date. */
void tx_publish_limit(struct link_tx *t);

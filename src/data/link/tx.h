/* SPDX-License-Identifier: Apache-2.0
 *
 * The link as a pipeline's sink: packs frames into sealed records and sends them (packer.h).
 * Without a session frames are dropped and counted. Belongs to one data thread.
 */
#pragma once

#include "data/sink.h"
#include "sys/crypto/aead.h"

/* A session's sending half for one stream. */
struct link_tx_key {
    int fd; /* the connected socket: a duplicate of its own, closed with the key, because the
             * control thread may be done with its descriptor, and the number in use for something
             * else, long before the data thread hears of it */
    struct aead *aead;
    uint32_t receiver;
    uint32_t datagram; /* bytes of UDP payload that the path carries */
};

/* For a key that came to nothing: closes and frees what it owns. */
void link_tx_key_done(struct link_tx_key *key);

/* What the other end has to know, and the control thread tells it. */
struct link_tx_progress {
    uint64_t frames, datagrams; /* numbered and sent in this session */
};

/* The ledger (LINK_TX) must outlive the sink. -ENOMEM. */
int link_tx_new(uint16_t stream, struct ledger *ledger, struct sink **ret);
/* Begins a session: frames are numbered from 0. The key is taken over, here and below; it must
 * never have sealed anything, as counters begin at 0 too. */
void link_tx_session(struct sink *s, const struct link_tx_key *key);
/* Goes on in the same session under another key, or over another socket. */
void link_tx_rekey(struct sink *s, const struct link_tx_key *key);
/* The path carries datagrams of another size. */
void link_tx_size(struct sink *s, uint32_t datagram);
/* The session is over. */
void link_tx_down(struct sink *s);
struct link_tx_progress link_tx_progress(const struct sink *s);

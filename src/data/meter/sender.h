/* SPDX-License-Identifier: Apache-2.0
 *
 * The thread that sends an exporter's messages to a collector, from an outbox, at a pace.
 *
 * What it has given to the system counts as EXPORT_OUT in the exporter's ledger, what it could not
 * as EXPORT_AWAY; it is the only writer of both. UDP: an ICMP message tells that a datagram before
 * was refused. Which one it does not say; the last one is taken for it, and counts as AWAY, as each
 * waits to be counted until the next is sent or a moment has passed. The sender goes on, and where
 * the collector has a name it asks for another socket after some seconds. TCP: a
 * message that was sent in part when the connection broke counts as AWAY, and what the system had
 * of those before it may be lost with it. While there is no connection, messages stay in the outbox
 * as long as it is not half full; the oldest leave it then and count as AWAY. Where the meter waits
 * for room, it does so too for some seconds after a connection has broken, as another may follow.
 */
#pragma once

#include "base/error.h"
#include "base/ledger.h"
#include "data/meter/outbox.h"

struct sender_conf {
    bool tcp;
    bool named;    /* UDP: its address was looked up, and may be another one later */
    int fd;        /* as peer_open() gave it (sys/peer.h), owned from now on; -1: there is none */
    bool waits;    /* the meter does, where the outbox is full */
    uint32_t rate; /* records a second; 0: as fast as it goes */
    struct outbox *box;    /* borrowed */
    struct ledger *ledger; /* borrowed */
    /* TCP: a message that is sent in each connection before the first message of records, which
     * gives it its time and its sequence; bytes 4 to 11. Borrowed. NULL: none. */
    const uint8_t *first;
    size_t first_len;
};

/* Messages so far, and records of them. */
struct sender_figures {
    uint64_t messages, octets, records;              /* that were sent, … */
    uint64_t away_records, away_packets, away_bytes; /* … and those that count as AWAY */
};

struct sender;

/* Starts the thread. -errno: `fd` stays the caller's. */
int sender_start(const struct sender_conf *conf, struct sender **ret);
/* Any thread. */
void sender_figures(const struct sender *s, struct sender_figures *ret);
/* Any thread: TCP: it has no connection and wants a socket; each time that it has lost one, or got
 * none, the answer is true until it is given one. UDP with a name: the collector has refused all
 * datagrams of the last seconds, and may be elsewhere. */
bool sender_wants(const struct sender *s);
/* Gives it, which is owned from now on. */
void sender_give(struct sender *s, int fd);
/* One other thread: since the last call there was a connection that is not the first, or came late;
 * or datagrams go to another address. */
bool sender_reconnected(struct sender *s);
/* The end is near: what is in the outbox is sent until that time at the latest, and not at all
 * where nobody takes it. The thread calls the outbox off when it has ended. Does not wait. */
void sender_hasten(struct sender *s, struct mono until);
/* Nothing more comes: waits until all is sent, or the time of sender_hasten() is over, which
 * without it is now, and closes the socket. Messages that are left in the outbox are in no count
 * then. Takes NULL. */
void sender_free(struct sender *s);

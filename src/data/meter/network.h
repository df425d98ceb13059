/* SPDX-License-Identifier: Apache-2.0
 *
 * An exporter that sends records to a collector: NetFlow version 5 or 9 or IPFIX, in datagrams or,
 * IPFIX alone, over a TCP connection. Records become messages (data/meter/encode.h) in the meter's
 * thread and wait in an outbox for the exporter's own (data/meter/sender.h), so that a collector
 * which is slow or away does not hold up the meter, nor other exporters. It sees no socket opened.
 *
 * Templates, names of interfaces, and the sample of which records are, go before the first record,
 * a second later, and then every 30 s or 4096 records, whichever is first; over TCP, in each
 * connection before its first record. What is in a message leaves within a second. IPFIX tells the
 * names and, each minute and at the end, what was exported and what was not in a stream of its own,
 * of observation domain 0.
 *
 * Besides EXPORT_OUT and EXPORT_AWAY, which are the sender's, a record counts as EXPORT_CARRY where
 * the form has no place for it, as an IPv6 address in NetFlow 5, or as EXPORT_SLOW where the outbox
 * has no room, or the end has come before it was sent.
 */
#pragma once

#include "data/meter/encode.h"
#include "data/meter/exporter.h"

enum {
    NETWORK_FINISH_MS = 8000, /* for which it sends at its end, at most */
};

struct network_conf {
    enum encode_form form;
    bool tcp;
    bool named;       /* UDP: `name` is a host's, which may get another address */
    int fd;           /* as peer_open() gave it (sys/peer.h), owned from now on; TCP, -1: none */
    const char *name; /* for people: "10.0.0.9:4739" */
    uint32_t rate;    /* records a second; 0: as fast as it goes */
    bool waits;       /* it reads a file: where the outbox is full the meter waits, and records that
                       * were not sent make finish() fail */
    size_t bytes;     /* of the outbox; 0: OUTBOX_BYTES */
    unsigned with;    /* fields of IPFIX (enum ipfix_with) */
    struct sampling sampling; /* of the records; it is declared */
    bool each;                /* a stream for each observation point (data/meter/streams.h) */
    uint32_t source; /* the number of the source, or the observation domain of records; not 0 */
};

/* -errno: the descriptor stays the caller's. */
int network_exporter_new(const struct network_conf *conf, struct exporter **ret);
/* Any thread: it has lost its connection, or got none, and wants a socket for another; or a
 * collector with a name has refused its datagrams for some seconds. */
bool network_exporter_wants(const struct exporter *e);
/* Such a socket, owned from now on. */
void network_exporter_give(struct exporter *e, int fd);

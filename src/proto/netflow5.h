/* SPDX-License-Identifier: Apache-2.0
 *
 * NetFlow version 5, written in memory, as Cisco's "NetFlow Export Datagram Format" has it: a
 * header and up to 28 records of IPv4 flows with 32-bit counters. The header's time is that of the
 * packets (proto/uptime.h), its sequence counts records. Pure.
 *
 * A flow with more packets or bytes than a counter holds is told as several records of the same
 * times, among which they are divided: netflow5_parts() says how many, netflow5_part() makes each.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/flowrec.h"
#include "proto/sampling.h"
#include "proto/uptime.h"

enum {
    NETFLOW5_MESSAGE = 1400,    /* bytes at most: a datagram on most paths */
    NETFLOW5_RECORDS = 28,      /* in it */
    NETFLOW5_PARTS = 1 << 16,   /* records of a flow at most: 2^48 bytes */
    NETFLOW5_ENGINE_TYPE = 0,   /* of the header; a route processor's, in Cisco's routers */
    NETFLOW5_SAMPLING = 16383,  /* packets of which one is taken, that a header can tell */
    NETFLOW5_INTERFACE = 65535, /* that a record can name; any number beyond is this one */
};

/* A stream of datagrams. */
struct netflow5 {
    uint32_t sequence; /* records before this datagram, modulo 2^32 */
    uint16_t sampling; /* of the header: mode and interval */
    uint8_t source;    /* engine_id: tells streams of one exporter apart */
    unsigned records;  /* in this one */
    struct uptime uptime;
    uint8_t bytes[NETFLOW5_MESSAGE];
};

void netflow5_init(struct netflow5 *m, uint8_t source);
/* Headers tell of that sample from now on, or where it takes fewer than they can tell, of none. */
void netflow5_sampling(struct netflow5 *m, const struct sampling *s);
/* How many records a flow takes; 0: it cannot be told, as it is of IPv6, or too large. */
unsigned netflow5_parts(const struct flowrec *r);
/* Number `i` of `n`, which netflow5_parts() gave: the flow with its share of packets and bytes. */
struct flowrec netflow5_part(const struct flowrec *r, unsigned n, unsigned i);
/* Adds such a part. False: the datagram is full, or has the time of another base. */
bool netflow5_add(struct netflow5 *m, const struct flowrec *part);
/* Ends the datagram, which is the first bytes of m->bytes until something is put into the next.
 * Returns its length; 0: there is nothing in it. */
size_t netflow5_end(struct netflow5 *m);

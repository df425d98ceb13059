/* SPDX-License-Identifier: Apache-2.0
 *
 * NetFlow version 9 (RFC 3954), written in memory: templates, flow records, and the names of
 * interfaces and a sample as options. As in proto/ipfix.h there is one template for IPv4 and one
 * for IPv6, with the same fields and 64-bit counters; a field that a record does not have is 0.
 *
 * The header's time is that of the packets (proto/uptime.h), rounded up to whole seconds, which are
 * all that it has, and its sequence counts datagrams. Flow sets are padded to 4 bytes. Pure.
 *
 * A datagram is written in steps: netflow9_templates(), netflow9_add() or netflow9_name() put flow
 * sets into it, and netflow9_end() closes it. What has no room is to be put into the next one.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/flowrec.h"
#include "proto/flowsets.h"
#include "proto/sampling.h"
#include "proto/uptime.h"

enum {
    NETFLOW9_MESSAGE = FLOWSETS_MESSAGE, /* bytes at most */
    NETFLOW9_NAME = 32,                  /* bytes of a name, zeros behind it; more are cut */
};

/* A stream of datagrams of one source. */
struct netflow9 {
    uint32_t source;   /* the source's id */
    uint32_t sequence; /* datagrams before this one, modulo 2^32 */
    unsigned count;    /* of records in this one, templates included, … */
    unsigned records;  /* … and of flow records */
    struct flowsets sets;
    struct uptime uptime;
};

void netflow9_init(struct netflow9 *m, uint32_t source);
/* All templates, those of options too. False: there is no room. */
bool netflow9_templates(struct netflow9 *m);
/* A record, after a datagram with the templates. False: there is no room, or the datagram has the
 * time of another base. */
bool netflow9_add(struct netflow9 *m, const struct flowrec *r);
/* The name of an interface, after the templates. False: there is no room. */
bool netflow9_name(struct netflow9 *m, uint32_t interface, const char *name);
/* A sample of packets, with the template of that option. False: there is no room. */
bool netflow9_sampling(struct netflow9 *m, const struct sampling *s);
/* Ends the datagram, which is the first bytes of m->sets.bytes until something is put into the
 * next. Returns its length; 0: there is nothing in it. */
size_t netflow9_end(struct netflow9 *m);

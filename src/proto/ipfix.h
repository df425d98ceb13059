/* SPDX-License-Identifier: Apache-2.0
 *
 * IPFIX messages (RFC 7011), written in memory: templates, flow records, and the names of
 * interfaces as options. One template for IPv4 and one for IPv6 have all that a record may have; a
 * field that a record does not have is 0. Fields that only some streams have are asked for (enum
 * ipfix_with). Pure.
 *
 * Options go into a stream of their own, observation domain 0: collectors differ in whether they
 * count options in the sequence of data records, and so no sequence has both.
 *
 * A message is written in steps: ipfix_templates(), ipfix_add() or ipfix_name() put sets into it,
 * and ipfix_end() closes it. What has no room is to be put into the next one.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/flowrec.h"
#include "proto/flowsets.h"

enum {
    IPFIX_MESSAGE = FLOWSETS_MESSAGE, /* bytes at most */
    IPFIX_NAME_MAX = 254,             /* bytes of a name; more are cut */
};

/* Fields beside those that all records have, or'ed. */
enum ipfix_with {
    IPFIX_TUNNEL = 1, /* the segment of a tunnel (351) */
    IPFIX_BIFLOW = 2, /* the other direction's figures (RFC 5103), and who began (239) */
    IPFIX_NS = 4,     /* times in nanoseconds too (156, 157) */
};

/* A stream of messages of one observation domain. */
struct ipfix {
    uint32_t domain;
    unsigned with;
    uint16_t record_len[2]; /* of IPv4 and IPv6 */
    uint32_t sequence;      /* data records in messages before this one, modulo 2^32 */
    uint32_t records;       /* in this one */
    uint32_t time_s;        /* the latest end of a record so far: the export time (packet time) */
    struct flowsets sets;
};

/* Records have those fields that all have, or more (enum ipfix_with). */
void ipfix_init(struct ipfix *m, uint32_t domain);
void ipfix_init_with(struct ipfix *m, uint32_t domain, unsigned with);
/* Both templates of flow records. False: there is no room. */
bool ipfix_templates(struct ipfix *m);
/* A record, after a message with the templates. False: there is no room. */
bool ipfix_add(struct ipfix *m, const struct flowrec *r);
/* The name of an interface, with the template of that option. False: there is no room. */
bool ipfix_name(struct ipfix *m, uint32_t interface, const char *name);
/* `len` bytes that somebody else has made, into a set of that kind: `records` data records, or 0
 * for templates. False: there is no room. */
bool ipfix_put(struct ipfix *m, uint16_t set, const void *bytes, size_t len, uint32_t records);
/* Ends the message, which is the first bytes of m->sets.bytes until something is put into the next.
 * Returns its length; 0: there is nothing in it. */
size_t ipfix_end(struct ipfix *m);

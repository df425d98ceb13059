/* SPDX-License-Identifier: Apache-2.0
 *
 * Figures of a meter and its exporter as options of an IPFIX stream (RFC 7011, sections 4.1 to
 * 4.3): what was exported, what was not, what was ignored; and of which sample the records are.
 * Together with the names of interfaces they are a stream of their own (proto/ipfix.h). Pure.
 */
#pragma once

#include "proto/ipfix.h"
#include "proto/sampling.h"

/* Totals since the start. */
struct ipfix_totals {
    uint64_t messages, records, octets;                    /* sent: of messages */
    uint64_t unsent_records, unsent_packets, unsent_bytes; /* of flows */
    uint64_t ignored, ignored_octets;                      /* packets that are in no flow */
};

/* A sample of packets (RFC 5477, section 8.2), with the template of that option: the selector 1
 * takes, at random, one of so many. Spelled in two ways, as collectors read the one or the other.
 * False: there is no room. */
bool ipfix_sampling(struct ipfix *m, const struct sampling *s);
/* All of it, with its templates; `domain`: of the flow records. False: there is no room. */
bool ipfix_totals(struct ipfix *m, uint32_t domain, const struct ipfix_totals *t);

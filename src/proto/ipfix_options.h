/* SPDX-License-Identifier: Apache-2.0
 *
 * Figures of a meter and its exporter as options of an IPFIX stream (RFC 7011, sections 4.1 to
 * 4.3): what was exported, what was not, what was ignored. Together with the names of interfaces
 * they are a stream of their own (proto/ipfix.h). Pure.
 */
#pragma once

#include "proto/ipfix.h"

/* Totals since the start. */
struct ipfix_totals {
    uint64_t messages, records, octets;                    /* sent: of messages */
    uint64_t unsent_records, unsent_packets, unsent_bytes; /* of flows */
    uint64_t ignored;                                      /* packets that are in no flow */
};

/* All of it, with its templates; `domain`: of the flow records. False: there is no room. */
bool ipfix_totals(struct ipfix *m, uint32_t domain, const struct ipfix_totals *t);

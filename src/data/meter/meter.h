/* SPDX-License-Identifier: Apache-2.0
 *
 * The meter: a sink that adds packets up to flows (model/flows.h) and gives each flow's record to
 * its exporters. Each frame counts once, by observation point, in the ledger's stage METER: in a
 * flow, or by the reason for which it is in none.
 *
 * Both directions of a conversation are told as a record each, the initiator's first.
 */
#pragma once

#include "data/meter/exporter.h"
#include "data/sink.h"

struct meter_sink_conf {
    uint32_t flows;             /* pairs of directions that are kept at a time */
    int64_t idle_ns, active_ns; /* 0: never */
    /* Owned from now on, also on failure. */
    struct exporter *exporter[EXPORTERS_MAX];
    unsigned n_exporters;
};

struct meter_sink_figures {
    uint64_t now;     /* flows that are kept */
    uint64_t evicted; /* that left early, for want of an entry */
};

/* -ENOMEM; -EIO: no random numbers. Its point_add says -ENOTSUP for a link type that nobody can
 * read (proto/packet.h). */
int meter_sink_new(const struct meter_sink_conf *conf, struct sink **ret);
/* The thread that writes to it. */
void meter_sink_figures(const struct sink *s, struct meter_sink_figures *ret);

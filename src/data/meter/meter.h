/* SPDX-License-Identifier: Apache-2.0
 *
 * The meter: a sink that adds packets up to flows (model/flows.h) and gives each flow's record to
 * its exporters. Each frame counts once, by observation point, in the ledger's stage METER: in a
 * flow, or by the reason for which it is in none.
 *
 * Both directions of a conversation are told as a record each, the initiator's first; with `biflow`
 * to those exporters that can as one, whose forward direction is the initiator's, or the only one.
 *
 * With `inner`, the key of a flow has the kind and identifier of its tunnel, so that what is the
 * same inside two tunnels is two flows. The outer addresses, as the MPLS label, are those of the
 * flow's first packet (model/outers.h).
 * It takes batches of several threads, one at a time: a lock is held for each batch.
 */
#pragma once

#include "data/meter/exporter.h"
#include "data/sink.h"

struct meter_sink_conf {
    uint32_t flows;             /* pairs of directions that are kept at a time */
    bool inner;                 /* in tunnels it is the innermost packet that counts */
    bool biflow;                /* one record for both directions, where an exporter can */
    int64_t idle_ns, active_ns; /* 0: never */
    /* Several data threads write, each frames of points of its own, and the time is what
     * meter_sink_read() tells of all of them. Else one does, and the time is that of the frames. */
    bool live;
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
/* Live, by the thread that writes the point's frames, after each run: all that were captured are
 * written, up to a moment before `now_ns` (struct wall); where not `all`, up to the last of them.
 * Flows leave by the time to which this holds for every point. */
void meter_sink_read(struct sink *s, uint32_t point, bool all, int64_t now_ns);
/* The thread that writes to it, of a file: nothing more comes, and all flows end. finish() does it
 * too, but not for as long as exporters may have to wait. */
void meter_sink_end(struct sink *s);
/* Any thread: the meter is to end; its write() waits for no exporter any more. */
void meter_sink_hurry(struct sink *s);
/* Any thread. */
void meter_sink_figures(const struct sink *s, struct meter_sink_figures *ret);

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
 *
 * A frame may stand for others, which a sample left out (frame.more). With `scale` its packets and
 * bytes count so many times, up to LEDGER_MOST in a record; the ledger counts frames.
 *
 * It takes batches of several threads, one at a time: a lock is held for each batch.
 *
 * One by points is an output among others (data/sink.h), which counts in the stage SINK, and whose
 * frames have an Ethernet header, whatever their link.
 */
#pragma once

#include "data/meter/exporter.h"
#include "data/sink.h"

/* The time by which flows leave. */
enum meter_time {
    METER_BY_FRAMES, /* that of the frames: one thread writes, of a file */
    METER_BY_READS,  /* that up to which all points are read (meter_sink_read) */
    METER_BY_POINTS, /* each point's own, as its frames have come from elsewhere */
};

struct meter_sink_conf {
    uint32_t flows;             /* pairs of directions that are kept at a time */
    bool inner;                 /* in tunnels it is the innermost packet that counts */
    bool scale;                 /* a frame counts for those, too, for which it stands */
    bool biflow;                /* one record for both directions, where an exporter can */
    int64_t idle_ns, active_ns; /* 0: never */
    enum meter_time time;
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
/* Any thread, now and then: time passes, also where no frame comes. write() and flush() do it
 * too. */
void meter_sink_tick(struct sink *s, struct mono now);
/* By points, any thread: all frames of the point up to that time have come, as far as is known. Of
 * a point that nobody tells of, they come at once. */
void meter_sink_heard(struct sink *s, uint32_t point, struct mono at);
/* By points, any thread: a record that was made elsewhere, of packets of that point. It leaves with
 * the point's name. */
void meter_sink_record(struct sink *s, uint32_t point, const struct flowrec *r);
/* By reads, by the thread that writes the point's frames, after each run: all that were captured
 * are written, up to a moment before `now_ns` (struct wall); where not `all`, up to the last of
 * them. Flows leave by the time to which this holds for every point. */
void meter_sink_read(struct sink *s, uint32_t point, bool all, int64_t now_ns);
/* The thread that writes to it, of a file: nothing more comes, and all flows end. finish() does it
 * too, but not for as long as exporters may have to wait. */
void meter_sink_end(struct sink *s);
/* Any thread: the flows of this moment. All records so far are written as far as nobody has to be
 * waited for; then `begin` is called, which may look at what they were written to, and `to` gets a
 * record of each flow that is kept, as one that is due while its flow goes on (FLOWS_ACTIVE). The
 * flows stay as they are. Frames wait meanwhile. */
void meter_sink_show(struct sink *s, void (*begin)(void *user), void *user, struct exporter *to);
/* Any thread: the meter is to end; its write() waits for no exporter any more. */
void meter_sink_hurry(struct sink *s);
/* Any thread. */
void meter_sink_figures(const struct sink *s, struct meter_sink_figures *ret);

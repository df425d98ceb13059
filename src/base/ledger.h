/* SPDX-License-Identifier: Apache-2.0
 *
 * The loss ledger. A frame's way is a chain of stages; each stage counts what it passed on and what
 * it dropped, by reason. What a stage passed on is what the next one took in, so that for every
 * stage `in + made = out + aside + sum of drops + in flight` must hold, and at the end nothing is
 * in flight. The numbers on both sides of the equation are counted independently of each other.
 *
 * One thread writes a ledger; any thread may read it. A frame is counted into a stage before it is
 * counted out of it, and readers look at the numbers in the opposite order, so that a reader never
 * sees more come out than went in.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/stages.h"

/* id, name (JSON), words (people), what its drops are. A pipeline has some of them, in an order of
 * its own (struct ledger_way).
 *
 * tap: RING, from the kernel's capture hook to the ring's walk; SELECT, where the kernel's filter
 * could not decide; CUT, super-packets into frames of the wire's size; STAGES, those without a
 * ledger's stage of their own; LIMIT, where something is taken off for the rate; LINK_TX, into
 * numbered records.
 * collector: LINK_RX, from the tap's numbering to whole frames; MIRROR, from packets in which
 * others send frames; STAGES_RX, as STAGES; SINK, one output.
 * meter: FILE, from a capture file; METER, from frames to flows; EXPORT, records to one exporter.
 */
#define LEDGER_STAGE_TABLE(X)                                                                      \
    X(FILE, "file", "capture file", FAULT)                                                         \
    X(RING, "ring", "kernel ring", FAULT)                                                          \
    X(SELECT, "select", "selection", WISH)                                                         \
    X(CUT, "cut", "cutting", FAULT)                                                                \
    X(STAGES, "stages", "stages", WISH)                                                            \
    X(LIMIT, "limit", "limit", FAULT)                                                              \
    X(LINK_TX, "link_tx", "link, sent", FAULT)                                                     \
    X(LINK_RX, "link_rx", "link, received", FAULT)                                                 \
    X(MIRROR, "mirror", "mirrored", FAULT)                                                         \
    X(STAGES_RX, "stages_rx", "stages, collector", WISH)                                           \
    X(SINK, "sink", "output", FAULT)                                                               \
    X(METER, "meter", "flows", WISH)                                                               \
    X(EXPORT, "export", "records", FAULT)

enum ledger_stage {
#define X(id, name, words, drops) LEDGER_##id,
    LEDGER_STAGE_TABLE(X)
#undef X
        LEDGER_STAGE_COUNT
};

enum ledger_drops {
    LEDGER_FAULT, /* frames that were wanted are dropped there */
    LEDGER_WISH,  /* frames are dropped there because the user does not want them */
};

enum ledger_kind {
    LEDGER_IN,    /* what came in, where that is counted apart from the stage before */
    LEDGER_OUT,   /* what was passed on */
    LEDGER_DROP,  /* what was dropped, by reason */
    LEDGER_MADE,  /* frames created here: a packet cut into n frames adds n - 1 */
    LEDGER_ASIDE, /* what left the way of frames here, and is not dropped */
    LEDGER_INFO,  /* not part of the equation */
};

/* The rows of stages without a ledger's stage of their own (base/stages.h). */
#define LEDGER_ST_ROW(X, ID, name, kind, code, key, words, form, help)                             \
    X(ST_##ID, STAGES, kind, key, words)
#define LEDGER_SR_ROW(X, ID, name, kind, code, key, words, form, help)                             \
    X(SR_##ID, STAGES_RX, kind, key, words)

/* id, stage, kind, key (JSON), words (people) */
#define LEDGER_TABLE(X)                                                                            \
    X(FILE_IN, FILE, IN, "in", "in the file")                                                      \
    X(FILE_FILTER, FILE, DROP, "filter", "not matched by the filter")                              \
    X(FILE_LINK_TYPE, FILE, DROP, "link_type", "of a link type that cannot be read")               \
    X(FILE_DAMAGED, FILE, DROP, "damaged", "of more interfaces than there is room for")            \
    X(FILE_OUT, FILE, OUT, "out", "read")                                                          \
    X(FILE_BYTES, FILE, INFO, "bytes", "frame bytes read")                                         \
    X(RING_IN, RING, IN, "in", "received by filter")                                               \
    X(RING_FULL, RING, DROP, "ring_full", "dropped by kernel, ring full")                          \
    X(RING_GONE, RING, DROP, "interface_gone", "left in the ring of an interface that went away")  \
    X(RING_OFFLOAD, RING, DROP, "offload_unknown", "of an offload that the kernel cannot tell of") \
    X(RING_OUT, RING, OUT, "out", "captured")                                                      \
    X(RING_BYTES, RING, INFO, "bytes", "bytes captured")                                           \
    X(RING_SUPER, RING, INFO, "super_packets", "super-packets (segmentation offload)")             \
    X(RING_CLAMPED, RING, INFO, "clamped", "longer than the capture ring takes, cut short")        \
    X(RING_REOPENED, RING, INFO, "reopened",                                                       \
      "times that the ring was opened anew, as it was idle")                                       \
    X(SEL_TUNNEL, SELECT, DROP, "own_tunnel", "our own tunnel's datagrams")                        \
    X(SEL_FOREIGN, SELECT, DROP, "foreign_tunnel", "datagrams of other taps' and collectors'")     \
    X(SEL_AMPLIFIED, SELECT, DROP, "amplified", "came because frames were sent")                   \
    X(SEL_BAD, SELECT, DROP, "bad_ring_entry", "unusable ring entry")                              \
    X(SEL_OUT, SELECT, OUT, "out", "selected")                                                     \
    X(CUT_MADE, CUT, MADE, "made", "made by cutting super-packets")                                \
    X(CUT_OUT, CUT, OUT, "out", "of the wire's size")                                              \
    X(CUT_SUPER, CUT, INFO, "cut", "super-packets cut")                                            \
    X(CUT_UNCUT, CUT, INFO, "uncut", "super-packets that passed whole")                            \
    X(CUT_SUMMED, CUT, INFO, "checksums_finished", "checksums finished")                           \
    X(CUT_NOSUM, CUT, INFO, "checksums_unfinished", "checksums that could not be finished")        \
    X(CUT_SLICED, CUT, INFO, "sliced", "cut to the snaplen")                                       \
    STAGE_LIST(STAGE_NO_OWN, LEDGER_ST_ROW, X)                                                     \
    X(ST_OUT, STAGES, OUT, "out", "passed by the stages")                                          \
    X(LIM_SAMPLED, LIMIT, DROP, "limit_sampled", "of flows that are not kept")                     \
    X(LIM_COUNTED, LIMIT, DROP, "limit_counted", "only counted")                                   \
    X(LIM_FULL, LIMIT, DROP, "limit_full", "newest, as the rate's queue was full")                 \
    X(LIM_METERED, LIMIT, DROP, "limit_metered", "told in flow records")                           \
    X(LIM_MADE, LIMIT, MADE, "made", "messages of flow records made")                              \
    X(LIM_OUT, LIMIT, OUT, "out", "within the limit")                                              \
    X(LIM_SLICED, LIMIT, INFO, "limit_sliced", "cut to their headers")                             \
    X(LIM_UNTOLD, LIMIT, INFO, "limit_untold", "in flow records that had no room")                 \
    X(TX_NOSESSION, LINK_TX, DROP, "no_session", "no session with the collector")                  \
    X(TX_BACKLOG_FULL, LINK_TX, DROP, "backlog_full", "oldest in a full backlog")                  \
    X(TX_LEFT, LINK_TX, DROP, "backlog_left", "left in the backlog at the end")                    \
    X(TX_UNKNOWN, LINK_TX, DROP, "not_understood",                                                 \
      "flow records that the collector does not understand")                                       \
    X(TX_OUT, LINK_TX, OUT, "out", "sent")                                                         \
    X(TX_BYTES, LINK_TX, INFO, "bytes", "frame bytes sent")                                        \
    X(TX_DATAGRAMS, LINK_TX, INFO, "datagrams", "datagrams sent")                                  \
    X(TX_WIRE_BYTES, LINK_TX, INFO, "wire_bytes", "bytes of datagrams sent")                       \
    X(TX_BACKLOGGED, LINK_TX, INFO, "backlogged", "had to wait in the backlog")                    \
    X(TX_UNSENT, LINK_TX, INFO, "unsent_datagrams", "datagrams that the system refused to send")   \
    X(TX_BACKLOG_BYTES, LINK_TX, INFO, "backlog_bytes", "bytes in the backlog now")                \
    X(TX_ACKED, LINK_TX, INFO, "confirmed", "confirmed as received by the collector")              \
    X(TX_REPORTED_LOST, LINK_TX, INFO, "reported_lost", "reported as lost by the collector")       \
    X(TX_UNCONFIRMED, LINK_TX, INFO, "unconfirmed", "sent, but not confirmed by the collector")    \
    X(RX_IN, LINK_RX, IN, "in", "sent by the tap")                                                 \
    X(RX_LOST, LINK_RX, DROP, "lost", "lost on the link")                                          \
    X(RX_MALFORMED, LINK_RX, DROP, "malformed", "malformed inside the tunnel")                     \
    X(RX_NO_ROOM, LINK_RX, DROP, "no_room", "for want of memory that the tap may take")            \
    X(RX_MESSAGES, LINK_RX, ASIDE, "flow_messages", "messages of flow records")                    \
    X(RX_OUT, LINK_RX, OUT, "out", "received")                                                     \
    X(RX_BYTES, LINK_RX, INFO, "bytes", "frame bytes received")                                    \
    X(RX_DATAGRAMS, LINK_RX, INFO, "datagrams", "datagrams received")                              \
    X(RX_GAP_DATAGRAMS, LINK_RX, INFO, "gap_datagrams", "datagrams missing in the sequence")       \
    X(RX_LATE_DATAGRAMS, LINK_RX, INFO, "late_datagrams", "datagrams that came too late")          \
    X(RX_CROWDED_DATAGRAMS, LINK_RX, INFO, "crowded_datagrams",                                    \
      "datagrams not kept for their turn, for want of memory")                                     \
    X(RX_IMPLAUSIBLE, LINK_RX, INFO, "implausible",                                                \
      "records and reports with numbers that cannot be")                                           \
    X(RX_RECORDS, LINK_RX, INFO, "flow_records", "flow records received")                          \
    X(RX_TOLD, LINK_RX, INFO, "flow_packets", "packets that flow records tell of")                 \
    X(RX_UNREADABLE, LINK_RX, INFO, "flow_unreadable",                                             \
      "messages of flow records of which not all can be read")                                     \
    X(MIR_IN, MIRROR, IN, "in", "mirrored packets")                                                \
    X(MIR_FULL, MIRROR, DROP, "socket_full", "dropped by the kernel, socket full")                 \
    X(MIR_FROM, MIRROR, DROP, "not_allowed", "of addresses that are not allowed")                  \
    X(MIR_SHORT, MIRROR, DROP, "cut_short", "cut short within the headers")                        \
    X(MIR_VERSION, MIRROR, DROP, "bad_version", "of an unknown version or kind")                   \
    X(MIR_OTHER, MIRROR, DROP, "not_ethernet", "with something else than an Ethernet frame")       \
    X(MIR_NO_ROOM, MIRROR, DROP, "no_room", "of senders for which there was no room")              \
    X(MIR_OUT, MIRROR, OUT, "out", "frames received")                                              \
    X(MIR_BYTES, MIRROR, INFO, "bytes", "frame bytes received")                                    \
    X(MIR_GAPS, MIRROR, INFO, "seq_gaps", "numbers missing in GRE's sequence")                     \
    X(MIR_CUT, MIRROR, INFO, "cut_by_sender", "cut by their senders")                              \
    X(MIR_FCS, MIRROR, INFO, "fcs_removed", "freed of a frame check sequence")                     \
    X(MIR_TAGGED, MIRROR, INFO, "tag_restored",                                                    \
      "given back the VLAN tag that the sender took off")                                          \
    STAGE_LIST(STAGE_NO_OWN, LEDGER_SR_ROW, X)                                                     \
    X(SR_OUT, STAGES_RX, OUT, "out", "passed by the stages")                                       \
    X(SINK_IN, SINK, IN, "in", "given to the output")                                              \
    X(SINK_FULL, SINK, DROP, "queue_full", "output's queue was full")                              \
    X(SINK_REFUSED, SINK, DROP, "point_refused", "of an interface that had no room in the output") \
    X(SINK_SHORT, SINK, DROP, "too_short", "too short for the device")                             \
    X(SINK_LONG, SINK, DROP, "too_long", "too long for the output")                                \
    X(SINK_ERROR, SINK, DROP, "write_error", "refused by the device or file")                      \
    X(SINK_NOSPACE, SINK, DROP, "disk_full", "no space left on the disk")                          \
    X(SINK_CLOSED, SINK, DROP, "closed", "the output was closed")                                  \
    X(SINK_CARRIER, SINK, DROP, "no_carrier", "on a port that was down or had no carrier")         \
    X(SINK_GONE, SINK, DROP, "port_gone", "on a port that was not there")                          \
    X(SINK_NO_READER, SINK, DROP, "no_reader", "with no reader connected")                         \
    X(SINK_READERS_FULL, SINK, DROP, "readers_full", "no reader had room")                         \
    X(SINK_NOT_IP, SINK, DROP, "not_ip", "without an IP packet")                                   \
    X(SINK_BAD_IP, SINK, DROP, "bad_ip", "whose IP header is broken or cut off")                   \
    X(SINK_OUT, SINK, OUT, "out", "written")                                                       \
    X(SINK_BYTES, SINK, INFO, "bytes", "frame bytes written")                                      \
    X(SINK_CUT, SINK, INFO, "cut_to_fit", "cut to fit the path")                                   \
    X(SINK_FRAGMENTED, SINK, INFO, "fragmented", "sent in fragments, as the path is too narrow")   \
    X(SINK_MISSED, SINK, INFO, "reader_missed", "missed by a reader without room, each by each")   \
    X(SINK_LATE, SINK, INFO, "late", "too late to be put in order")                                \
    X(SINK_AHEAD, SINK, INFO, "clock_ahead", "not put in order, from a clock far ahead")           \
    X(SINK_EARLY, SINK, INFO, "early", "given out before the window's end for want of room")       \
    X(MET_IN, METER, IN, "in", "seen")                                                             \
    X(MET_NOT_IP, METER, DROP, "not_ip", "without an IP packet")                                   \
    X(MET_BAD_IP, METER, DROP, "bad_ip", "whose IP header is broken or cut off")                   \
    X(MET_OUT, METER, OUT, "out", "in a flow")                                                     \
    X(MET_FRAGMENTS, METER, INFO, "fragments_unknown",                                             \
      "fragments whose first one is not known, counted without ports")                             \
    X(MET_TUNNELLED, METER, INFO, "tunnelled", "counted by the packet inside a tunnel")            \
    X(MET_OUTERS, METER, INFO, "outer_unknown",                                                    \
      "flows whose outer addresses or label had no room")                                          \
    X(EXPORT_IN, EXPORT, IN, "in", "records")                                                      \
    X(EXPORT_ERROR, EXPORT, DROP, "write_error", "not written, as the file takes no more")         \
    X(EXPORT_AWAY, EXPORT, DROP, "collector_away", "not sent, as the collector was away")          \
    X(EXPORT_SLOW, EXPORT, DROP, "collector_slow", "not sent, as the collector was slow")          \
    X(EXPORT_CARRY, EXPORT, DROP, "cannot_carry", "that the format cannot tell")                   \
    X(EXPORT_REFUSED, EXPORT, DROP, "collector_refused", "refused by the collector")               \
    X(EXPORT_OUT, EXPORT, OUT, "out", "records written")

enum ledger_id {
#define X(id, stage, kind, key, words) LEDGER_##id,
    LEDGER_TABLE(X)
#undef X
        LEDGER_COUNT
};

struct ledger {
    _Atomic uint64_t n[LEDGER_COUNT];
};

struct ledger_info {
    enum ledger_stage stage;
    enum ledger_kind kind;
    const char *key;
    const char *words;
};

/* The table's row for an id < LEDGER_COUNT. */
const struct ledger_info *ledger_info(enum ledger_id id);
/* "ring", "select" and so on; "?" beyond the last. */
const char *ledger_stage_name(enum ledger_stage stage);
/* "kernel ring" and so on, for the stage of that name; the name itself where there is none. */
const char *ledger_stage_words(const char *name);
enum ledger_drops ledger_stage_drops(enum ledger_stage stage);

/* The stages that frames pass in a pipeline, in its order: sums, publishing and printing walk it.
 */
struct ledger_way {
    uint8_t n, at[12]; /* enum ledger_stage */
};

/* The way of a tap, or of a collector as far as its outputs, of which this is the ledger: stages
 * that a pipeline need not have are in it where they have counted something. */
struct ledger_way ledger_way_tap(const struct ledger *l);
struct ledger_way ledger_way_collector(const struct ledger *l);
/* The same of mirrored frames. */
struct ledger_way ledger_way_mirror(const struct ledger *l);
/* The stage's place on the way, from 0 on; -1: it is not on it. */
int ledger_way_place(const struct ledger_way *way, enum ledger_stage stage);

static inline uint64_t ledger_get(const struct ledger *l, enum ledger_id id)
{
    return atomic_load_explicit(&l->n[id], memory_order_acquire);
}

/* For the writing thread only. */
static inline void ledger_set(struct ledger *l, enum ledger_id id, uint64_t v)
{
    atomic_store_explicit(&l->n[id], v, memory_order_release);
}

static inline void ledger_add(struct ledger *l, enum ledger_id id, uint64_t v)
{
    ledger_set(l, id, ledger_get(l, id) + v);
}

/* For the few counters that several threads write; all of them must do so by this. */
static inline void ledger_add_shared(struct ledger *l, enum ledger_id id, uint64_t v)
{
    atomic_fetch_add_explicit(&l->n[id], v, memory_order_release);
}

/* Makes what was counted in `from`, which no other thread sees, visible in `to`: stage by stage, in
 * the order of the way, so that nobody sees more come out than went in. Rows of stages that are not
 * on it stay. */
void ledger_publish(struct ledger *to, const struct ledger *from, const struct ledger_way *way);
/* The same of all rows, in the order of the table, where that does not matter. */
void ledger_copy(struct ledger *to, const struct ledger *from);

/* More than anything counts in its life, as 100 Gbit/s make so many bytes in three years. Up to
 * here a peer's figures are taken, and sums of them end, so that none of a stage wraps. */
#define LEDGER_MOST (UINT64_C(1) << 60)

/* The sum of both, up to LEDGER_MOST. */
static inline uint64_t ledger_plus(uint64_t a, uint64_t b)
{
    return a < LEDGER_MOST && b < LEDGER_MOST - a ? a + b : LEDGER_MOST;
}

/* Adds all of `from`, up to LEDGER_MOST each. For the writing thread of `to` only. */
void ledger_add_up(struct ledger *to, const struct ledger *from);

struct ledger_sum {
    uint64_t in, made, out, aside, dropped;
    int64_t in_flight; /* in + made - out - aside - dropped: 0 at the end; negative means that a
                          count is wrong */
};

/* Adds one stage up. A stage without an IN counter takes `in` from the stage before it on the way;
 * NULL: on that of ledger_way_tap. */
struct ledger_sum ledger_sum(const struct ledger *l, const struct ledger_way *way,
                             enum ledger_stage stage);

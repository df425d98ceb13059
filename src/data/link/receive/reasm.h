/* SPDX-License-Identifier: Apache-2.0
 *
 * The receiving end of one stream: takes opened segments, puts them in order, gives whole frames,
 * and accounts for every frame that the tap numbered: it was received, lost, or malformed.
 *
 * In-order segments are parsed where they lie: a frame that lies in one segment is given without a
 * copy, and only one that straddles segments is put together. A segment that arrives ahead of its
 * turn is kept for REASM_HOLD_MS at most; then what is missing counts as lost.
 *
 * A tap's word on its own numbers is believed only as far as it can be true (docs/protocol.md): by
 * the bytes that a frame takes of the stream, and by the time that a datagram takes to be sent.
 *
 * Single-threaded: belongs to the collector's data thread.
 */
#pragma once

#include "base/batch.h"
#include "base/ledger.h"
#include "base/time.h"
#include "data/point.h"
#include "data/source.h"
#include "proto/link.h"

enum {
    REASM_WINDOW = 64,       /* segments kept ahead of a missing one */
    REASM_BYTES = 512 << 10, /* and their bytes at most */
    REASM_HOLD_MS = 10,
    REASM_STARTS = LINK_DATAGRAM_MAX / LINK_FRAME_MIN, /* frames that start in a segment, at most */
    REASM_RATE = 1 << 24,                              /* datagrams of a stream in a second, … */
    REASM_RATE_FRAMES = 1 << 28,                       /* and frames, and so many at once */
};

/* Memory for what a tap has sent and what cannot be given on yet: segments that wait for their
 * turn, frames of which a part has come. It takes no more than its own maximum, and no more than
 * half of what is left for all: so there is something for whoever comes next. */
struct reasm_room {
    size_t used, max;       /* bytes */
    struct reasm_room *all; /* which this is a part of; its `all` is not looked at */
};

struct reasm;

/* `point` becomes frame.point; the stream begins `now`. The ledger (LINK_RX) and the room must
 * outlive the stream. NULL: no memory. */
struct reasm *reasm_new(uint32_t point, struct ledger *ledger, struct reasm_room *room,
                        struct mono now);
void reasm_free(struct reasm *r);

/* Names the point of frames that say they are from the source's interface `sub` < POINT_SUBS. */
void reasm_set_point(struct reasm *r, uint16_t sub, uint32_t point);

/* Can the tap have sent `datagrams` on this stream by now? If not that is counted, and what says so
 * is not to be believed: a record with a counter from there on, or a REPORT. */
bool reasm_plausible(struct reasm *r, uint64_t datagrams, struct mono now);
/* Something else that it said of this stream cannot be. */
void reasm_implausible(struct reasm *r);

/* Frames are appended to the batch of `out`; when it is full it is pushed, after which the caller
 * calls reasm_delivered on every stream that put frames into it. */

/* One opened segment with the record's counter, each counter at most once (see replay.h). `plain`
 * must stay valid until the batch is delivered. */
void reasm_segment(struct reasm *r, uint64_t counter, const uint8_t *plain, size_t len,
                   struct mono now, struct batch_out *out);

/* Gives up waiting for what has been missing for too long. Returns when to call again: the time
 * "never" when nothing is kept. */
struct mono reasm_tick(struct reasm *r, struct mono now, struct batch_out *out);

/* Something is kept: reasm_tick is wanted. */
bool reasm_waits(const struct reasm *r);

/* The batch was delivered: memory of its frames may be used again. */
void reasm_delivered(struct reasm *r);

/* The tap says that it has numbered `frames` frames and sent `datagrams` records so far, which is
 * believed where it can be. */
void reasm_report(struct reasm *r, uint64_t frames, uint64_t datagrams, struct mono now);
/* No frame follows and nothing is in flight: what has not come is lost. */
void reasm_finish(struct reasm *r, struct batch_out *out);

/* Frames accounted for so far in this session, and of these those lost. */
uint64_t reasm_accounted(const struct reasm *r);
uint64_t reasm_lost(const struct reasm *r);

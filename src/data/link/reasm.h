/* SPDX-License-Identifier: Apache-2.0
 *
 * The receiving end of one stream: takes opened segments, puts them in order, gives whole frames,
 * and accounts for every frame that the tap numbered: it was received, lost, or malformed.
 *
 * In-order segments are parsed where they lie: a frame that lies in one segment is given without a
 * copy, and only one that straddles segments is put together. A segment that arrives ahead of its
 * turn is kept for REASM_HOLD_MS at most; then what is missing counts as lost.
 *
 * Single-threaded: belongs to the collector's data thread.
 */
#pragma once

#include "base/batch.h"
#include "base/ledger.h"
#include "base/time.h"

enum {
    REASM_WINDOW = 64,       /* segments kept ahead of a missing one */
    REASM_BYTES = 512 << 10, /* and their bytes at most */
    REASM_HOLD_MS = 10,
    REASM_PORTS = 256, /* interfaces of a source that has several */
};

struct reasm;

/* Where frames go: appended to `batch`; when that is full, `deliver` must empty it (after which the
 * caller calls reasm_delivered on every stream that put frames into it). */
struct reasm_out {
    struct batch *batch;
    void (*deliver)(void *user);
    void *user;
};

/* `port` becomes frame.port. The ledger (LINK_RX) must outlive the stream. NULL: no memory. */
struct reasm *reasm_new(uint32_t port, struct ledger *ledger);
void reasm_free(struct reasm *r);

/* Names the port of frames that say they are from the source's interface `sub` < REASM_PORTS. */
void reasm_set_port(struct reasm *r, uint16_t sub, uint32_t port);

/* One opened segment with the record's counter, each counter at most once (see replay.h). `plain`
 * must stay valid until the batch is delivered. */
void reasm_segment(struct reasm *r, uint64_t counter, const uint8_t *plain, size_t len,
                   struct mono now, const struct reasm_out *out);

/* Gives up waiting for what has been missing for too long. Returns when to call again: the time
 * "never" when nothing is kept. */
struct mono reasm_tick(struct reasm *r, struct mono now, const struct reasm_out *out);

/* Something is kept: reasm_tick is wanted. */
bool reasm_waits(const struct reasm *r);

/* The batch was delivered: memory of its frames may be used again. */
void reasm_delivered(struct reasm *r);

/* The tap says that it has numbered `frames` frames so far. With `final`, none follows and nothing
 * is in flight: what has not come is lost. */
void reasm_report(struct reasm *r, uint64_t frames, bool final, const struct reasm_out *out);

/* Frames accounted for so far in this session, and of these those lost. */
uint64_t reasm_accounted(const struct reasm *r);
uint64_t reasm_lost(const struct reasm *r);

/* SPDX-License-Identifier: Apache-2.0
 *
 * A sink for tests of pipelines: it keeps every frame in memory, as the wire had it, and every call
 * that concerned a point. It can be told to refuse, to fail and to be full.
 */
#pragma once

#include <stddef.h>

#include "data/sink.h"

struct fake_frame {
    uint8_t *data; /* caplen bytes, insertions included */
    uint32_t caplen, origlen, lost, more, point;
    int64_t ts_ns;
    uint8_t dir;
};

struct fake_point {
    char tap[64], ifname[64], filter[256]; /* cut when longer */
    uint32_t adds, removes;
    struct ledger figures; /* as last told */
};

int fake_sink_new(const char *name, struct sink **ret);
/* The frames taken so far; valid until the next write. Not while another thread writes. */
const struct fake_frame *fake_sink_frames(const struct sink *s, size_t *ret_n);
/* NULL for a point that never was added. */
const struct fake_point *fake_sink_point(const struct sink *s, uint32_t index);
/* How often flush and finish were called. Any thread. */
uint32_t fake_sink_flushes(const struct sink *s);
uint32_t fake_sink_finishes(const struct sink *s);
/* From now on check() returns -code (0: healthy again), and frames are dropped as SINK_ERROR. */
void fake_sink_fail(struct sink *s, int code);
/* From now on points are refused while `max` are open. Any thread. */
void fake_sink_room(struct sink *s, uint32_t max);
/* From now on at most `max` frames are kept; others are dropped as SINK_FULL. */
void fake_sink_limit(struct sink *s, size_t max);

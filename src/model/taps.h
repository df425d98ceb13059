/* SPDX-License-Identifier: Apache-2.0
 *
 * Tap flows and services: which way a frame has to go to be one of a direction, the status that
 * follows from the ports and from what is reported, counts over the lives of whoever carries a flow
 * out, and circles of sources and destinations. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/batch.h"
#include "base/error.h"
#include "base/parse.h"
#include "model/kinds.h"

/* Of a field's text: -EINVAL with a sentence. */
int taps_check_vlans(const char *text, struct error *err);

/* The direction of a flow as the host of the port sees frames: FRAME_DIR_IN are those that the
 * interface receives. IN is what goes to the port's owner. Of a port that faces its owner (the
 * host's end of a virtual machine's or container's cable) that is what the interface sends. */
enum frame_dir taps_dir(enum tap_direction d, bool faces_owner);

/* ---- the status ---- */

/* How those who carry a flow out report it. */
enum taps_reported {
    TAPS_UNKNOWN, /* nothing was reported of it in this session */
    TAPS_FLOWS,   /* both ends are attached */
    TAPS_AWAY,    /* one of its ports is not there, or down */
    TAPS_FAILED,  /* it cannot be done, and is tried again */
};

struct taps_ends {
    bool source_there, service_there; /* the ports are there now */
    bool service_up;
    enum taps_reported reported;
    const char *words;                /* of TAPS_AWAY and TAPS_FAILED: why; may be NULL */
    const char *source, *destination; /* names, for sentences */
};

/* The status of a flow that is not being deleted; `ret_reason` "" with TAP_ACTIVE. */
enum tap_status taps_status(const struct taps_ends *e, char ret_reason[TAP_REASON_MAX + 1]);

/* ---- counts ---- */

struct taps_counts {
    uint64_t frames, bytes, dropped;
};

/* Counts of earlier lives added up, and those of the last one, which only grow in it. */
struct taps_progress {
    uint64_t life; /* 0: none yet */
    struct taps_counts before, now;
};

/* A report of that life. True where the sum is another now. Counts that fall within a life, as no
 * true ones do, mean nothing. */
bool taps_take(struct taps_progress *p, uint64_t life, const struct taps_counts *c);
struct taps_counts taps_sum(const struct taps_progress *p);

/* ---- circles ---- */

enum {
    TAPS_EDGES_MAX = 16384,
};

/* Frames of one port arrive at another; ports are numbers of the caller's. */
struct taps_edge {
    uint32_t from, to;
};

/* Would this edge close a circle with the others? One from a port to itself is one. The edges are
 * sorted here. -ENOMEM, else 0 or 1. */
int taps_closes_circle(struct taps_edge *edges, size_t n, struct taps_edge add);

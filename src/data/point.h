/* SPDX-License-Identifier: Apache-2.0
 *
 * An observation point: an interface of a tap, as the collector knows it, or what one sender
 * mirrors in one tunnel, and every limit on how many there can be. The listener makes points of
 * taps and forgets them (link/listen/peers.c), and so does the mirrors' source of its own
 * (source/mirror/points.c). Data threads count in them, the fan offers them to the sinks, and
 * reports read them.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/ledger.h"
#include "base/time.h"
#include "data/align.h"
#include "data/sink.h"

enum {
    POINT_MIRRORS = 1024, /* points of senders that are no taps: the highest indices */
    POINT_COUNT = POINT_MAX - 1 - POINT_MIRRORS, /* of all taps: their indices go from 1 on, … */
    POINT_SHARE = 64,    /* … of which a tap gets so many while there is any, … */
    POINT_SPARE = 1024,  /* … and more only while there are more than these */
    POINT_STREAMS = 320, /* streams of one session at a time, each with a point */
    POINT_SUBS = 256,    /* further points of streams whose source has several interfaces */
    POINT_OF_PEER = POINT_STREAMS + POINT_SUBS, /* points of a tap, and of a session */
    POINT_TAP = 48,                             /* bytes of a tap's name, or of an address */
    POINT_IFNAME = 129, /* bytes of a name of up to 32, escaped (base/text.h) */
};

/* Made by the control thread, which owns it; kept until its place is wanted by another. */
struct point {
    uint32_t index; /* frame.point, from 1 on */
    char tap[POINT_TAP], ifname[POINT_IFNAME], *filter;
    uint64_t tap_number; /* which no other tap has */
    uint32_t snaplen;
    uint64_t speed_bps;
    uint16_t linktype, arphrd;
    bool has_stream, has_sub; /* in this session: frames come of a stream of its own, or of one with
                               * several interfaces */
    bool shown;               /* in this session: the data thread may read what is above */
    struct mono idle;         /* since when none of that is so */
    struct ledger ledger;     /* LINK_RX, over all sessions; written by the data thread */
    struct ledger reported;   /* the tap's own stages, as last reported; control thread */
    struct mono reported_at;  /* in this session; {0}: not yet */
    struct ledger past;       /* and those of captures of this name that are no more, within it */
    struct align_point align; /* the data thread's, over all sessions */
    _Atomic uint64_t accounted, lost; /* in this session */
    /* The outputs' ledgers under its index are its own, and not those of who had that before.
     * Written by the data thread. */
    _Atomic bool in_outputs;
};

/* The output's ledger for the point; NULL: it has not been given to the outputs yet, or the output
 * is NULL, a free place. */
static inline const struct ledger *point_output(const struct point *p, const struct sink *output)
{
    return output && atomic_load_explicit(&p->in_outputs, memory_order_acquire)
               ? sink_ledger(output, p->index)
               : NULL;
}

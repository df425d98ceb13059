/* SPDX-License-Identifier: Apache-2.0
 *
 * Where a pipeline ends: a file, a TAP device, a program's memory in a test. Each is an ops table
 * behind `struct sink`; the pipeline knows no more of them than this.
 *
 * Three kinds of threads meet here. The data thread calls everything not said otherwise; it may
 * not be held up, so a sink that has to wait does so on a thread of its own. Any thread may ask
 * check() and sink_ledger(). Whoever has stopped the data thread calls finish() and free().
 *
 * Every frame given to write() is counted in its point's ledger: SINK_IN at once, and either
 * SINK_OUT, when it has really been written, or a drop by reason. A single field has a single
 * writing thread, but for drops that a queue (sink/queue/queue.h) and the sink behind it both
 * count; after finish() nothing is in flight.
 *
 * A sink that has no room for a point refuses it, and counts each of its frames as SINK_REFUSED
 * until the caller, who asks again now and then, finds that there is room.
 *
 * The link's sink at the tap (link/send/tx.h) is no output: it has no points, no check() and no
 * finish().
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/batch.h"
#include "base/error.h"
#include "base/ledger.h"

enum {
    POINT_MAX = 5120,    /* indices of observation points */
    POINT_NAME_MAX = 63, /* of a tap or an interface: longer names are cut */
    SINK_RETRY_MS = 200, /* between two questions whether there is room for a point now */
};

/* An observation point as it is offered to a sink. Texts belong to the caller. */
struct point_offer {
    uint32_t index;            /* frame.point, < POINT_MAX */
    const char *tap, *ifname;  /* "web1", "eth0" */
    uint64_t tap_number;       /* the tap's, which no other tap has */
    const char *filter, *os;   /* may be NULL */
    uint32_t snaplen;          /* 0: whole frames */
    uint64_t speed_bps;        /* 0: unknown */
    uint16_t linktype, arphrd; /* of its link, by pcapng's registry; 0: Ethernet's */
    /* The counts of this point so far, or under this index, are accounted for elsewhere and not
     * shown any more: its ledger begins anew. No frame of it may be in flight. */
    bool fresh;
    int device; /* its own TAP device, borrowed until point_remove; 0 or less: it has none */
    struct ledger *ledger; /* from a queue before the sink, which counts there too; else NULL */
};

/* The programs that read an output. */
struct sink_readers {
    uint32_t now;
    uint64_t refused; /* turned away so far, as there were too many */
};

struct sink;

struct sink_ops {
    const char *kind;         /* "file", "tap-device" */
    enum ledger_stage counts; /* the ledger's stage in which it counts frames */
    bool waits; /* write may wait: a queue has to stand before it (sink/queue/queue.h) */
    /* Before the point's first frame. -ENOSPC, -ENOMEM: refused, but open: its frames are counted,
     * the same call may be repeated, and point_remove is due. -EEXIST: the index is in use;
     * -EINVAL: it is too large. */
    int (*point_add)(struct sink *s, const struct point_offer *point, struct error *err);
    /* The point's figures so far (its tap's ledger), for sinks that keep them; copied. */
    void (*point_stats)(struct sink *s, uint32_t index, const struct ledger *figures);
    /* The tap went away, also that of a point that was refused. The index may be used again. */
    void (*point_remove)(struct sink *s, uint32_t index);
    /* Takes a batch without ever waiting. Frames of points that were not added are ignored. */
    void (*write)(struct sink *s, const struct batch *b);
    /* The source has nothing more now: what is buffered goes onwards. To be called again, at least
     * every second, while the source stays idle: a sink that is behind may decline at first. */
    void (*flush)(struct sink *s);
    /* Any thread. 0 while healthy; how many points are refused now, with a sentence; else -errno
     * with a sentence: -EPIPE, the reader is gone; -ENOSPC, the disk is full. A sink that failed
     * stays failed and counts its frames as dropped. */
    int (*check)(struct sink *s, struct error *err);
    /* Any thread: the largest MTU that a frame wanted in vain since the last call, 0: none did.
     * NULL: an output without one. */
    uint32_t (*missed_mtu)(struct sink *s);
    /* Any thread: who reads it. NULL: an output to which nobody connects. */
    void (*readers)(const struct sink *s, struct sink_readers *ret);
    /* Writes out what is buffered, within a bounded time, then the files' ends. Afterwards only
     * check(), sink_ledger() and free() may be called. 0, or the -errno that check() returns. */
    int (*finish)(struct sink *s, struct error *err);
    /* Frees the sink; without finish(), what was not written yet is dropped. Not NULL. */
    void (*free)(struct sink *s);
};

struct sink_ledgers; /* by observation point, see sink.c */

/* The head of every sink; only its implementation touches the rest. */
struct sink {
    const struct sink_ops *ops;
    char name[64];
    bool queued; /* a queue stands before it and has counted SINK_IN */
    struct sink_ledgers *ledgers;
};

/* The ledger of a point's frames here, or NULL for an index that never was added. The ledger
 * stays valid until the sink is freed; it belongs to the observation point (tap and interface), so
 * that it counts on when a tap comes back, and an index that goes to another tap shows the other's.
 * Any thread. */
struct ledger *sink_ledger(const struct sink *s, uint32_t index);

/* Adds the ledgers of all points up, those that are closed too. No thread may write to the sink. */
void sink_total(const struct sink *s, struct ledger *add);

static inline void sink_free(struct sink *s)
{
    if (s) {
        s->ops->free(s);
    }
}

DEFINE_FREEP(struct sink, sink_free)

/* For implementations: the head's own part. sink_init: 0 or -ENOMEM; sink_done frees what it and
 * sink_point_open made. */
int sink_init(struct sink *s, const struct sink_ops *ops, const char *name);
void sink_done(struct sink *s);

/* Counts a frame as given to the sink. */
static inline void sink_count_in(const struct sink *s, struct ledger *ledger)
{
    if (!s->queued) {
        ledger_add(ledger, LEDGER_SINK_IN, 1);
    }
}

/* Finds or makes the observation point's ledger and shows it under the point's index. Needs no
 * memory. -EINVAL: the index is too large; -EEXIST: it is in use, and not refused. */
int sink_point_open(struct sink *s, const struct point_offer *point, struct ledger **ret,
                    struct error *err);
/* The index is free again; its ledger can still be read. */
void sink_point_close(struct sink *s, uint32_t index);

/* A point that was opened has no room: it is refused until it is opened again or closed. */
void sink_point_refuse(struct sink *s, uint32_t index);
/* Counts a frame of a point that the implementation does not have, if that is because it was
 * refused. */
void sink_count_refused(const struct sink *s, uint32_t index);
/* For check(), any thread: how many points are refused here and by the sink behind it, with a
 * sentence when there are any. */
int sink_check_refused(const struct sink *s, int behind, struct error *err);

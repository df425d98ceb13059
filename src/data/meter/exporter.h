/* SPDX-License-Identifier: Apache-2.0
 *
 * Where a meter's records go: an ops table behind `struct exporter`. A meter (data/meter/meter.h)
 * may have several, and each gets every record. All functions are called by the meter's threads,
 * one at a time, but for finish(), which several exporters may be in.
 *
 * Every record given to record() is counted in the exporter's ledger, in its stage EXPORT:
 * EXPORT_IN at once, and EXPORT_OUT when it has really left, or a drop by reason.
 */
#pragma once

#include "base/error.h"
#include "base/ledger.h"
#include "base/time.h"
#include "proto/flowrec.h"

enum {
    EXPORTERS_MAX = 8,
};

struct exporter;

/* News that an exporter hears now and then, besides records. */
struct exporter_news {
    struct mono now;
    uint64_t ignored; /* IP packets so far that are in no flow, as they cannot be read, … */
    uint64_t ignored_octets; /* … and the bytes of their frames on the wire: theirs are unknown */
    bool live;               /* records are to leave soon, not in messages as full as they can be */
    bool last; /* the meter ends: some records more, then finish(), all within some seconds */
};

struct exporter_ops {
    const char *kind; /* "csv" */
    void (*record)(struct exporter *e, const struct flowrec *r);
    /* Several times a second while the meter runs, and once at its end. NULL: needs none. */
    void (*tick)(struct exporter *e, const struct exporter_news *news);
    /* Any thread: the meter is to end, and record() waits for nothing until the last tick. NULL: it
     * never waits, or for what nobody can call off. */
    void (*hurry)(struct exporter *e);
    /* Writes what is buffered, then the end of a file; only free() may be called afterwards. 0, or
     * -errno with a sentence: records are counted as dropped. */
    int (*finish)(struct exporter *e, struct error *err);
    void (*free)(struct exporter *e);
};

struct exporter {
    const struct exporter_ops *ops;
    char name[64];
    bool biflows; /* where both directions are to be told in one record, it takes them so */
    struct ledger ledger;
};

static inline void exporter_free(struct exporter *e)
{
    if (e) {
        e->ops->free(e);
    }
}

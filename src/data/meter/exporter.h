/* SPDX-License-Identifier: Apache-2.0
 *
 * Where a meter's records go: an ops table behind `struct exporter`. A meter (data/meter/meter.h)
 * may have several, and each gets every record. All functions are called by the meter's thread.
 *
 * Every record given to record() is counted in the exporter's ledger, in its stage EXPORT:
 * EXPORT_IN at once, and EXPORT_OUT when it has really left, or a drop by reason.
 */
#pragma once

#include "base/error.h"
#include "base/ledger.h"
#include "proto/flowrec.h"

enum {
    EXPORTERS_MAX = 8,
};

struct exporter;

struct exporter_ops {
    const char *kind; /* "csv" */
    void (*record)(struct exporter *e, const struct flowrec *r);
    /* Writes what is buffered, then the end of a file; only free() may be called afterwards. 0, or
     * -errno with a sentence: records are counted as dropped. */
    int (*finish)(struct exporter *e, struct error *err);
    void (*free)(struct exporter *e);
};

struct exporter {
    const struct exporter_ops *ops;
    char name[64];
    struct ledger ledger;
};

static inline void exporter_free(struct exporter *e)
{
    if (e) {
        e->ops->free(e);
    }
}

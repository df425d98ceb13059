/* SPDX-License-Identifier: Apache-2.0
 *
 * An observation point as the file has it, an interface of its section: file.c makes and describes
 * it, writer.c counts what is written of it, stats.c makes its statistics block.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/ledger.h"
#include "base/time.h"
#include "data/sink/file/form.h"

struct chunk_count; /* writer.h */

/* Members are the data thread's, but for what is atomic, constant, or said to be the writer
 * thread's; the writer reads the rest only after finishing. */
struct file_point {
    uint32_t ifid; /* its number in the section, once idb_written */
    uint32_t idb_len;
    uint8_t *idb;          /* its description, encoded */
    struct ledger *ledger; /* SINK_OUT, BYTES, NOSPACE, ERROR and CLOSED: the writer thread's */
    struct ledger figures; /* the tap's own, as last told; for the statistics */
    struct wall start;     /* when the section first knew it */
    uint64_t written;      /* frames in this file; the writer thread's */
    bool open;
    struct file_form form;
    struct file_point *ethernet; /* for frames that have no such form; NULL: all have */
    bool spare;                  /* it is such a one: described only when there is a frame */
    bool idb_written;            /* the description is in a chunk */
    bool isb_due;                /* statistics are not asked for yet */
    uint64_t lost; /* frames lost and dropped since the last one that went into a chunk */
    uint64_t seq;  /* the chunk that `count` belongs to */
    struct chunk_count *count;
};

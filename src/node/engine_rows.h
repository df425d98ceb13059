/* SPDX-License-Identifier: Apache-2.0
 *
 * The file of a capture of link counters: comma-separated values, a header and a row for each
 * period, the first at its start. Times are milliseconds since 1970. While the interface is not
 * there a row has its time and the state 0 alone.
 */
#pragma once

#include <stdint.h>

#include "base/error.h"
#include "proto/wanted.h"

enum {
    ENGINE_ROW = 320,           /* bytes at most */
    ENGINE_ROWS_LATE_MS = 5000, /* by which a row may be late; what is later is left out */
};

struct engine_rows {
    int fd; /* owned; -1: none */
    char ifname[WANTED_NAME];
    /* Rows are complete for [from, next); 0: there is none yet. */
    int64_t from_ns, next_ns, period_ns;
    uint64_t most_bytes;      /* 0: any */
    uint64_t length, written; /* bytes of the file; rows that this process has written */
    uint64_t found;           /* rows that were there before */
    uint64_t beyond;          /* rows that came when the file was as long as it may be */
    int error;                /* -errno that ended the writing */
};

/* Not open. */
void engine_rows_init(struct engine_rows *r);
/* Takes the file, which may have rows: one that is not whole is cut off. 0, or -errno with a
 * sentence: the descriptor stays the caller's. */
int engine_rows_open(struct engine_rows *r, int fd, const struct wanted *w, int64_t now_ns,
                     struct error *err);
void engine_rows_done(struct engine_rows *r);
/* Writes the rows whose time has come, before the stop; `counters`: a socket of sys/linkcount.h. */
void engine_rows_tick(struct engine_rows *r, int counters, int64_t now_ns, int64_t stop_ns);
/* The wall clock was set by so much. */
void engine_rows_shift(struct engine_rows *r, int64_t ns);

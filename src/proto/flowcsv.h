/* SPDX-License-Identifier: Apache-2.0
 *
 * Flow records as comma-separated values, in the form of nfdump 1.6 (-o csv): 48 columns, times in
 * milliseconds, six letters for TCP's flags, and at the end three lines with the sums. Programs
 * that read it take the columns by their names and leave out the last three lines. Columns that say
 * nothing of the packets (interfaces, routing, MAC addresses, latencies) are 0. Times are UTC, or
 * those of a zone that the caller knows. Pure.
 */
#pragma once

#include <stddef.h>

#include "proto/flowrec.h"

enum {
    FLOWCSV_ROW = 640, /* bytes that any line has at most, its end and a zero byte included */
};

/* Sums for the last lines. Zeros to begin with. */
struct flowcsv_sums {
    uint64_t flows, packets, bytes;
    int64_t first_ns, last_ns; /* of all packets, where there are flows */
};

/* A line each, with its end; returns its length. */
size_t flowcsv_head(char ret[FLOWCSV_ROW]);
/* Adds the record to *sums. */
size_t flowcsv_row(const struct flowrec *r, struct flowcsv_sums *sums, char ret[FLOWCSV_ROW]);
/* The same with times of a zone; `offset_ns`: how far its clocks are ahead of UTC at that moment.
 * NULL: UTC. */
typedef int64_t flowcsv_zone(int64_t ns);
size_t flowcsv_row_in(const struct flowrec *r, flowcsv_zone *offset_ns, struct flowcsv_sums *sums,
                      char ret[FLOWCSV_ROW]);
/* Three lines. */
size_t flowcsv_tail(const struct flowcsv_sums *sums, char ret[FLOWCSV_ROW]);

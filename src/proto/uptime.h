/* SPDX-License-Identifier: Apache-2.0
 *
 * The time of NetFlow's datagrams, in packet time: records have milliseconds since a base, the time
 * at which their exporter is to have started, in 32 bits, and a datagram's header says how long ago
 * that was. The base moves before the milliseconds would wrap, between two datagrams, so that all
 * records of one have the same. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/flowrec.h"

/* From a base to the latest time that records may have: 2^32 ms are 49.7 days. */
#define UPTIME_SPAN_MS (INT64_C(49) * 86400 * 1000)
/* From a base to the first record's beginning, as flows that began earlier end later. */
#define UPTIME_BEFORE_MS (INT64_C(86400) * 1000)

/* Zeros to begin with. */
struct uptime {
    int64_t base_ms; /* struct wall, a whole second */
    int64_t last_ms; /* the latest end of a record since then, >= base_ms */
    bool begun;
};

/* Whether the base is one for this record too. */
bool uptime_fits(const struct uptime *u, const struct flowrec *r);
/* The record counts for the header's time; where it does not fit, the base moves. */
void uptime_take(struct uptime *u, const struct flowrec *r);
/* A time of the record taken last in milliseconds since the base. A record that lasts longer than
 * UPTIME_SPAN_MS begins there later than it did. */
uint32_t uptime_of(const struct uptime *u, int64_t ns);

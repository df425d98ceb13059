/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests only: a meter, to which frames made by hand go, and an exporter that keeps its records.
 */
#pragma once

#include "base/batch.h"
#include "data/meter/meter.h"

enum {
    TESTING_RECORDS = 16,
    TESTING_ETHER = 14,
    TESTING_UDP = 42,
};

/* Keeps what it is given; of more than there is room for, the last. */
struct testing_keeper {
    struct exporter exporter;
    struct flowrec r[TESTING_RECORDS];
    unsigned n;
    struct exporter_news news; /* the last */
    bool *ret_freed;
};

struct testing {
    struct sink *s;
    struct testing_keeper *k, *both; /* takes a record a direction; and biflows */
    bool freed, both_freed;
    struct batch b;
    int64_t now_ns; /* of the next frame */
};

/* A meter of that kind, whose limits of time are 15 and 60 s, with the points 0, "eth0", of
 * Ethernet, and 5, "tun0", of raw IP. */
void testing_begin(struct testing *w, struct meter_sink_conf conf);
/* All flows end. */
void testing_end(struct testing *w);
void testing_done(struct testing *w);

/* UDP from 10.0.0.1 to 10.0.0.2, or back, in Ethernet; `frag`: IPv4's flags and offset. */
void testing_udp(uint8_t d[TESTING_UDP], bool back, uint8_t proto, uint16_t frag);
/* Puts a frame into the batch, which is the meter's by testing_pass(). */
struct frame *testing_add(struct testing *w, const uint8_t *data, uint32_t len, uint32_t point);
void testing_pass(struct testing *w);

uint64_t testing_count(const struct testing *w, uint32_t point, enum ledger_id id);

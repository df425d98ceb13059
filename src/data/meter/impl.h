/* SPDX-License-Identifier: Apache-2.0
 *
 * The meter for its files: meter.c is the sink, with its points, their times and the exporters'
 * ticks; it gives batches to frames.c, which makes packets of flows out of frames, and flows that
 * leave to records.c, which tells the exporters.
 */
#pragma once

#include <pthread.h>

#include "data/meter/meter.h"
#include "model/flows.h"
#include "model/fragments.h"
#include "model/outers.h"
#include "proto/packet.h"
#include "sys/crypto/kdf.h"

enum {
    METER_NAME = 2 * POINT_NAME_MAX + 2, /* of a point, with its end */
};

#define METER_LABELLED UINT32_C(0x80000000) /* it is a label, also label 0 */

/* Counters of the stage METER, or of SINK for an output among others. */
struct meter_counts {
    enum ledger_id in, not_ip, bad_ip, out;
};

/* An observation point. */
struct meter_point {
    char name[METER_NAME];
    uint16_t linktype;
    bool is;                    /* frames of it count */
    bool known;                 /* it has a place among those whose time moves */
    uint64_t tap;               /* by points: the number of its tap */
    int64_t newest_ns;          /* time of the newest of its frames */
    int64_t read_ns;            /* by reads: up to where all are written */
    struct mono arrived, heard; /* by points: when the newest came, and when it was heard of */
};

struct meter {
    struct sink sink;
    const struct meter_counts *counts;
    pthread_mutex_t lock; /* over all that follows */
    struct meter_sink_conf conf;
    struct flows *flows;
    struct fragments fragments;
    struct outers *outers;
    uint8_t key[KEYED_HASH_KEY_LEN];
    struct meter_point at[POINT_MAX]; /* by index */
    uint16_t known[POINT_MAX];        /* indices, … */
    unsigned n_known;                 /* … so many */
    struct mono ticked;
    uint64_t bad_octets; /* on the wire, of frames that count as bad_ip */
    /* The packets of the batch under way. */
    struct flows_packet packet[BATCH_MAX];
    struct outer outer[BATCH_MAX]; /* around each, in the order of its key's ends */
    unsigned n;
};

/* Takes a batch into the flow table. */
void meter_take_batch(struct meter *m, const struct batch *b);

/* A record of packets of that point, made elsewhere, goes to the exporters. */
void meter_give(const struct meter *m, uint32_t point, const struct flowrec *from);
/* The exporter gets records of all flows, which stay. */
void meter_show(const struct meter *m, struct exporter *to);
/* A record leaves (struct flows_conf). `user` is the meter. */
void meter_tell(void *user, const struct flows_entry *e, enum flows_end why);

/* SPDX-License-Identifier: Apache-2.0
 *
 * An exporter of records to Kafka, as JSON (proto/flowtext.h), keyed by the Community ID, so that a
 * flow's records come to one partition and in their order. They go to the process of sys/kafka.h,
 * which tells how many were delivered; none counts as EXPORT_OUT before.
 *
 * A record counts as EXPORT_SLOW where that process takes no more, or its queue is full; as
 * EXPORT_AWAY where no broker could be reached in time, or by the end; as EXPORT_REFUSED where a
 * broker refused it.
 */
#pragma once

#include "data/meter/exporter.h"

struct kafka_exporter_conf {
    int fd;           /* of kafka_start(), owned from now on */
    const char *name; /* for people: "broker1:9092/flows" */
    bool waits;       /* where the process takes no more the meter waits: it reads a file */
};

/* -ENOMEM: the descriptor stays the caller's. */
int kafka_exporter_new(const struct kafka_exporter_conf *conf, struct exporter **ret);

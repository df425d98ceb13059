/* SPDX-License-Identifier: Apache-2.0
 *
 * A meter's capture (node/capture.h): its frames go into the flow table that all captures of the
 * meter share, as those of an observation point.
 */
#pragma once

#include "data/sink.h"
#include "node/capture.h"
#include "sys/loop.h"

struct meter_capture_conf {
    uint32_t point;                  /* the index of the observation point, which the meter has */
    const char *name;                /* of the interface, for the thread's name */
    const struct wake *control;      /* signalled when something was published that cannot wait */
    struct sink *meter;              /* borrowed (data/meter/meter.h, live) */
    const struct stage_list *stages; /* that frames pass; borrowed */
};

/* Starts the thread, without a ring. */
int meter_capture_start(const struct meter_capture_conf *conf, struct capture **ret,
                        struct error *err);

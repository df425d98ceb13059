/* SPDX-License-Identifier: Apache-2.0
 *
 * The part that meters of a file (node/meter_file.h) and of interfaces (node/meter_live.h) have
 * alike: the sink with the flow table and its exporters, and how they are told of.
 */
#pragma once

#include <jansson.h>

#include "data/meter/meter.h"
#include "node/exports.h"

struct meter_conf {
    struct exports_conf exports;
    uint32_t idle_ms, active_ms; /* 0: never */
    uint32_t flows;
    bool inner; /* in tunnels it is the innermost packet that counts */
    bool scale; /* frames count for those, too, for which they stand */
};

struct meter {
    struct sink *sink;                        /* the holder's of this structure to free */
    struct exporter *exporter[EXPORTERS_MAX]; /* the sink's */
    unsigned n_exporters;
    struct mono asked[EXPORT_LIST_MAX]; /* for connections to collectors */
};

/* Takes over what was opened, as far as it is used. */
int meter_make(const struct meter_conf *conf, struct exports_opened *opened, enum meter_time time,
               struct meter *ret, struct error *err);
/* The control thread, several times a second: connections that are broken are asked for again. */
void meter_tend(struct meter *m, const struct meter_conf *conf, export_request *request,
                struct broker *b, struct mono now);
/* Adds the figures of the flow table and the exporters to a document (node/report.h). */
void meter_report(const struct meter *m, json_t *o);

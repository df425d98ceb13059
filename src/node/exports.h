/* SPDX-License-Identifier: Apache-2.0
 *
 * Where a meter's records go (data/meter/exporter.h), as the command line has it: what is written
 * is opened as long as privileges are there, the exporters are made in the engine.
 */
#pragma once

#include <jansson.h>

#include "base/error.h"
#include "data/meter/lines.h"
#include "node/export_grants.h"
#include "sys/kafka.h"

/* The forms of records in files. */
enum export_form {
    EXPORT_CSV = LINES_CSV,
    EXPORT_CSV_LONG = LINES_CSV_LONG,
    EXPORT_JSON = LINES_JSON,
    EXPORT_IPFIX = LINES_FORMS,
    EXPORT_FORMS
};

struct exports_conf {
    /* Where records are written to in each form; "-": standard output; NULL: nowhere. */
    const char *file[EXPORT_FORMS];
    struct export_list net; /* collectors that they are sent to */
    bool has_kafka;
    struct kafka_conf kafka; /* where has_kafka */
    bool tunnels;            /* records tell of tunnels */
    bool biflow; /* one record for both directions, in the forms that have a place for it */
    bool ns;     /* IPFIX has times in nanoseconds too */
};

/* Descriptors; -1: none. */
struct exports_opened {
    int file[EXPORT_FORMS];
    int net[EXPORT_LIST_MAX];
    int kafka;
    pid_t kafka_pid; /* of the process behind that; 0: none */
};

/* Nothing is open. */
#define EXPORTS_NOT_OPENED                                                                         \
    {                                                                                              \
        .file = {-1, -1, -1, -1}, .net = {-1, -1, -1, -1, -1, -1, -1, -1}, .kafka = -1             \
    }

/* By the process that has called exports_open, at its end and once the engine has ended: waits for
 * what was started, which takes some seconds at most. */
void exports_over(const struct exports_opened *o);
/* How many exporters there will be. */
unsigned exports_count(const struct exports_conf *conf);
/* With the caller's privileges. No file is overwritten. -errno with a sentence: what was made is
 * removed again. */
int exports_open(const struct exports_conf *conf, struct exports_opened *ret, struct error *err);
/* Removes the files that were made and will not be written. */
void exports_remove(const struct exports_conf *conf, const struct exports_opened *o);
/* Closes what exports_make has not taken. */
void exports_opened_done(struct exports_opened *o);

/* The exporters, of EXPORTERS_MAX at most, which take the descriptors over. `each`: every
 * observation point is a domain of its own. `live`: nothing is waited for. -errno: there are
 * none. */
int exports_make(const struct exports_conf *conf, struct exports_opened *o, bool each, bool live,
                 struct exporter *ret[EXPORTERS_MAX], unsigned *ret_n);

/* The control thread, now and then: connections that are broken are asked for again, each at most
 * once a second. `asked`: when that was; zeros to begin with. `x`: as exports_make() gave them. */
void exports_tend(const struct exports_conf *conf, struct exporter *const x[], unsigned n,
                  struct mono asked[EXPORT_LIST_MAX], export_request *request, struct broker *b,
                  struct mono now);

/* Each exporter's records, for a document (node/report.h). */
json_t *exports_document(struct exporter *const x[], unsigned n);

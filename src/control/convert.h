/* SPDX-License-Identifier: Apache-2.0
 *
 * A capture's file in another form, made as it is sent: flows in IPFIX messages (RFC 5655) as lines
 * of text, rows of counters as JSON, pcapng as pcap. What is held of it at a time is bounded: a
 * message, a row or a block, and what came of it. The file comes from the data role, and nothing of
 * it is believed.
 */
#pragma once

#include "base/error.h"
#include "proto/flowcsv.h"
#include "sys/http.h"

enum convert_to {
    CONVERT_FLOWS_CSV,  /* nfdump's columns, a line each direction */
    CONVERT_FLOWS_LONG, /* all fields, a line for both directions */
    CONVERT_FLOWS_JSON, /* the same, an object of JSON a line */
    CONVERT_ROWS_JSON,  /* rows of CSV with names above them, an object of JSON a line */
    CONVERT_PCAP,
};

struct convert_conf {
    enum convert_to to;
    flowcsv_zone *offset_ns; /* of CONVERT_FLOWS_CSV: of local time; NULL: UTC */
    bool torn;               /* the bytes end anywhere, as those of a file that grows: no damage */
};

/* A body of the form over one that gives the file's bytes, which it takes. Its first part is made
 * at once, so that a file that has no such form is told here: -EBADMSG: it is damaged; -ENOTSUP: it
 * has interfaces of several link types, which no pcap has; -ENOMEM. `source` stays the caller's
 * then. Damage that shows later cuts the answer. */
int convert_open(const struct http_body *source, const struct convert_conf *conf,
                 struct http_body *ret, struct error *err);

/* SPDX-License-Identifier: Apache-2.0
 *
 * A meter of a capture file: a pipeline from the file (data/source/file.h) to the flow table
 * (data/meter/meter.h) on a data thread of its own, until the file ends. A command (cmd/meter.c)
 * opens the files before it gives up its privileges, and runs it.
 */
#pragma once

#include <jansson.h>

#include "base/error.h"
#include "data/stage_list.h"
#include "node/meter.h"
#include "sys/filter.h"
#include "sys/loop.h"

struct meter_file_conf {
    const char *file; /* that is read; "-": standard input */
    struct meter_conf meter;
    const struct stage_list *stages; /* that frames pass; borrowed */
    const char *filter; /* pcap-filter(7) expression of the frames that count; NULL: all do */
};

enum {
    METER_LINKS = 16, /* link types that a filter is compiled for */
};

/* The filter as it is for frames of a link type. */
struct meter_file_filter {
    uint16_t linktype;
    struct filter_prog prog; /* without instructions: it cannot be, and `why` says why not */
    struct error why;
};

/* Descriptors, -1: none; filters. */
struct meter_file_opened {
    int file;
    struct exports_opened exports;
    struct meter_file_filter filter[METER_LINKS];
    unsigned n_filters;
};

struct meter_file;

/* All is borrowed but the descriptors, which are taken over. */
struct meter_file_around {
    const struct meter_file_conf *conf;
    struct meter_file_opened *opened;
    struct loop *loop;
    struct broker *broker; /* serves meter_file_requests */
    /* The file was read to its end, or to where it cannot be read. */
    void (*over)(void *user);
    void *user;
};

/* With the caller's privileges: compiles the filter and opens what is read and written. No file is
 * overwritten. -EINVAL: the filter is none, and nothing was opened; else -errno with a sentence,
 * and what was opened is still to be closed. */
int meter_file_open(const struct meter_file_conf *conf, struct meter_file_opened *ret,
                    struct error *err);
void meter_file_opened_done(struct meter_file_opened *o);

/* Begins. */
int meter_file_new(const struct meter_file_around *around, struct meter_file **ret,
                   struct error *err);
/* Ends it, and has all records written: 0, or -errno with a sentence where the file was not whole
 * or something could not be written. */
int meter_file_stop(struct meter_file *m, struct error *err);
/* After meter_file_stop(): the ledger as a document (node/report.h). */
json_t *meter_file_document(const struct meter_file *m);
/* Takes NULL. */
void meter_file_free(struct meter_file *m);

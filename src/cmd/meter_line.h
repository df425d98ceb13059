/* SPDX-License-Identifier: Apache-2.0
 *
 * The command line of `farspan meter`: meter_rows.c, meter_rows_live.c and
 * meter_rows_net.c have its options, meter_file.c and meter_live.c what runs by it.
 */
#pragma once

#include "base/conf.h"
#include "cmd/meter_rows.h"
#include "data/stage_list.h"
#include "node/meter.h"
#include "node/selection.h"
#include "proto/link.h"

/* One of so many packets, or the packets of one of so many flows; 0: all. */
struct meter_sample {
    uint32_t n;
    bool flow;
};

struct meter_line {
    struct meter_conf conf;
    const char *file;             /* -r; NULL: interfaces are metered */
    struct selection select;      /* -i, and which of their frames */
    char name[LINK_NAME_MAX + 1]; /* for `farspan status` */
    struct meter_sample sample;   /* --sample, … */
    struct stage_list stages;     /* … as the stage that frames pass */
    const char *user;
    bool ledger;
    const char *filter; /* -f, or the words behind the options; NULL: none */
    char *words;        /* the latter, owned */
};

extern const struct conf_group meter_input_group;

/* Runs by it to the end, and tells how it went. An exit status. */
int meter_run_file(const struct meter_line *l);
int meter_run_live(struct meter_line *l);

/* SPDX-License-Identifier: Apache-2.0
 *
 * The ledger as a document: the running programs make it (JSON), `farspan status` shows it to
 * people (cmd/print.h). One document for all uses, so that a table never says something else than
 * --json does.
 */
#pragma once

#include <jansson.h>

#include "base/ledger.h"
#include "data/link/dial/dialer.h"
#include "data/link/listen/listener.h"
#include "model/idle.h"
#include "node/capture.h"
#include "node/describe.h"
#include "node/limiter.h"

/* {"in":…,"out":…,"drops":{…},"in_flight":…, further figures}. NULL: no memory. */
json_t *report_stage(const struct ledger *l, const struct ledger_way *way, enum ledger_stage stage);

struct report_tap_interface {
    const char *name, *state;
    uint16_t stream;
    const struct capture *capture;
    const struct idle *idle; /* NULL: it is not watched */
};

/* Interfaces that are gone for good, and what they had counted. */
struct report_gone {
    unsigned n;
    struct ledger ledger;
    struct dialer_stream_status said;
};

struct report_tap_parts {
    const char *name;
    const struct dialer *dialer;
    struct budget *budget;         /* NULL: there is no rate */
    const struct limiter *limiter; /* NULL: nothing is limited */
    const struct report_tap_interface *interfaces;
    unsigned n;
    const struct report_gone *gone;
    const struct history *history;
};

json_t *report_tap(const struct report_tap_parts *t);
json_t *report_collector(const char *name, const struct listener *s,
                         const struct describe_list *describe, struct sink *const *outputs,
                         unsigned n_outputs);

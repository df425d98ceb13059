/* SPDX-License-Identifier: Apache-2.0
 *
 * The members that a tap's document (report_tap.c) and a collector's (report_collector.c) both
 * have. Missing memory leaves a member out; jansson's setters take NULL for that.
 */
#pragma once

#include <jansson.h>
#include <stdint.h>

#include "base/history.h"
#include "base/ledger.h"
#include "base/time.h"
#include "data/link/dial/dialer.h"
#include "data/sink.h"

void report_set_int(json_t *o, const char *key, int64_t v);
/* A text of any bytes, cleaned; NULL: null. */
void report_set_str(json_t *o, const char *key, const char *v);
/* "rtt_us" and "clock_offset_us", where they are known. */
void report_set_clock(json_t *o, int64_t rtt_ns, int64_t offset_ns);
/* Puts "history", a list of events, and "history_missed", how many are not known, into `o`. */
void report_set_history(json_t *o, const struct history *h);

/* A document with its role, name and version. */
json_t *report_head(const char *role, const char *name);
/* The stages of a tap, from the ring to the link. `said`: the collector's word about them, which is
 * no count of the data thread's; NULL at the collector, whose own figures are better. */
json_t *report_tap_stages(const struct ledger *l, const struct ledger_way *way,
                          const struct dialer_stream_status *said);
/* Puts "outputs" into `o`: the counts of each that has a ledger. */
void report_set_outputs(json_t *o, struct sink *const outputs[], unsigned n,
                        const struct ledger *const ledger[]);
/* The stages on the way, in its order. */
json_t *report_stages(const struct ledger *l, const struct ledger_way *way);

static inline int64_t report_seconds_since(struct mono t)
{
    return t.ns ? mono_diff(mono_now(), t) / NSEC_PER_SEC : 0;
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * The options of `farspan collector` about taps as a whole: their clocks, and what is told of them.
 */
#include "cmd/collector_line.h"
#include "cmd/tables.h"

enum {
    LOG_MS_MAX = 7 * 24 * 3600 * 1000,
};

static const struct conf_row collector_view_rows[] = {
    {0, "align", NULL, "give frames times of the collector's clock, not of each tap's own",
     CONF_FLAG_AT(struct collector_line, conf.align),
     .manual = "Correct the timestamps of all taps to the clock of the collector's host, for all\n"
               "outputs. How far each tap's clock is ahead is measured all the time, over the\n"
               "link itself, with a bound that holds however lopsided the path is; see\n"
               "*farspan-status*(1). Within an interface no time is earlier than the one\n"
               "before: where a correction would have it so, time stands still. Nor is one\n"
               "later than the frame came. Where the collector's own clock is set back, times\n"
               "go back with it. Frames that come before the first measurement, a second or\n"
               "two after a tap's start, keep their tap's own times. In a file the comment of\n"
               "a packet says what was taken off and its bound from there on: of the first\n"
               "corrected one of an interface, where that has moved by more than the bound\n"
               "that was told, where the bound is another by a factor of two, and after a\n"
               "jump; at most every 10 seconds but for that. With *--order* the frames of all\n"
               "taps are merged by one clock. Frames that waited in a tap's backlog are\n"
               "corrected as the clock is when they come."},
    {0, "log-interval", "TIME", "a line of the log for each tap, every so often, such as 600s",
     CONF_MS_AT(struct collector_line, conf.log_ms), .min = 1000, .max = LOG_MS_MAX,
     .flags = CONF_LIVE,
     .manual = "Write a line for each tap to the log each _TIME_, such as _600s_: what\n"
               "*farspan-status*(1) tells of a tap as a whole, as _key=value_, always in the\n"
               "same order: _tap_, _description_, _address_, _state_, _last_seen_,\n"
               "_frames_sent_, _frames_received_, _frames_missing_, _frames_missing_most_,\n"
               "the same four of _bytes_, _rtt_us_, _clock_offset_ns_, _clock_bound_ns_,\n"
               "_clock_drift_ppm_, _clock_drift_bound_ppm_, _clock_jumps_, _rung_,\n"
               "_breaches_, _restarts_. What is not known is left out. A value with blanks has\n"
               "quotation marks around it, and a backslash before those within it. Frames that\n"
               "come without a tap have a line for each sender's tunnel: _sender_, _tunnel_,\n"
               "_description_, _heard_seconds_, _frames_received_, _bytes_received_, and of an\n"
               "ivTAP client _ivtap_ (its state), _latency_ms_, _bytes_sent_, _bytes_missing_,\n"
               "_bytes_missing_most_."},
};

const struct conf_group collector_view_group = {"Taps as a whole:", collector_view_rows,
                                                ARRAY_SIZE(collector_view_rows)};

/* ---- [describe] ---- */

static int add_description(void *line, const char *name, const char *value, struct error *err)
{
    struct collector_line *l = line;
    return describe_add(&l->conf.describe, name, value, err);
}

const struct conf_table describe_table = {
    .name = "describe", .own = add_description, .of = &collector_table};

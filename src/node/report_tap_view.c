/* SPDX-License-Identifier: Apache-2.0 */
#include "node/report_tap_view.h"

#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "node/document.h"

/* To a thousandth: more digits say nothing. */
static double rounded(double v)
{
    return (double)(int64_t)(v * 1000 + (v < 0 ? -0.5 : 0.5)) / 1000;
}

static int64_t last_seen(const struct listener_peer *tap)
{
    const struct time_pair now = time_pair();
    return now.wall.ns - mono_diff(now.mono, tap->heard);
}

static void set_traffic(json_t *o, const struct listener_traffic *t)
{
    document_set(o, "frames_sent", t->frames_sent);
    document_set(o, "frames_received", t->frames_received);
    document_set(o, "frames_missing", t->frames_missing);
    document_set(o, "frames_missing_most", t->frames_missing_most);
    document_set(o, "bytes_sent", t->bytes_sent);
    document_set(o, "bytes_received", t->bytes_received);
    if (t->bytes_known) {
        document_set(o, "bytes_missing", t->bytes_missing);
        document_set(o, "bytes_missing_most", t->bytes_missing_most);
    }
    document_set(o, "restarts", t->restarts);
}

void report_tap_view(json_t *o, const struct listener_peer *tap, const char *described)
{
    if (described) {
        report_set_str(o, "description", described);
    }
    report_set_str(o, "condition", listener_state_word(tap->state));
    report_set_int(o, "last_seen_ns", last_seen(tap));
    set_traffic(o, &tap->traffic);
    if (tap->rung[0]) {
        report_set_str(o, "rung", tap->rung);
    }
    document_set(o, "breaches", tap->breaches);
    if (tap->has_clock) {
        report_set_int(o, "clock_offset_ns", tap->clock.offset);
        report_set_int(o, "clock_bound_ns", tap->clock.bound);
    }
    if (tap->has_clock && tap->clock.drifts) {
        (void)json_object_set_new(o, "clock_drift_ppm", json_real(rounded(tap->clock.drift)));
        (void)json_object_set_new(o, "clock_drift_bound_ppm",
                                  json_real(rounded(tap->clock.drift_bound)));
    }
    document_set(o, "clock_jumps", tap->clock_jumps);
    (void)json_object_set_new(o, "aligned", json_boolean(tap->aligned));
}

/* ---- a line of the log ---- */

void report_put_text(FILE *to, const char *key, const char *text)
{
    const bool plain = text[0] && !strpbrk(text, " \"\\=");
    fprintf(to, " %s=%s", key, plain ? text : "\"");
    for (const char *p = plain ? "" : text; *p; p++) {
        fprintf(to, "%s%c", *p == '"' || *p == '\\' ? "\\" : "", *p);
    }
    fputs(plain ? "" : "\"", to);
}

void report_put(FILE *to, const char *key, int64_t v)
{
    fprintf(to, " %s=%" PRId64, key, v);
}

static void put(FILE *to, const char *key, uint64_t v)
{
    fprintf(to, " %s=%" PRIu64, key, v);
}

static void put_traffic(FILE *to, const struct listener_traffic *t)
{
    put(to, "frames_sent", t->frames_sent);
    put(to, "frames_received", t->frames_received);
    put(to, "frames_missing", t->frames_missing);
    put(to, "frames_missing_most", t->frames_missing_most);
    put(to, "bytes_sent", t->bytes_sent);
    put(to, "bytes_received", t->bytes_received);
    if (t->bytes_known) {
        put(to, "bytes_missing", t->bytes_missing);
        put(to, "bytes_missing_most", t->bytes_missing_most);
    }
}

static void put_clock(FILE *to, const struct listener_peer *tap)
{
    if (tap->rtt_ns > 0) {
        fprintf(to, " rtt_us=%" PRId64, tap->rtt_ns / 1000);
    }
    if (tap->has_clock) {
        fprintf(to, " clock_offset_ns=%" PRId64 " clock_bound_ns=%" PRId64, tap->clock.offset,
                tap->clock.bound);
    }
    if (tap->has_clock && tap->clock.drifts) {
        fprintf(to, " clock_drift_ppm=%.3f clock_drift_bound_ppm=%.3f", tap->clock.drift,
                tap->clock.drift_bound);
    }
    put(to, "clock_jumps", tap->clock_jumps);
}

void report_tap_line(const struct listener_peer *tap, const char *described, char ret[TAP_LINE_MAX])
{
    char when[40] = "";
    const time_t seen = (time_t)(last_seen(tap) / NSEC_PER_SEC);
    struct tm tm;
    if (gmtime_r(&seen, &tm)) {
        strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
    }
    ret[0] = '\0';
    FILE *to = fmemopen(ret, TAP_LINE_MAX, "w");
    if (!to) {
        return;
    }
    fprintf(to, "tap=%s", tap->name);
    if (described) {
        report_put_text(to, "description", described);
    }
    report_put_text(to, "address", tap->address);
    report_put_text(to, "state", listener_state_word(tap->state));
    report_put_text(to, "last_seen", when);
    put_traffic(to, &tap->traffic);
    put_clock(to, tap);
    if (tap->rung[0]) {
        report_put_text(to, "rung", tap->rung);
    }
    put(to, "breaches", tap->breaches);
    put(to, "restarts", tap->traffic.restarts);
    fclose(to);
}

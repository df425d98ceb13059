/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/print_parts.h"

#include <inttypes.h>
#include <string.h>

#include "base/ledger.h"
#include "base/time.h"

enum {
    PRINT_EVENTS = 10,
};

/* The words for a number, from the table that counts it. */
static const char *row_words(const char *stage, enum ledger_kind kind, const char *key)
{
    for (unsigned i = 0; i < LEDGER_COUNT; i++) {
        const struct ledger_info *info = ledger_info((enum ledger_id)i);
        if (info->kind == kind && strcmp(info->key, key) == 0 &&
            strcmp(ledger_stage_name(info->stage), stage) == 0) {
            return info->words;
        }
    }
    return key;
}

void print_stage(FILE *to, const char *label, const char *stage, const json_t *o)
{
    const char *key;
    json_t *v;
    if (!o) {
        return;
    }
    int64_t flight = signed_num(o, "in_flight");
    fprintf(to, "  %-22s %14" PRIu64 " in %14" PRIu64 " out", label, num(o, "in"), num(o, "out"));
    if (num(o, "made") != 0) {
        fprintf(to, "  %" PRIu64 " %s", num(o, "made"), row_words(stage, LEDGER_MADE, "made"));
    }
    if (flight != 0) {
        fprintf(to, "  %" PRId64 " in flight", flight);
    }
    fputc('\n', to);
    json_object_foreach(json_object_get(o, "drops"), key, v)
    {
        if (document_value(v) != 0) {
            fprintf(to, "  %-22s %14" PRIu64 " dropped: %s\n", "", document_value(v),
                    row_words(stage, LEDGER_DROP, key));
        }
    }
}

/* Those that came in place of frames. */
static void print_flow_records(FILE *to, const json_t *rx)
{
    if (num(rx, "flow_messages") != 0) {
        fprintf(to, "  %-22s %14" PRIu64 " of %" PRIu64 " packets, in %" PRIu64 " messages\n",
                "flow records", num(rx, "flow_records"), num(rx, "flow_packets"),
                num(rx, "flow_messages"));
    }
}

/* Frames that were cut to fit, or missed by one of several readers, or not put in order. */
static void print_figures(FILE *to, const json_t *out)
{
    for (unsigned i = LEDGER_SINK_CUT; i <= LEDGER_SINK_EARLY; i++) {
        const struct ledger_info *info = ledger_info((enum ledger_id)i);
        if (num(out, info->key) != 0) {
            fprintf(to, "  %-22s %14" PRIu64 " %s\n", "", num(out, info->key), info->words);
        }
    }
}

void print_output(FILE *to, const json_t *out)
{
    char label[80];
    snprintf(label, sizeof(label), "output %s", str(out, "name"));
    print_stage(to, label, "sink", out);
    print_figures(to, out);
}

static void print_backlog(FILE *to, const json_t *tx)
{
    if (num(tx, "backlogged") != 0) {
        fprintf(to, "  %-22s %14" PRIu64 " had to wait", "backlog", num(tx, "backlogged"));
        if (num(tx, "backlog_bytes") != 0) {
            fprintf(to, ", %.1f MB wait now", (double)num(tx, "backlog_bytes") / 1e6);
        }
        fputc('\n', to);
    }
}

static void print_unconfirmed(FILE *to, const json_t *tx)
{
    const struct ledger_info *info = ledger_info(LEDGER_TX_UNCONFIRMED);
    if (num(tx, info->key) != 0) {
        fprintf(to, "  %-22s %14" PRId64 " %s\n", "", num(tx, info->key), info->words);
    }
}

void print_stages(FILE *to, const json_t *stages)
{
    const char *name;
    const json_t *v;
    json_object_foreach((json_t *)stages, name, v)
    {
        if (strcmp(name, "cut") != 0 || num(v, "made") != 0) {
            print_stage(to, ledger_stage_words(name), name, v);
        }
    }
    print_flow_records(to, json_object_get(stages, "link_rx"));
}

void print_tap_stages(FILE *to, const json_t *stages)
{
    print_stages(to, stages);
    print_backlog(to, json_object_get(stages, "link_tx"));
    print_unconfirmed(to, json_object_get(stages, "link_tx"));
}

void print_clock(FILE *to, const json_t *o)
{
    if (json_object_get(o, "rtt_us")) {
        fprintf(to, ", round trip %.3f ms, its clock %+.3f ms",
                (double)signed_num(o, "rtt_us") / 1e3,
                (double)signed_num(o, "clock_offset_us") / 1e3);
    }
}

void print_history(const json_t *doc, FILE *to)
{
    const json_t *list = json_object_get(doc, "history");
    size_t n = json_array_size(list);
    for (size_t i = n > PRINT_EVENTS ? n - PRINT_EVENTS : 0; i < n; i++) {
        const json_t *e = json_array_get(list, i);
        char when[32] = "";
        struct tm tm;
        time_t t = (time_t)(signed_num(e, "time_ns") / NSEC_PER_SEC);
        if (localtime_r(&t, &tm)) {
            strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &tm);
        }
        fprintf(to, "  %s  %s: %s\n", when, str(e, "subject"), str(e, "words"));
    }
}

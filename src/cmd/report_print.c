/* SPDX-License-Identifier: Apache-2.0
 *
 * The ledger's document as people read it: a line a stage, what came in, what went on, and each
 * drop that happened by its reason.
 */
#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/time.h"
#include "cmd/document.h"
#include "cmd/report.h"

enum {
    PRINT_EVENTS = 10,
};

static uint64_t num(const json_t *o, const char *key)
{
    return document_value(json_object_get(o, key));
}

static int64_t signed_num(const json_t *o, const char *key)
{
    return json_integer_value(json_object_get(o, key));
}

static const char *str(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    return s ? s : "";
}

/* The words for a drop, from the table that counts it. */
static const char *drop_words(const char *stage, const char *key)
{
    for (unsigned i = 0; i < LEDGER_COUNT; i++) {
        const struct ledger_info *info = ledger_info((enum ledger_id)i);
        if (info->kind == LEDGER_DROP && strcmp(info->key, key) == 0 &&
            strcmp(ledger_stage_name(info->stage), stage) == 0) {
            return info->words;
        }
    }
    return key;
}

static void print_stage(FILE *to, const char *label, const char *stage, const json_t *o)
{
    const char *key;
    json_t *v;
    if (!o) {
        return;
    }
    int64_t flight = signed_num(o, "in_flight");
    fprintf(to, "  %-22s %14" PRIu64 " in %14" PRIu64 " out", label, num(o, "in"), num(o, "out"));
    if (num(o, "made") != 0) {
        fprintf(to, "  %" PRIu64 " made by cutting super-packets", num(o, "made"));
    }
    if (flight != 0) {
        fprintf(to, "  %" PRId64 " in flight", flight);
    }
    fputc('\n', to);
    json_object_foreach(json_object_get(o, "drops"), key, v)
    {
        if (document_value(v) != 0) {
            fprintf(to, "  %-22s %14" PRIu64 " dropped: %s\n", "", document_value(v),
                    drop_words(stage, key));
        }
    }
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

static void print_tap_stages(FILE *to, const json_t *stages)
{
    print_stage(to, "kernel ring", "ring", json_object_get(stages, "ring"));
    print_stage(to, "selection", "select", json_object_get(stages, "select"));
    if (num(json_object_get(stages, "cut"), "made") != 0) {
        print_stage(to, "cutting", "cut", json_object_get(stages, "cut"));
    }
    print_stage(to, "link, sent", "link_tx", json_object_get(stages, "link_tx"));
    print_backlog(to, json_object_get(stages, "link_tx"));
    print_unconfirmed(to, json_object_get(stages, "link_tx"));
}

static void print_clock(FILE *to, const json_t *o)
{
    if (json_object_get(o, "rtt_us")) {
        fprintf(to, ", round trip %.3f ms, its clock %+.3f ms",
                (double)signed_num(o, "rtt_us") / 1e3,
                (double)signed_num(o, "clock_offset_us") / 1e3);
    }
}

static void print_path(FILE *to, const json_t *s)
{
    const char *state = str(s, "path_mtu_state");
    if (strcmp(state, "too small") == 0) {
        fprintf(to, ", PATH MTU BELOW %" PRIu64, num(s, "path_mtu"));
    } else {
        fprintf(to, ", path MTU %" PRIu64 "%s", num(s, "path_mtu"),
                strcmp(state, "being found out") == 0 ? " or more" : "");
    }
}

/* The last of them; all that are kept are in --json. */
static void print_history(const json_t *doc, FILE *to)
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

static void print_tap(const json_t *doc, FILE *to)
{
    const json_t *s = json_object_get(doc, "session");
    size_t i;
    json_t *o;
    fprintf(to, "tap %s: %s", str(doc, "name"), str(s, "state"));
    if (strcmp(str(s, "state"), "up") == 0) {
        const char *cipher = str(s, "cipher");
        fprintf(to, " with %s for %" PRIu64 " s, %s", str(s, "collector"), num(s, "seconds"),
                strcmp(cipher, "none") == 0 ? "NOT ENCRYPTED" : cipher);
        print_path(to, s);
        print_clock(to, s);
    }
    fputc('\n', to);
    json_array_foreach(json_object_get(doc, "interfaces"), i, o)
    {
        const json_t *stages = json_object_get(o, "stages");
        const json_t *sent = json_object_get(stages, "link_tx");
        bool up = strcmp(str(o, "state"), "up") == 0 || str(o, "state")[0] == '\0';
        fprintf(to, up ? " %s\n" : " %s: %s\n", str(o, "name"), str(o, "state"));
        print_tap_stages(to, stages);
        fprintf(to, "  %-22s %14" PRIu64 " received %8" PRIu64 " lost\n", "collector confirms",
                num(sent, "confirmed"), num(sent, "reported_lost"));
    }
    o = json_object_get(doc, "gone_interfaces");
    if (o) {
        fprintf(to, " interfaces that are gone: %" PRIu64 "\n", num(o, "count"));
        print_tap_stages(to, json_object_get(o, "stages"));
    }
    print_history(doc, to);
}

/* The frames that --order could not put in order. */
static void print_order(FILE *to, const json_t *out)
{
    for (unsigned i = LEDGER_SINK_LATE; i <= LEDGER_SINK_EARLY; i++) {
        const struct ledger_info *info = ledger_info((enum ledger_id)i);
        if (num(out, info->key) != 0) {
            fprintf(to, "  %-22s %14" PRIu64 " %s\n", "", num(out, info->key), info->words);
        }
    }
}

static void print_point(FILE *to, const json_t *o)
{
    size_t i;
    json_t *out;
    print_tap_stages(to, json_object_get(o, "tap_stages"));
    print_stage(to, "link, received", "link_rx",
                json_object_get(json_object_get(o, "stages"), "link_rx"));
    json_array_foreach(json_object_get(o, "outputs"), i, out)
    {
        char label[80];
        snprintf(label, sizeof(label), "output %s", str(out, "name"));
        print_stage(to, label, "sink", out);
        print_order(to, out);
    }
}

static void print_link(FILE *to, const json_t *link)
{
    static const char *const keys[][2] = {
        {"cookies_sent", "handshakes answered by a cookie, as there were many"},
        {"handshakes_put_off", "handshakes left undone, as there were too many"},
        {"unanswered", "answers not given, as others did not leave the host"},
        {"revoked", "sessions closed as the list of taps changed"},
        {"wrong_passphrase", "handshakes with a wrong passphrase"},
        {"wrong_key", "handshakes with a key that is not allowed"},
        {"wrong_method", "handshakes by another method"},
        {"wrong_version", "handshakes of another version"},
        {"slowed_down", "handshakes put off after failures"},
        {"malformed", "datagrams that are no farspan link's"},
        {"too_many_handshakes", "handshake messages of addresses that sent too many"},
        {"unknown_session", "records of sessions that do not exist"},
        {"forged", "records that fail authentication"},
        {"replayed", "records that came before"},
        {"unexpected", "records of streams that were not announced"},
        {"control_queue_full", "control messages dropped"},
        {"socket_buffers_dropped", "receive buffers dropped by the kernel"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        if (num(link, keys[i][0]) != 0) {
            fprintf(to, "  %-22s %14" PRIu64 " %s\n", "", num(link, keys[i][0]), keys[i][1]);
        }
    }
}

static void print_device(FILE *to, const json_t *tap)
{
    const char *state = str(tap, "device_state");
    if (json_object_get(tap, "device")) {
        fprintf(to, ", on %s%s%s", str(tap, "device"),
                json_is_true(json_object_get(tap, "device_name_cut")) ? " (its name was cut)" : "",
                strcmp(state, "down") == 0 ? ", WHICH IS DOWN"
                : strcmp(state, "ok") != 0 ? ", WHICH WAS REMOVED"
                                           : "");
    }
}

static void print_collector(const json_t *doc, FILE *to)
{
    size_t i, k;
    json_t *tap, *o;
    const json_t *taps = json_object_get(doc, "taps");
    fprintf(to, "collector %s: %zu tap%s\n", str(doc, "name"), json_array_size(taps),
            json_array_size(taps) == 1 ? "" : "s");
    print_link(to, json_object_get(doc, "link"));
    json_array_foreach(json_object_get(doc, "outputs"), i, o)
    {
        if (strcmp(str(o, "state"), "ok") != 0) {
            fprintf(to, "  output %s: %s\n", str(o, "name"), str(o, "state"));
        }
    }
    json_array_foreach(taps, i, tap)
    {
        fprintf(to, "tap %s: %s, %s", str(tap, "name"), str(tap, "state"), str(tap, "peer"));
        print_clock(to, tap);
        print_device(to, tap);
        fputc('\n', to);
        if (num(tap, "sessions_without_close") != 0) {
            fprintf(to,
                    "  %" PRIu64
                    " of its sessions ended without its last word: frames lost after its "
                    "last report are in no count\n",
                    num(tap, "sessions_without_close"));
        }
        if (num(tap, "interfaces_refused") != 0) {
            fprintf(to, "  %" PRId64 " of its interfaces are not taken: there are too many\n",
                    num(tap, "interfaces_refused"));
        }
        json_array_foreach(json_object_get(tap, "interfaces"), k, o)
        {
            fprintf(to, " %s\n", str(o, "name"));
            print_point(to, o);
        }
        o = json_object_get(tap, "gone_interfaces");
        if (o) {
            fprintf(to, " interfaces that are gone: %" PRIu64 "\n", num(o, "count"));
            print_point(to, o);
        }
        print_history(tap, to);
    }
    o = json_object_get(doc, "forgotten");
    if (o) {
        fprintf(to, "taps that are not remembered one by one, %" PRIu64 " in all\n",
                num(o, "taps"));
        print_point(to, o);
    }
    if (json_array_size(json_object_get(doc, "history")) > 0) {
        fprintf(to, "sessions of taps\n");
        print_history(doc, to);
    }
}

void report_print(const json_t *doc, FILE *to)
{
    if (strcmp(str(doc, "role"), "tap") == 0) {
        print_tap(doc, to);
    } else {
        print_collector(doc, to);
    }
}

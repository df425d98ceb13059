/* SPDX-License-Identifier: Apache-2.0
 *
 * The documents of a tap and of a collector: each figure in its place, stages that balance and
 * follow each other.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/cleanup.h"
#include "data/link/dial/impl.h"
#include "data/link/listen/impl.h"
#include "data/sink/fake.h"
#include "node/report.h"
#include "node/report_tap_view.h"
#include "node/tap_capture_impl.h"

/* Counts of which each is another, so that one in a wrong place is seen. */
static void fill(struct ledger *l)
{
    for (unsigned i = 0; i < LEDGER_COUNT; i++) {
        ledger_set(l, (enum ledger_id)i, UINT64_C(1) << i % 50);
    }
}

static int64_t at(const json_t *o, const char *key)
{
    json_t *v = json_object_get(o, key);
    if (!json_is_integer(v)) {
        fail_msg("no figure \"%s\"", key);
    }
    return json_integer_value(v);
}

/* Every counter of the stage is in the document, where its kind belongs, and they balance. */
static void stages_balance(void **state)
{
    (void)state;
    struct ledger l = {0};
    fill(&l);
    for (unsigned st = 0; st < LEDGER_STAGE_COUNT; st++) {
        json_t *o = report_stage(&l, NULL, (enum ledger_stage)st),
               *drops = json_object_get(o, "drops");
        int64_t rest = at(o, "in");
        size_t n_drops = 0;
        for (unsigned i = 0; i < LEDGER_COUNT; i++) {
            const struct ledger_info *info = ledger_info((enum ledger_id)i);
            if (info->stage != st) {
                continue;
            }
            bool drop = info->kind == LEDGER_DROP;
            int64_t v = at(drop ? drops : o, info->key);
            assert_int_equal(v, ledger_get(&l, (enum ledger_id)i));
            n_drops += drop;
            const bool leaves = drop || info->kind == LEDGER_OUT || info->kind == LEDGER_ASIDE;
            rest += info->kind == LEDGER_MADE ? v : leaves ? -v : 0;
        }
        assert_int_equal(json_object_size(drops), n_drops);
        assert_int_equal(at(o, "in_flight"), rest);
        json_decref(o);
    }
}

/* A stage that does not count what comes in takes it from the stage before. */
static void stages_follow_each_other(void **state)
{
    (void)state;
    struct ledger l = {0};
    fill(&l);
    json_t *before = NULL;
    for (unsigned st = LEDGER_RING; st <= LEDGER_LINK_TX; st++) {
        json_t *o = report_stage(&l, NULL, (enum ledger_stage)st);
        if (before) {
            assert_int_equal(at(o, "in"), at(before, "out"));
        }
        json_decref(before);
        before = o;
    }
    json_decref(before);
}

/* ---- whole documents ---- */

/* A member of a document: "taps.0.name". */
struct member {
    const char *path, *text; /* NULL: a number */
    int64_t number;
};

static json_t *member(json_t *v, const char *path)
{
    for (char key[32]; v && *path; path += *path == '.') {
        size_t n = strcspn(path, ".");
        snprintf(key, sizeof(key), "%.*s", (int)n, path);
        v = json_is_array(v) ? json_array_get(v, strtoul(key, NULL, 10)) : json_object_get(v, key);
        path += n;
    }
    return v;
}

static void assert_members(json_t *doc, const struct member *m, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        json_t *v = member(doc, m[i].path);
        const char *text = json_string_value(v);
        if (m[i].text ? !text || strcmp(text, m[i].text) != 0
                      : !json_is_integer(v) || json_integer_value(v) != m[i].number) {
            fail_msg("%s: %s, %lld", m[i].path, text ? text : "no text",
                     (long long)json_integer_value(v));
        }
    }
}

static const struct member tap_members[] = {
    {"role", "tap", 0},
    {"name", "web1", 0},
    {"version", FARSPAN_VERSION, 0},
    {"session.state", "up", 0},
    {"session.collector", "192.0.2.1:4789", 0},
    {"session.cipher", "aes", 0},
    {"session.datagram_bytes", NULL, 1372},
    {"session.path_mtu", NULL, 1400},
    {"session.path_mtu_state", "not probed", 0},
    {"session.moves", NULL, 7},
    {"session.seconds", NULL, 100},
    {"session.sessions", NULL, 8},
    {"session.rekeys", NULL, 9},
    {"session.refused_datagrams", NULL, 10},
    {"session.rtt_us", NULL, 11},
    {"session.clock_offset_us", NULL, -12},
    {"limit.step", "full", 0},
    {"interfaces.0.name", "eth\\x01", 0},
    {"interfaces.0.state", "tapped", 0},
    {"interfaces.0.idle_ms", NULL, 1234},
    {"interfaces.0.restarts", NULL, 2},
    {"interfaces.0.stages.link_tx.confirmed", NULL, 46},
    {"interfaces.0.stages.link_tx.reported_lost", NULL, 4},
    {"gone_interfaces.count", NULL, 3},
    {"gone_interfaces.stages.ring.in", NULL, 21},
    {"gone_interfaces.stages.link_tx.confirmed", NULL, 17},
    {"gone_interfaces.stages.link_tx.reported_lost", NULL, 18},
    {"gone_interfaces.stages.link_tx.unconfirmed", NULL, 19},
    {"history.0.number", NULL, 41},
    {"history.0.time_ns", NULL, 77},
    {"history.0.kind", "interface-gone", 0},
    {"history.0.subject", "eth7", 0},
    {"history.0.words", "it was removed", 0},
    {"history_missed", NULL, 6},
};

static void a_tap(void **state)
{
    (void)state;
    static const struct idle idle = {.ns = 1234 * NSEC_PER_MSEC, .restarts = 2};
    static struct dialer c;
    static struct tap_capture part;
    static struct capture cap;
    static struct report_gone gone = {.n = 3, .said = {17, 18, 19}};
    static struct limiter limiter = {.conf.mode = LIMITER_LADDER};
    struct history h;
    const struct report_tap_interface i = {"eth\x01", "tapped", 5, &cap, &idle};
    const struct report_tap_parts parts = {.name = "web1",
                                           .dialer = &c,
                                           .limiter = &limiter,
                                           .interfaces = &i,
                                           .n = 1,
                                           .gone = &gone,
                                           .history = &h};
    history_init(&h, 2);
    h.missed = 6;
    h.last = 40;
    history_add(&h, (struct wall){77}, HISTORY_IF_GONE, "eth7", "it was removed");
    c.uplink.up = true;
    c.pmtu.size = 1400;
    c.status = (struct dialer_status){.address = "192.0.2.1:4789",
                                      .cipher = "aes",
                                      .datagram = 1372,
                                      .moves = 7,
                                      .since = mono_add_ms(mono_now(), -100500),
                                      .sessions = 8,
                                      .rekeys = 9,
                                      .refused_records = 10,
                                      .rtt_ns = 11000,
                                      .clock_offset_ns = -12000};
    c.n_streams = 1;
    c.stream[0] = (struct stream){.id = 5, .past_accounted = 30, .accounted = 20, .lost = 4};
    c.stream[0].conf.sender = &part.sender;
    part.sender.ops = &tap_sender_ops;
    part.capture = &cap;
    cap.pipeline.way = (struct ledger_way){1, {LEDGER_LINK_TX}};
    ledger_set(&gone.ledger, LEDGER_RING_IN, 21);
    json_t *doc = report_tap(&parts);
    assert_members(doc, tap_members, ARRAY_SIZE(tap_members));
    json_decref(doc);
    gone.n = 0;
    c.status.rtt_ns = 0; /* not known: neither is the offset */
    doc = report_tap(&parts);
    assert_null(member(doc, "gone_interfaces"));
    assert_null(member(doc, "session.rtt_us"));
    assert_null(member(doc, "session.clock_offset_us"));
    json_decref(doc);
    history_done(&h);
}

static const struct member collector_members[] = {
    {"role", "collector", 0},
    {"name", "here", 0},
    {"taps.0.name", "web1", 0},
    {"taps.0.state", "up", 0},
    {"taps.0.peer", "192.0.2.7:0", 0},
    {"taps.0.host", "a host", 0},
    {"taps.0.software", "farspan 7", 0},
    {"taps.0.cipher", "aes", 0},
    {"taps.0.seconds", NULL, 100},
    {"taps.0.sessions", NULL, 2},
    {"taps.0.rekeys", NULL, 3},
    {"taps.0.moves", NULL, 4},
    {"taps.0.sessions_without_close", NULL, 5},
    {"taps.0.interfaces_refused", NULL, 8},
    {"taps.0.rtt_us", NULL, 6},
    {"taps.0.clock_offset_us", NULL, 7},
    {"taps.0.description", "rack 4", 0},
    {"taps.0.condition", "up", 0},
    {"taps.0.frames_sent", NULL, 21 + 23},
    {"taps.0.frames_received", NULL, 17},
    {"taps.0.frames_missing", NULL, 27},
    {"taps.0.frames_missing_most", NULL, 40},
    {"taps.0.bytes_sent", NULL, 3000},
    {"taps.0.bytes_received", NULL, 2000},
    {"taps.0.bytes_missing", NULL, 1000},
    {"taps.0.bytes_missing_most", NULL, 1000},
    {"taps.0.rung", "headers", 0},
    {"taps.0.breaches", NULL, 13},
    {"taps.0.restarts", NULL, 2},
    {"taps.0.clock_jumps", NULL, 9},
    {"taps.0.device", "ntap-web1", 0},
    {"taps.0.device_state", "ok", 0},
    {"taps.0.interfaces.0.name", "eth0", 0},
    {"taps.0.interfaces.0.filter", "port 53", 0},
    {"taps.0.interfaces.0.stages.link_rx.in", NULL, 21},
    {"taps.0.interfaces.0.tap_stages.ring.in", NULL, 22},
    {"taps.0.gone_interfaces.count", NULL, 12},
    {"taps.0.gone_interfaces.stages.link_rx.in", NULL, 23},
    {"taps.0.gone_interfaces.outputs.0.in", NULL, 24},
    {"taps.0.gone_interfaces.outputs.0.name", "a file", 0},
    {"outputs.0.name", "a file", 0},
    {"outputs.0.kind", "fake", 0},
    {"outputs.0.state", "ok", 0},
};

static const struct member collector_members_later[] = {
    {"taps.0.state", "silent", 0},
    {"taps.0.condition", "silent", 0},
    {"taps.0.device_state", "down", 0},
    {"taps.0.interfaces.0.outputs.0.name", "a file", 0},
    {"forgotten.taps", NULL, 31},
    {"forgotten.sessions", NULL, 32},
    {"forgotten.sessions_without_close", NULL, 33},
    {"forgotten.interfaces", NULL, 34},
};

static void count(struct point *p, struct listener_past *past)
{
    ledger_set(&p->ledger, LEDGER_RX_IN, 21);
    ledger_set(&p->reported, LEDGER_RING_IN, 22);
    ledger_set(&past->rx, LEDGER_RX_IN, 23);
    ledger_set(&past->out[0], LEDGER_SINK_IN, 24);
    ledger_set(&p->ledger, LEDGER_RX_OUT, 17);
    ledger_set(&p->ledger, LEDGER_RX_BYTES, 2000);
    ledger_set(&p->reported, LEDGER_TX_OUT, 44);
    ledger_set(&p->reported, LEDGER_TX_BYTES, 3000);
    ledger_set(&p->reported, LEDGER_RING_REOPENED, 2);
}

static struct sink *file_with_a_point(void)
{
    const struct point_offer p = {.index = 1, .tap = "web1", .ifname = "eth0", .fresh = true};
    struct sink *s = NULL;
    assert_int_equal(fake_sink_new("a file", &s), 0);
    assert_int_equal(s->ops->point_add(s, &p, NULL), 0);
    return s;
}

static void a_collector(void **state)
{
    (void)state;
    static struct listener s;
    static struct listener_past past = {.n = 12};
    static char filter[] = "port 53";
    static struct point p = {.index = 1, .ifname = "eth0", .filter = filter};
    static struct peer t = {.name = "web1",
                            .host = "a host",
                            .software = "farspan 7",
                            .point = {&p},
                            .n_points = 1,
                            .past = &past,
                            .device = {.fd = 1, .name = "ntap-web1", .cut = true},
                            .sessions = 2,
                            .rekeys = 3,
                            .moves = 4,
                            .unclosed = 5,
                            .cipher = "aes",
                            .rtt_ns = 6000,
                            .clock_offset_ns = 7000,
                            .clock_jumps = 9,
                            .frames_missing_most = 40,
                            .rung = "headers",
                            .breaches = 13};
    static struct session ss = {.peer = &t, .n_refused = 8};
    struct sink *out = file_with_a_point();
    struct describe_list describe = {0};
    assert_int_equal(describe_add(&describe, "web1", "rack 4", NULL), 0);
    t.heard = mono_now();
    t.since = mono_add_ms(t.heard, -100500);
    t.session = &ss;
    assert_int_equal(udp_addr_parse("192.0.2.7", &t.last_addr), 0);
    s.peer[0] = &t;
    s.n_peers = 1;
    count(&p, &past);
    json_t *doc = report_collector("here", &s, &describe, &out, 1);
    assert_null(member(doc, "taps.0.clock_bound_ns")); /* no REPORT told of it */
    assert_members(doc, collector_members, ARRAY_SIZE(collector_members));
    assert_true(json_is_true(member(doc, "taps.0.device_name_cut")));
    /* Outputs that have not got the interface yet have no row, and only a tap knows these. */
    assert_int_equal(json_array_size(member(doc, "taps.0.interfaces.0.outputs")), 0);
    assert_null(member(doc, "taps.0.interfaces.0.tap_stages.link_tx.confirmed"));
    assert_null(member(doc, "taps.0.interfaces.0.tap_stages.link_tx.reported_lost"));
    assert_null(member(doc, "taps.0.interfaces.0.tap_stages.link_tx.backlog_bytes"));
    assert_null(member(doc, "forgotten"));
    json_decref(doc);
    atomic_store(&p.in_outputs, true);
    t.heard = mono_add_ms(t.heard, -3600000);
    t.device.down = true;
    s.forgotten = (struct listener_forgotten){.taps = 31, .sessions = 32, .unclosed = 33};
    s.forgotten.past.n = 34;
    doc = report_collector("here", &s, &describe, &out, 1);
    assert_members(doc, collector_members_later, ARRAY_SIZE(collector_members_later));
    json_decref(doc);
    describe_done(&describe);
    sink_free(out);
}

static void a_line_of_a_tap(void **state)
{
    (void)state;
    char line[TAP_LINE_MAX];
    struct listener_peer t = {.name = "web1",
                              .address = "[2001:db8::1]:7",
                              .state = LISTENER_LIMITED,
                              .heard = mono_now(),
                              .rung = "headers, 1 flow in 4",
                              .breaches = 6,
                              .traffic = {.frames_sent = 10,
                                          .frames_received = 7,
                                          .frames_missing = 3,
                                          .frames_missing_most = 4,
                                          .bytes_sent = 100,
                                          .bytes_received = 70,
                                          .restarts = 1}};
    report_tap_line(&t, NULL, line);
    assert_ptr_equal(strstr(line, "tap=web1 address=[2001:db8::1]:7 state=stopped-by-limit "
                                  "last_seen=20"),
                     line);
    assert_non_null(strstr(line, "Z frames_sent=10 frames_received=7 frames_missing=3 "
                                 "frames_missing_most=4 bytes_sent=100 bytes_received=70 "
                                 "clock_jumps=0 rung=\"headers, 1 flow in 4\" breaches=6 "
                                 "restarts=1"));
    t.rung = "";
    t.rtt_ns = 5000;
    t.has_clock = true;
    t.clock = (struct clock_estimate){-7, 8, true, 1.5, 0.25};
    t.traffic.bytes_known = true;
    t.traffic.bytes_missing = 30;
    t.traffic.bytes_missing_most = 31;
    report_tap_line(&t, "the \"old\" switch", line);
    assert_non_null(strstr(line, "tap=web1 description=\"the \\\"old\\\" switch\" address="));
    assert_non_null(strstr(line,
                           " bytes_missing=30 bytes_missing_most=31 rtt_us=5 "
                           "clock_offset_ns=-7 clock_bound_ns=8 clock_drift_ppm=1.500 "
                           "clock_drift_bound_ppm=0.250 clock_jumps=0 breaches=6 restarts=1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stages_balance),  cmocka_unit_test(stages_follow_each_other),
        cmocka_unit_test(a_tap),           cmocka_unit_test(a_collector),
        cmocka_unit_test(a_line_of_a_tap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

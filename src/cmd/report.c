/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/report.h"

#include <net/if.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cmd/document.h"

/* Missing memory leaves a member out; jansson's setters take NULL for that. */
static void set_int(json_t *o, const char *key, int64_t v)
{
    (void)json_object_set_new(o, key, json_integer(v));
}

static void set_str(json_t *o, const char *key, const char *v)
{
    char clean[1024]; /* jansson takes UTF-8 only, and a member must not be missing */
    if (v && !text_is_clean(v)) {
        text_line(clean, sizeof(clean), v);
        v = clean;
    }
    (void)json_object_set_new(o, key, v ? json_string(v) : json_null());
}

/* An interface's name, which is bytes. */
static void set_ifname(json_t *o, const char *key, const char *v)
{
    char name[TEXT_ESCAPE * IFNAMSIZ];
    text_name(name, sizeof(name), v, strlen(v));
    set_str(o, key, name);
}

json_t *report_stage(const struct ledger *l, enum ledger_stage stage)
{
    json_t *o = json_object(), *drops = json_object();
    struct ledger_sum sum = ledger_sum(l, stage);
    document_set(o, "in", sum.in);
    if (sum.made > 0) {
        document_set(o, "made", sum.made);
    }
    for (unsigned i = 0; i < LEDGER_COUNT; i++) {
        const struct ledger_info *info = ledger_info((enum ledger_id)i);
        if (info->stage == stage && info->kind == LEDGER_DROP) {
            document_set(drops, info->key, ledger_get(l, (enum ledger_id)i));
        }
    }
    (void)json_object_set_new(o, "drops", drops);
    document_set(o, "out", sum.out);
    set_int(o, "in_flight", sum.in_flight);
    for (unsigned i = 0; i < LEDGER_COUNT; i++) {
        const struct ledger_info *info = ledger_info((enum ledger_id)i);
        if (info->stage == stage && info->kind == LEDGER_INFO) {
            document_set(o, info->key, ledger_get(l, (enum ledger_id)i));
        }
    }
    return o;
}

/* `said`: what the collector has said of them, which is no count of the data thread's; or NULL. */
static json_t *tap_stages(const struct ledger *l, const struct dialer_stream_status *said)
{
    json_t *o = json_object();
    for (unsigned st = LEDGER_RING; st <= LEDGER_LINK_TX; st++) {
        (void)json_object_set_new(o, ledger_stage_name((enum ledger_stage)st),
                                  report_stage(l, (enum ledger_stage)st));
    }
    json_t *tx = json_object_get(o, ledger_stage_name(LEDGER_LINK_TX));
    const char *acked = ledger_info(LEDGER_TX_ACKED)->key;
    const char *lost = ledger_info(LEDGER_TX_REPORTED_LOST)->key;
    if (said) {
        document_set(tx, acked, said->confirmed);
        document_set(tx, lost, said->reported_lost);
        document_set(tx, ledger_info(LEDGER_TX_UNCONFIRMED)->key, said->unconfirmed);
    } else { /* at the collector, whose own figures are better */
        (void)json_object_del(tx, acked);
        (void)json_object_del(tx, lost);
        (void)json_object_del(tx, ledger_info(LEDGER_TX_BACKLOG_BYTES)->key);
    }
    return o;
}

void report_history(json_t *o, const struct history *h)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < h->n; i++) {
        const struct history_event *e = history_at(h, i);
        char key[16];
        json_t *v = json_object();
        document_set(v, "number", e->number);
        set_int(v, "time_ns", e->at.ns);
        set_str(v, "kind", history_key(e->kind, key));
        set_str(v, "subject", e->subject);
        set_str(v, "words", e->words);
        (void)json_array_append_new(list, v);
    }
    (void)json_object_set_new(o, "history", list);
    document_set(o, "history_missed", h->missed);
}

static json_t *head(const char *role, const char *name)
{
    json_t *o = json_object();
    set_str(o, "role", role);
    set_str(o, "name", name);
    set_str(o, "version", FARSPAN_VERSION);
    return o;
}

static int64_t seconds_since(struct mono t)
{
    return t.ns ? mono_diff(mono_now(), t) / NSEC_PER_SEC : 0;
}

static void set_clock(json_t *o, int64_t rtt_ns, int64_t offset_ns)
{
    if (rtt_ns > 0) {
        set_int(o, "rtt_us", rtt_ns / 1000);
        set_int(o, "clock_offset_us", offset_ns / 1000);
    }
}

static json_t *tap_session(const struct dialer *c)
{
    struct dialer_status st;
    json_t *o = json_object();
    dialer_status(c, &st);
    set_str(o, "state", st.state);
    set_str(o, "collector", st.address);
    set_str(o, "cipher", st.cipher);
    set_int(o, "datagram_bytes", st.datagram);
    set_int(o, "path_mtu", st.path_mtu);
    set_str(o, "path_mtu_state", st.path_state);
    set_int(o, "moves", st.moves);
    set_int(o, "seconds", st.up ? seconds_since(st.since) : 0);
    set_int(o, "sessions", st.sessions);
    set_int(o, "rekeys", st.rekeys);
    set_int(o, "refused_datagrams", st.refused_records);
    set_clock(o, st.rtt_ns, st.clock_offset_ns);
    return o;
}

json_t *report_tap(const char *name, const struct dialer *c,
                   const struct report_tap_interface *interfaces, unsigned n,
                   const struct report_gone *gone, const struct history *history)
{
    json_t *doc = head("tap", name), *list = json_array();
    (void)json_object_set_new(doc, "session", tap_session(c));
    for (unsigned i = 0; i < n; i++) {
        struct dialer_stream_status st;
        json_t *o = json_object();
        dialer_stream_status(c, interfaces[i].stream, &st);
        set_ifname(o, "name", interfaces[i].name);
        set_str(o, "state", interfaces[i].state);
        (void)json_object_set_new(o, "stages",
                                  tap_stages(capture_ledger(interfaces[i].capture), &st));
        (void)json_array_append_new(list, o);
    }
    (void)json_object_set_new(doc, "interfaces", list);
    if (gone->n > 0) {
        json_t *o = json_object();
        set_int(o, "count", gone->n);
        (void)json_object_set_new(o, "stages", tap_stages(&gone->ledger, &gone->said));
        (void)json_object_set_new(doc, "gone_interfaces", o);
    }
    report_history(doc, history);
    return doc;
}

struct taps {
    json_t *list;
    struct sink *const *outputs;
    unsigned n_outputs;
};

/* The counts of the whole way, of one interface or of several that are added up. `out` gives the
 * ledger of each output, or NULL. */
static void set_way(json_t *o, const struct taps *t, const struct ledger *rx,
                    const struct ledger *reported, const struct ledger *const out[])
{
    json_t *stages = json_object(), *outputs = json_array();
    (void)json_object_set_new(stages, "link_rx", report_stage(rx, LEDGER_LINK_RX));
    (void)json_object_set_new(o, "stages", stages);
    (void)json_object_set_new(o, "tap_stages", tap_stages(reported, NULL));
    for (unsigned i = 0; i < t->n_outputs; i++) {
        if (out[i]) {
            json_t *v = report_stage(out[i], LEDGER_SINK);
            set_str(v, "name", t->outputs[i]->name);
            set_str(v, "kind", t->outputs[i]->ops->kind);
            (void)json_array_append_new(outputs, v);
        }
    }
    (void)json_object_set_new(o, "outputs", outputs);
}

static void set_past(json_t *o, const struct taps *t, const struct listener_past *past)
{
    const struct ledger *out[RECEIVER_OUTPUTS] = {0};
    for (unsigned i = 0; i < t->n_outputs; i++) {
        out[i] = &past->out[i];
    }
    set_way(o, t, &past->rx, &past->reported, out);
}

static json_t *forgotten_report(const struct listener_forgotten *f, const struct taps *t)
{
    json_t *o = json_object();
    document_set(o, "taps", f->taps);
    document_set(o, "interfaces", f->past.n);
    document_set(o, "sessions", f->sessions);
    document_set(o, "sessions_without_close", f->unclosed);
    set_past(o, t, &f->past);
    return o;
}

static json_t *point_report(const struct taps *t, const struct point *p)
{
    const struct ledger *out[RECEIVER_OUTPUTS] = {0};
    json_t *o = json_object();
    for (unsigned i = 0; i < t->n_outputs; i++) {
        out[i] = point_output(p, t->outputs[i]);
    }
    set_str(o, "name", p->ifname);
    set_str(o, "filter", p->filter);
    set_way(o, t, &p->ledger, &p->reported, out);
    return o;
}

/* Interfaces whose place others needed, as one. */
static json_t *past_report(const struct taps *t, const struct listener_past *past)
{
    json_t *o = json_object();
    document_set(o, "count", past->n);
    set_past(o, t, past);
    return o;
}

static void set_device(json_t *o, const struct listener_device *d)
{
    if (d->fd >= 0) {
        set_str(o, "device", d->name);
        (void)json_object_set_new(o, "device_name_cut", json_boolean(d->cut));
        set_str(o, "device_state", d->gone ? "removed" : d->down ? "down" : "ok");
    }
}

static void tap_report(void *user, const struct listener_peer *tap)
{
    const struct taps *t = user;
    json_t *o = json_object(), *points = json_array();
    set_str(o, "name", tap->name);
    set_str(o, "state", !tap->live ? "gone" : tap->silent ? "silent" : "up");
    set_str(o, "peer", tap->address);
    set_str(o, "host", tap->host);
    set_str(o, "software", tap->software);
    set_str(o, "cipher", tap->cipher);
    set_int(o, "seconds", tap->live ? seconds_since(tap->since) : 0);
    set_int(o, "sessions", tap->sessions);
    set_int(o, "rekeys", tap->rekeys);
    set_int(o, "moves", tap->moves);
    set_int(o, "sessions_without_close", tap->unclosed);
    set_int(o, "interfaces_refused", tap->refused);
    set_clock(o, tap->rtt_ns, tap->clock_offset_ns);
    set_device(o, tap->device);
    for (unsigned i = 0; i < tap->n_points; i++) {
        (void)json_array_append_new(points, point_report(t, tap->points[i]));
    }
    (void)json_object_set_new(o, "interfaces", points);
    if (tap->past) {
        (void)json_object_set_new(o, "gone_interfaces", past_report(t, tap->past));
    }
    report_history(o, tap->history);
    (void)json_array_append_new(t->list, o);
}

static json_t *link_report(const struct listener *s)
{
    struct listener_counters c;
    json_t *o = json_object(), *each = json_array();
    listener_counters(s, &c);
    document_set(o, "handshakes", c.handshakes);
    document_set(o, "accepted", c.accepted);
    document_set(o, "cookies_sent", c.cookies);
    document_set(o, "handshakes_put_off", c.put_off);
    document_set(o, "unanswered", c.unanswered);
    document_set(o, "revoked", c.revoked);
    document_set(o, "wrong_passphrase", c.wrong_secret);
    document_set(o, "wrong_key", c.wrong_key);
    document_set(o, "wrong_method", c.wrong_method);
    document_set(o, "wrong_version", c.wrong_version);
    document_set(o, "slowed_down", c.slowed);
    document_set(o, "datagrams", c.receiver.datagrams);
    for (unsigned t = 0; t < c.n_threads; t++) {
        (void)json_array_append_new(each, document_uint(c.datagrams_of[t]));
    }
    (void)json_object_set_new(o, "datagrams_by_thread", each);
    document_set(o, "bytes", c.receiver.bytes);
    document_set(o, "malformed", c.receiver.malformed);
    document_set(o, "too_many_handshakes", c.receiver.too_many);
    document_set(o, "unknown_session", c.receiver.unknown_session);
    document_set(o, "forged", c.receiver.forged);
    document_set(o, "replayed", c.receiver.replayed);
    document_set(o, "unexpected", c.receiver.unexpected);
    document_set(o, "control_queue_full", c.receiver.control_full);
    document_set(o, "socket_buffers_dropped", c.receiver.socket_full);
    return o;
}

json_t *report_collector(const char *name, const struct listener *s, struct sink *const *outputs,
                         unsigned n_outputs)
{
    json_t *doc = head("collector", name), *outs = json_array();
    struct taps t = {json_array(), outputs, n_outputs};
    (void)json_object_set_new(doc, "link", link_report(s));
    listener_each(s, tap_report, &t);
    (void)json_object_set_new(doc, "taps", t.list);
    if (listener_forgotten(s)->taps > 0) {
        (void)json_object_set_new(doc, "forgotten", forgotten_report(listener_forgotten(s), &t));
    }
    report_history(doc, listener_history(s));
    for (unsigned i = 0; i < n_outputs; i++) {
        struct error err = {""};
        json_t *o = json_object();
        int r = outputs[i]->ops->check(outputs[i], &err);
        set_str(o, "name", outputs[i]->name);
        set_str(o, "kind", outputs[i]->ops->kind);
        set_str(o, "state", r == 0 ? "ok" : err.text);
        (void)json_array_append_new(outs, o);
    }
    (void)json_object_set_new(doc, "outputs", outs);
    return doc;
}

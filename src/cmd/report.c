/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/report.h"

#include <string.h>

#include "base/cleanup.h"

/* Missing memory leaves a member out; jansson's setters take NULL for that. */
static void set_int(json_t *o, const char *key, int64_t v)
{
    (void)json_object_set_new(o, key, json_integer(v));
}

static void set_str(json_t *o, const char *key, const char *v)
{
    (void)json_object_set_new(o, key, v ? json_string(v) : json_null());
}

json_t *report_stage(const struct ledger *l, enum ledger_stage stage)
{
    json_t *o = json_object(), *drops = json_object();
    struct ledger_sum sum = ledger_sum(l, stage);
    set_int(o, "in", (int64_t)sum.in);
    if (sum.made > 0) {
        set_int(o, "made", (int64_t)sum.made);
    }
    for (unsigned i = 0; i < LEDGER_COUNT; i++) {
        const struct ledger_info *info = ledger_info((enum ledger_id)i);
        if (info->stage == stage && info->kind == LEDGER_DROP) {
            set_int(drops, info->key, (int64_t)ledger_get(l, (enum ledger_id)i));
        }
    }
    (void)json_object_set_new(o, "drops", drops);
    set_int(o, "out", (int64_t)sum.out);
    set_int(o, "in_flight", sum.in_flight);
    for (unsigned i = 0; i < LEDGER_COUNT; i++) {
        const struct ledger_info *info = ledger_info((enum ledger_id)i);
        if (info->stage == stage && info->kind == LEDGER_INFO) {
            set_int(o, info->key, (int64_t)ledger_get(l, (enum ledger_id)i));
        }
    }
    return o;
}

/* `said`: what the collector has said of them, which is no count of the data thread's; or NULL. */
static json_t *tap_stages(const struct ledger *l, const struct client_stream_status *said)
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
        set_int(tx, acked, (int64_t)said->confirmed);
        set_int(tx, lost, (int64_t)said->reported_lost);
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
        set_int(v, "number", (int64_t)e->number);
        set_int(v, "time_ns", e->at.ns);
        set_str(v, "kind", history_key(e->kind, key));
        set_str(v, "subject", e->subject);
        set_str(v, "words", e->words);
        (void)json_array_append_new(list, v);
    }
    (void)json_object_set_new(o, "history", list);
    set_int(o, "history_missed", (int64_t)h->missed);
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

static json_t *tap_session(const struct client *c)
{
    struct client_status st;
    json_t *o = json_object();
    client_status(c, &st);
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

json_t *report_tap(const char *name, const struct client *c,
                   const struct report_tap_interface *interfaces, unsigned n,
                   const struct report_gone *gone, const struct history *history)
{
    json_t *doc = head("tap", name), *list = json_array();
    (void)json_object_set_new(doc, "session", tap_session(c));
    for (unsigned i = 0; i < n; i++) {
        struct client_stream_status st;
        json_t *o = json_object();
        client_stream_status(c, interfaces[i].stream, &st);
        set_str(o, "name", interfaces[i].name);
        set_str(o, "state", interfaces[i].state);
        (void)json_object_set_new(o, "stages",
                                  tap_stages(worker_ledger(interfaces[i].worker), &st));
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

/* What was counted on the whole way, of one interface or of several that are added up. `out` gives
 * the ledger of each output, or NULL. */
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

static void set_past(json_t *o, const struct taps *t, const struct server_past *past)
{
    const struct ledger *out[RECEIVER_OUTPUTS] = {0};
    for (unsigned i = 0; i < t->n_outputs; i++) {
        out[i] = &past->out[i];
    }
    set_way(o, t, &past->rx, &past->reported, out);
}

static json_t *forgotten_report(const struct server_forgotten *f, const struct taps *t)
{
    json_t *o = json_object();
    set_int(o, "taps", (int64_t)f->taps);
    set_int(o, "interfaces", (int64_t)f->past.n);
    set_int(o, "sessions", (int64_t)f->sessions);
    set_int(o, "sessions_without_close", (int64_t)f->unclosed);
    set_past(o, t, &f->past);
    return o;
}

static json_t *port_report(const struct taps *t, const struct receiver_port *p)
{
    const struct ledger *out[RECEIVER_OUTPUTS] = {0};
    json_t *o = json_object();
    for (unsigned i = 0; i < t->n_outputs; i++) {
        out[i] = receiver_port_output(p, t->outputs[i]);
    }
    set_str(o, "name", p->ifname);
    set_str(o, "filter", p->filter);
    set_way(o, t, &p->ledger, &p->reported, out);
    return o;
}

/* Interfaces whose place others needed, as one. */
static json_t *past_report(const struct taps *t, const struct server_past *past)
{
    json_t *o = json_object();
    set_int(o, "count", (int64_t)past->n);
    set_past(o, t, past);
    return o;
}

static void set_device(json_t *o, const struct server_device *d)
{
    if (d->fd >= 0) {
        set_str(o, "device", d->name);
        (void)json_object_set_new(o, "device_name_cut", json_boolean(d->cut));
        set_str(o, "device_state", d->gone ? "removed" : d->down ? "down" : "ok");
    }
}

static void tap_report(void *user, const struct server_tap *tap)
{
    const struct taps *t = user;
    json_t *o = json_object(), *ports = json_array();
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
    set_clock(o, tap->rtt_ns, tap->clock_offset_ns);
    set_device(o, tap->device);
    for (unsigned i = 0; i < tap->n_ports; i++) {
        (void)json_array_append_new(ports, port_report(t, tap->ports[i]));
    }
    (void)json_object_set_new(o, "interfaces", ports);
    if (tap->past) {
        (void)json_object_set_new(o, "gone_interfaces", past_report(t, tap->past));
    }
    report_history(o, tap->history);
    (void)json_array_append_new(t->list, o);
}

static json_t *link_report(const struct server *s)
{
    struct server_counters c;
    json_t *o = json_object(), *each = json_array();
    server_counters(s, &c);
    set_int(o, "handshakes", (int64_t)c.handshakes);
    set_int(o, "accepted", (int64_t)c.accepted);
    set_int(o, "cookies_sent", (int64_t)c.cookies);
    set_int(o, "handshakes_put_off", (int64_t)c.put_off);
    set_int(o, "unanswered", (int64_t)c.unanswered);
    set_int(o, "revoked", (int64_t)c.revoked);
    set_int(o, "wrong_passphrase", (int64_t)c.wrong_secret);
    set_int(o, "wrong_key", (int64_t)c.wrong_key);
    set_int(o, "wrong_method", (int64_t)c.wrong_method);
    set_int(o, "wrong_version", (int64_t)c.wrong_version);
    set_int(o, "slowed_down", (int64_t)c.slowed);
    set_int(o, "datagrams", (int64_t)c.receiver.datagrams);
    for (unsigned t = 0; t < c.n_threads; t++) {
        (void)json_array_append_new(each, json_integer((json_int_t)c.datagrams_of[t]));
    }
    (void)json_object_set_new(o, "datagrams_by_thread", each);
    set_int(o, "bytes", (int64_t)c.receiver.bytes);
    set_int(o, "malformed", (int64_t)c.receiver.malformed);
    set_int(o, "too_many_handshakes", (int64_t)c.receiver.too_many);
    set_int(o, "unknown_session", (int64_t)c.receiver.unknown_session);
    set_int(o, "forged", (int64_t)c.receiver.forged);
    set_int(o, "replayed", (int64_t)c.receiver.replayed);
    set_int(o, "unexpected", (int64_t)c.receiver.unexpected);
    set_int(o, "control_queue_full", (int64_t)c.receiver.control_full);
    set_int(o, "socket_buffers_dropped", (int64_t)c.receiver.socket_full);
    return o;
}

json_t *report_collector(const char *name, const struct server *s, struct sink *const *outputs,
                         unsigned n_outputs)
{
    json_t *doc = head("collector", name), *outs = json_array();
    struct taps t = {json_array(), outputs, n_outputs};
    (void)json_object_set_new(doc, "link", link_report(s));
    server_each(s, tap_report, &t);
    (void)json_object_set_new(doc, "taps", t.list);
    if (server_forgotten(s)->taps > 0) {
        (void)json_object_set_new(doc, "forgotten", forgotten_report(server_forgotten(s), &t));
    }
    report_history(doc, server_history(s));
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

/* SPDX-License-Identifier: Apache-2.0
 *
 * The document of a collector (node/report.h): its link, its taps, its outputs.
 */
#include "node/document.h"
#include "node/report.h"
#include "node/report_parts.h"
#include "node/report_tap_view.h"

struct taps {
    json_t *list;
    struct sink *const *outputs;
    unsigned n_outputs;
    const struct describe_list *describe;
};

/* The counts of the whole way, of one interface or of several that are added up. `out` gives the
 * ledger of each output, or NULL. */
static void set_way(json_t *o, const struct taps *t, const struct ledger *rx,
                    const struct ledger *reported, const struct ledger *const out[])
{
    const struct ledger_way here = ledger_way_collector(rx), there = ledger_way_tap(reported);
    (void)json_object_set_new(o, "stages", report_stages(rx, &here));
    (void)json_object_set_new(o, "tap_stages", report_tap_stages(reported, &there, NULL));
    report_set_outputs(o, t->outputs, t->n_outputs, out);
}

static void set_past(json_t *o, const struct taps *t, const struct listener_past *past)
{
    const struct ledger *out[FAN_SINKS] = {0};
    for (unsigned i = 0; i < t->n_outputs; i++) {
        out[i] = t->outputs[i] ? &past->out[i] : NULL;
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
    const struct ledger *out[FAN_SINKS] = {0};
    json_t *o = json_object();
    for (unsigned i = 0; i < t->n_outputs; i++) {
        out[i] = point_output(p, t->outputs[i]);
    }
    report_set_str(o, "name", p->ifname);
    report_set_str(o, "filter", p->filter);
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
        report_set_str(o, "device", d->name);
        (void)json_object_set_new(o, "device_name_cut", json_boolean(d->cut));
        report_set_str(o, "device_state", d->gone ? "removed" : d->down ? "down" : "ok");
    }
}

static void tap_report(void *user, const struct listener_peer *tap)
{
    const struct taps *t = user;
    json_t *o = json_object(), *points = json_array();
    report_set_str(o, "name", tap->name);
    report_set_str(o, "state", !tap->live ? "gone" : tap->silent ? "silent" : "up");
    report_set_str(o, "peer", tap->address);
    report_set_str(o, "host", tap->host);
    report_set_str(o, "software", tap->software);
    report_set_str(o, "cipher", tap->cipher);
    report_set_int(o, "seconds", tap->live ? report_seconds_since(tap->since) : 0);
    report_set_int(o, "sessions", tap->sessions);
    report_set_int(o, "rekeys", tap->rekeys);
    report_set_int(o, "moves", tap->moves);
    report_set_int(o, "sessions_without_close", tap->unclosed);
    report_set_int(o, "interfaces_refused", tap->refused);
    report_set_clock(o, tap->rtt_ns, tap->clock_offset_ns);
    report_tap_view(o, tap, describe_find(t->describe, tap->name, tap->address));
    set_device(o, tap->device);
    for (unsigned i = 0; i < tap->n_points; i++) {
        (void)json_array_append_new(points, point_report(t, tap->points[i]));
    }
    (void)json_object_set_new(o, "interfaces", points);
    if (tap->past) {
        (void)json_object_set_new(o, "gone_interfaces", past_report(t, tap->past));
    }
    report_set_history(o, tap->history);
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

static json_t *output_report(struct sink *output)
{
    struct error err = {""};
    json_t *o = json_object();
    int r = output->ops->check(output, &err);
    report_set_str(o, "name", output->name);
    report_set_str(o, "kind", output->ops->kind);
    report_set_str(o, "state", r == 0 ? "ok" : err.text);
    if (output->ops->readers) {
        struct sink_readers readers;
        output->ops->readers(output, &readers);
        document_set(o, "readers", readers.now);
        document_set(o, "readers_refused", readers.refused);
    }
    return o;
}

json_t *report_collector(const char *name, const struct listener *s,
                         const struct describe_list *describe, struct sink *const *outputs,
                         unsigned n_outputs)
{
    json_t *doc = report_head("collector", name), *outs = json_array();
    struct taps t = {json_array(), outputs, n_outputs, describe};
    (void)json_object_set_new(doc, "link", link_report(s));
    listener_each(s, tap_report, &t);
    (void)json_object_set_new(doc, "taps", t.list);
    if (listener_forgotten(s)->taps > 0) {
        (void)json_object_set_new(doc, "forgotten", forgotten_report(listener_forgotten(s), &t));
    }
    report_set_history(doc, listener_history(s));
    for (unsigned i = 0; i < n_outputs; i++) {
        if (outputs[i]) {
            (void)json_array_append_new(outs, output_report(outputs[i]));
        }
    }
    (void)json_object_set_new(doc, "outputs", outs);
    return doc;
}

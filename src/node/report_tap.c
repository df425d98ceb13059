/* SPDX-License-Identifier: Apache-2.0
 *
 * The document of a tap (node/report.h): its session, its interfaces, its history.
 */
#include <net/if.h>
#include <string.h>

#include "base/text.h"
#include "node/report.h"
#include "node/report_parts.h"

/* An interface's name, which is bytes. */
static void set_ifname(json_t *o, const char *key, const char *v)
{
    char name[TEXT_ESCAPE * IFNAMSIZ];
    text_name(name, sizeof(name), v, strlen(v));
    report_set_str(o, key, name);
}

static json_t *tap_session(const struct dialer *c)
{
    struct dialer_status st;
    json_t *o = json_object();
    dialer_status(c, &st);
    report_set_str(o, "state", st.state);
    report_set_str(o, "collector", st.address);
    report_set_str(o, "cipher", st.cipher);
    report_set_int(o, "datagram_bytes", st.datagram);
    report_set_int(o, "path_mtu", st.path_mtu);
    report_set_str(o, "path_mtu_state", st.path_state);
    report_set_int(o, "moves", st.moves);
    report_set_int(o, "seconds", st.up ? report_seconds_since(st.since) : 0);
    report_set_int(o, "sessions", st.sessions);
    report_set_int(o, "rekeys", st.rekeys);
    report_set_int(o, "refused_datagrams", st.refused_records);
    report_set_clock(o, st.rtt_ns, st.clock_offset_ns);
    return o;
}

static void set_rate(json_t *o, struct budget *b)
{
    struct budget_figures f;
    budget_figures(b, &f);
    report_set_int(o, "rate_bps", (int64_t)f.rate_bps);
    report_set_int(o, "sent_bps", (int64_t)f.sent_bps);
    report_set_int(o, "wish_bps", (int64_t)f.wish_bps);
    report_set_int(o, "sent_bytes", (int64_t)f.sent);
    report_set_int(o, "waiting_bytes", (int64_t)f.waiting);
    report_set_int(o, "oldest_ms", budget_waited(&f));
}

static json_t *tap_limit(const struct report_tap_parts *t)
{
    char words[48];
    json_t *o = json_object();
    if (t->budget) {
        set_rate(o, t->budget);
    }
    if (t->limiter->conf.mode == LIMITER_LADDER) {
        ladder_words(ladder_at(&t->limiter->ladder), words);
        report_set_str(o, "step", words);
    }
    return o;
}

static json_t *tap_interface(const struct dialer *c, const struct report_tap_interface *i)
{
    struct dialer_stream_status st;
    json_t *o = json_object();
    dialer_stream_status(c, i->stream, &st);
    set_ifname(o, "name", i->name);
    report_set_str(o, "state", i->state);
    if (i->idle) {
        report_set_int(o, "idle_ms", i->idle->ns / NSEC_PER_MSEC);
        report_set_int(o, "restarts", i->idle->restarts);
    }
    (void)json_object_set_new(
        o, "stages", report_tap_stages(capture_ledger(i->capture), capture_way(i->capture), &st));
    return o;
}

json_t *report_tap(const struct report_tap_parts *t)
{
    const struct report_gone *gone = t->gone;
    json_t *doc = report_head("tap", t->name), *list = json_array();
    (void)json_object_set_new(doc, "session", tap_session(t->dialer));
    if (t->limiter) {
        (void)json_object_set_new(doc, "limit", tap_limit(t));
    }
    for (unsigned i = 0; i < t->n; i++) {
        (void)json_array_append_new(list, tap_interface(t->dialer, &t->interfaces[i]));
    }
    (void)json_object_set_new(doc, "interfaces", list);
    if (gone->n > 0) {
        json_t *o = json_object();
        report_set_int(o, "count", gone->n);
        const struct ledger_way way = ledger_way_tap(&gone->ledger);
        (void)json_object_set_new(o, "stages", report_tap_stages(&gone->ledger, &way, &gone->said));
        (void)json_object_set_new(doc, "gone_interfaces", o);
    }
    report_set_history(doc, t->history);
    return doc;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "node/report_mirrors.h"

#include "node/document.h"
#include "node/mirrors.h"
#include "node/report.h"
#include "node/report_parts.h"
#include "node/report_tap_view.h"

/* The senders so far, each with its points. */
struct senders {
    const struct outputs *outputs;
    const struct describe_list *described;
    json_t *list;
    unsigned n;
    struct {
        uint64_t number;
        int64_t heard_ns; /* the last of its points */
        json_t *object, *points;
    } at[POINT_MIRRORS];
};

static void set_way(json_t *o, const struct outputs *outputs, const struct ledger *rx,
                    const struct ledger *const out[])
{
    const struct ledger_way way = ledger_way_mirror(rx);
    (void)json_object_set_new(o, "stages", report_stages(rx, &way));
    report_set_outputs(o, outputs->output, outputs->n, out);
}

static const char *state_key(int state)
{
    switch (state) {
    case 0:
        return "ok";
    case 1:
        return "breach";
    case 2:
        return "idle-restart";
    case -1:
        return "stopped-by-limit";
    case -2:
        return "stopped-by-idle";
    default:
        return "unknown";
    }
}

static void set_word(json_t *o, const struct mirror_word *w)
{
    json_t *v = json_object();
    report_set_str(v, "state", state_key(w->state));
    report_set_int(v, "messages", (int64_t)w->words);
    report_set_int(v, "time_ms", (int64_t)MIN(w->at_ms, LEDGER_MOST));
    report_set_int(v, "latency_ms", w->latency_ms);
    report_set_int(v, "bytes_sent", (int64_t)MIN(w->sent, LEDGER_MOST));
    report_set_int(v, "bytes_received", (int64_t)w->received);
    report_set_int(v, "difference", w->missing);
    report_set_int(v, "difference_max", w->missing_most);
    (void)json_object_set_new(o, "ivtap", v);
}

static json_t *point_report(const struct outputs *outputs, const struct mirror_point *m)
{
    const struct ledger *out[FAN_SINKS] = {0};
    json_t *o = json_object();
    for (unsigned i = 0; i < outputs->n; i++) {
        out[i] = point_output(&m->point, outputs->output[i]);
    }
    report_set_str(o, "name", m->point.ifname);
    report_set_int(o, "heard_seconds", report_seconds_since((struct mono){m->heard_ns}));
    set_way(o, outputs, &m->point.ledger, out);
    if (m->word.words > 0) {
        set_word(o, &m->word);
    }
    return o;
}

static void add_point(void *user, const struct mirror_point *m)
{
    struct senders *s = user;
    unsigned i = 0;
    while (i < s->n && s->at[i].number != m->point.tap_number) {
        i++;
    }
    if (i == s->n) {
        s->at[i].number = m->point.tap_number;
        s->at[i].object = json_object();
        s->at[i].points = json_array();
        const char *words = describe_find(s->described, m->point.tap, m->point.tap);
        report_set_str(s->at[i].object, "address", m->point.tap);
        if (words) {
            report_set_str(s->at[i].object, "description", words);
        }
        (void)json_object_set_new(s->at[i].object, "interfaces", s->at[i].points);
        (void)json_array_append_new(s->list, s->at[i].object);
        s->n++;
    }
    s->at[i].heard_ns = MAX(s->at[i].heard_ns, m->heard_ns);
    report_set_int(s->at[i].object, "heard_seconds",
                   report_seconds_since((struct mono){s->at[i].heard_ns}));
    (void)json_array_append_new(s->at[i].points, point_report(s->outputs, m));
}

static json_t *past_report(const struct outputs *outputs, const struct mirror_past *past)
{
    const struct ledger *out[FAN_SINKS] = {0};
    json_t *o = json_object();
    for (unsigned i = 0; i < outputs->n; i++) {
        out[i] = outputs->output[i] ? &past->out[i] : NULL;
    }
    report_set_int(o, "count", (int64_t)past->n);
    set_way(o, outputs, &past->rx, out);
    return o;
}

static json_t *sockets_report(const struct mirrors_opened *opened)
{
    static const char *const kinds[] = {"vxlan", "gre", "tzsp", "ivtap"};
    json_t *list = json_array();
    for (unsigned i = 0; i < opened->n; i++) {
        json_t *o = json_object();
        report_set_str(o, "kind", kinds[opened->socket[i].kind]);
        if (opened->socket[i].port != 0) {
            report_set_int(o, "port", opened->socket[i].port);
        }
        (void)json_array_append_new(list, o);
    }
    return list;
}

void report_mirrors(json_t *doc, const struct mirrors *m, const struct describe_list *described)
{
    const struct mirrors_around *around = mirrors_around(m);
    const struct source *source = mirrors_source(m);
    const struct ledger *others = mirror_ledger(source);
    const struct ledger_way way = ledger_way_mirror(others);
    struct senders s = {.outputs = around->outputs, .described = described, .list = json_array()};
    struct mirror_past past = {.n = 0};
    struct mirror_figures figures;
    json_t *o = json_object();
    mirror_figures(source, &figures);
    mirror_points_each(mirror_source_points(source), add_point, &s, &past);
    (void)json_object_set_new(o, "sockets", sockets_report(around->opened));
    (void)json_object_set_new(o, "stages", report_stages(others, &way));
    report_set_int(o, "keepalives", (int64_t)figures.keepalives);
    report_set_int(o, "other_gre", (int64_t)figures.other_gre);
    (void)json_object_set_new(o, "senders", s.list);
    if (past.n > 0) {
        (void)json_object_set_new(o, "gone_interfaces", past_report(around->outputs, &past));
    }
    (void)json_object_set_new(doc, "mirrored", o);
}

/* ---- lines of the log ---- */

struct lines {
    const struct describe_list *described;
    const struct teller *teller;
};

static void put_word(FILE *to, const struct mirror_word *w)
{
    if (w->words > 0) {
        report_put_text(to, "ivtap", state_key(w->state));
        report_put(to, "latency_ms", w->latency_ms);
        report_put(to, "bytes_sent", (int64_t)MIN(w->sent, LEDGER_MOST));
        report_put(to, "bytes_missing", w->missing);
        report_put(to, "bytes_missing_most", w->missing_most);
    }
}

static void tell_line(void *user, const struct mirror_point *m)
{
    const struct lines *l = user;
    const char *words = describe_find(l->described, m->point.tap, m->point.tap);
    char line[TAP_LINE_MAX] = "";
    FILE *to = fmemopen(line, sizeof(line), "w");
    if (!to) {
        return;
    }
    fprintf(to, "sender=%s", m->point.tap);
    report_put_text(to, "tunnel", m->point.ifname);
    if (words) {
        report_put_text(to, "description", words);
    }
    report_put(to, "heard_seconds", report_seconds_since((struct mono){m->heard_ns}));
    report_put(to, "frames_received", (int64_t)ledger_get(&m->point.ledger, LEDGER_MIR_OUT));
    report_put(to, "bytes_received", (int64_t)ledger_get(&m->point.ledger, LEDGER_MIR_BYTES));
    put_word(to, &m->word);
    fclose(to);
    teller_tell(l->teller, "%s", line);
}

void report_mirrors_lines(const struct mirrors *m, const struct describe_list *described,
                          const struct teller *teller)
{
    struct lines l = {described, teller};
    mirror_points_each(mirror_source_points(mirrors_source(m)), tell_line, &l, NULL);
}

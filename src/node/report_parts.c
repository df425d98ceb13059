/* SPDX-License-Identifier: Apache-2.0 */
#include "node/report_parts.h"

#include "base/text.h"
#include "node/document.h"

void report_set_int(json_t *o, const char *key, int64_t v)
{
    (void)json_object_set_new(o, key, json_integer(v));
}

void report_set_str(json_t *o, const char *key, const char *v)
{
    char clean[1024]; /* jansson takes UTF-8 only, and a member must not be missing */
    if (v && !text_is_clean(v)) {
        text_line(clean, sizeof(clean), v);
        v = clean;
    }
    (void)json_object_set_new(o, key, v ? json_string(v) : json_null());
}

json_t *report_head(const char *role, const char *name)
{
    json_t *o = json_object();
    report_set_str(o, "role", role);
    report_set_str(o, "name", name);
    report_set_str(o, "version", FARSPAN_VERSION);
    return o;
}

void report_set_clock(json_t *o, int64_t rtt_ns, int64_t offset_ns)
{
    if (rtt_ns > 0) {
        report_set_int(o, "rtt_us", rtt_ns / 1000);
        report_set_int(o, "clock_offset_us", offset_ns / 1000);
    }
}

void report_set_history(json_t *o, const struct history *h)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < h->n; i++) {
        const struct history_event *e = history_at(h, i);
        char key[16];
        json_t *v = json_object();
        document_set(v, "number", e->number);
        report_set_int(v, "time_ns", e->at.ns);
        report_set_str(v, "kind", history_key(e->kind, key));
        report_set_str(v, "subject", e->subject);
        report_set_str(v, "words", e->words);
        (void)json_array_append_new(list, v);
    }
    (void)json_object_set_new(o, "history", list);
    document_set(o, "history_missed", h->missed);
}

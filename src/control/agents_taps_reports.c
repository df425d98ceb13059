/* SPDX-License-Identifier: Apache-2.0
 *
 * Reports of tap flows: their counts and their way into the store. The status follows in the next
 * look.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "control/agents_impl.h"

static void read_progress(const struct object *o, struct taps_progress *p)
{
    const struct value *v = &o->v[TAP_FLOW_F_PROGRESS];
    struct taps_counts *b = &p->before, *n = &p->now;
    *p = (struct taps_progress){.life = 0};
    if (v->set &&
        sscanf(v->text,
               "%" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64,
               &p->life, &b->frames, &b->bytes, &b->dropped, &n->frames, &n->bytes,
               &n->dropped) != 7) {
        *p = (struct taps_progress){.life = 0};
    }
}

static int64_t number(uint64_t n)
{
    return n > INT64_MAX ? INT64_MAX : (int64_t)n;
}

static int put_progress(struct object *o, const struct taps_progress *p)
{
    const struct taps_counts *b = &p->before, *n = &p->now, sum = taps_sum(p);
    char text[160];
    (void)snprintf(text, sizeof(text),
                   "%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64
                   " %" PRIu64,
                   p->life, b->frames, b->bytes, b->dropped, n->frames, n->bytes, n->dropped);
    object_set_int(o, TAP_FLOW_F_MATCHED_FRAMES, number(sum.frames));
    object_set_int(o, TAP_FLOW_F_MATCHED_BYTES, number(sum.bytes));
    object_set_int(o, TAP_FLOW_F_DROPPED, number(sum.dropped));
    return object_set_text(o, TAP_FLOW_F_PROGRESS, text);
}

static int put_way(struct object *o, enum tap_way way)
{
    static const char *const words[] = {
        [TAP_WAY_KERNEL] = "kernel", [TAP_WAY_PIPELINE] = "pipeline"};
    if (way == TAP_WAY_NONE) {
        object_set_null(o, TAP_FLOW_F_DATAPATH);
        return 0;
    }
    return object_set_text(o, TAP_FLOW_F_DATAPATH, words[way]);
}

/* The counts and the way; the status follows in the next look. */
static void store_report(struct agents *a, const struct tap_is *is)
{
    struct store *s = a->conf.store;
    const struct taps_counts c = {is->frames, is->bytes, is->dropped};
    struct taps_progress p;
    struct error err = {""};
    struct object o;
    char id[KIND_ID];
    uuid_text(is->id, id);
    const int r = s->ops->get(s, &kind_tap_flow, id, &o, &err);
    if (r < 0) {
        if (r != -ENOENT) {
            agents_say(a, &err);
        }
        return;
    }
    read_progress(&o, &p);
    const bool counted = taps_take(&p, is->life, &c);
    const char *before = o.v[TAP_FLOW_F_DATAPATH].set ? o.v[TAP_FLOW_F_DATAPATH].text : "";
    const bool other_way = (is->way == TAP_WAY_NONE) != (before[0] == '\0') ||
                           (is->way == TAP_WAY_KERNEL && strcmp(before, "kernel") != 0) ||
                           (is->way == TAP_WAY_PIPELINE && strcmp(before, "pipeline") != 0);
    if (counted || other_way) {
        if (put_progress(&o, &p) < 0 || put_way(&o, is->way) < 0) {
            agents_taps_no_memory(a);
        } else {
            (void)agents_put(a, &o);
        }
    }
    object_done(&o);
}

void agents_tap_report(struct agents *a, const struct tap_is *is)
{
    static const enum taps_reported reported[] = {
        [TAP_IS_FLOWING] = TAPS_FLOWS, [TAP_IS_AWAY] = TAPS_AWAY, [TAP_IS_FAILED] = TAPS_FAILED};
    struct agents_tap *t = agents_tap_find(&a->taps, is->id);
    if (!t || t->told != t->version) {
        return; /* it was not told of it, or what it says is of what was told before */
    }
    store_report(a, is);
    if (t->reported != reported[is->state] || strcmp(t->words, is->words) != 0) {
        t->reported = reported[is->state];
        (void)snprintf(t->words, sizeof(t->words), "%s", is->words);
        a->taps.changed = true;
    }
}

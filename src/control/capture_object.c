/* SPDX-License-Identifier: Apache-2.0
 *
 * Counts and spans of each life are kept in the hidden field "progress" as
 * {"lives":[[number, offered, unwanted, written, dropped, found], …],
 *  "spans":[[point, from, until], …]},
 * where the life of number 0 stands for those that are no longer told apart. Clients see them
 * summed up, and as "covered" and "gaps".
 */
#include "control/capture_object.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/batch.h"
#include "base/bytes.h"
#include "base/parse.h"
#include "model/texts.h"

enum {
    LIFE_NUMBERS = 6,
    SPAN_NUMBERS = 3,
};

/* ---- progress ---- */

/* A list of `n` whole numbers. */
static bool numbers(const json_t *list, size_t n, int64_t *ret)
{
    if (json_array_size(list) != n) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        const json_t *v = json_array_get(list, i);
        if (!json_is_integer(v)) {
            return false;
        }
        ret[i] = json_integer_value(v);
    }
    return true;
}

static bool read_life(const json_t *list, struct capture *c)
{
    int64_t v[LIFE_NUMBERS];
    if (!numbers(list, LIFE_NUMBERS, v)) {
        return false;
    }
    const struct capture_counts counts = {(uint64_t)v[1], (uint64_t)v[2], (uint64_t)v[3],
                                          (uint64_t)v[4]};
    if (v[0] == 0) {
        c->older = counts;
        return true;
    }
    if (c->n_lives == CAPTURE_LIVES) {
        return false;
    }
    c->life[c->n_lives++] =
        (struct capture_life){(uint64_t)v[0], counts, v[5] < 0 ? CAPTURE_UNKNOWN : (uint64_t)v[5]};
    return true;
}

static bool read_span(const json_t *list, struct capture *c)
{
    int64_t v[SPAN_NUMBERS];
    if (!numbers(list, SPAN_NUMBERS, v) || v[0] < 0 || v[0] >= CAPTURE_POINTS) {
        return false;
    }
    (void)spans_add(&c->covered[v[0]], v[1], v[2]);
    return true;
}

/* Text of the store's own; one that is none is taken for a beginning. */
static void read_progress(const char *text, struct capture *c)
{
    json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    const json_t *lives = json_object_get(root, "lives"), *spans = json_object_get(root, "spans");
    bool is_sound = true;
    for (size_t i = 0; i < json_array_size(lives); i++) {
        is_sound = is_sound && read_life(json_array_get(lives, i), c);
    }
    for (size_t i = 0; i < json_array_size(spans); i++) {
        is_sound = is_sound && read_span(json_array_get(spans, i), c);
    }
    json_decref(root);
}

static int64_t number(uint64_t v)
{
    return v > INT64_MAX ? INT64_MAX : (int64_t)v;
}

static void put_life(struct text *t, const struct capture_life *l)
{
    const struct capture_counts *v = &l->counts;
    text_add(t, "%s[%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 "]",
             l->number == 0 ? "" : ",", (int64_t)l->number, number(v->offered), number(v->unwanted),
             number(v->written), number(v->dropped),
             l->found == CAPTURE_UNKNOWN ? -1 : number(l->found));
}

static void put_progress(struct text *t, const struct capture *c)
{
    bool is_first = true;
    text_add(t, "{\"lives\":[");
    put_life(t, &(struct capture_life){0, c->older, CAPTURE_UNKNOWN});
    for (unsigned i = 0; i < c->n_lives; i++) {
        put_life(t, &c->life[i]);
    }
    text_add(t, "],\"spans\":[");
    for (unsigned i = 0; i < c->n_points; i++) {
        for (unsigned k = 0; k < c->covered[i].n; k++, is_first = false) {
            const struct span *v = &c->covered[i].at[k];
            text_add(t, "%s[%u,%" PRId64 ",%" PRId64 "]", is_first ? "" : ",", i, v->from_ns,
                     v->until_ns);
        }
    }
    text_add(t, "]}");
}

/* ---- from the object ---- */

static int64_t number_or(const struct object *o, unsigned field, int64_t none)
{
    return o->v[field].set ? o->v[field].n : none;
}

static const char *text_or(const struct object *o, unsigned field, const char *none)
{
    return o->v[field].set && o->v[field].text ? o->v[field].text : none;
}

static int word(const struct object *o, unsigned field)
{
    return field_word(&o->kind->field[field], text_or(o, field, ""));
}

int capture_of_object(const struct object *o, struct capture *ret)
{
    if (o->kind != &kind_capture || !o->v[CAPTURE_F_START].set) {
        return -EINVAL;
    }
    const int type = word(o, CAPTURE_F_TYPE), state = word(o, CAPTURE_F_STATE);
    const int points = texts_count(text_or(o, CAPTURE_F_POINTS, ""));
    const int code = word(o, CAPTURE_F_CODE);
    if (type < 0 || state < 0 || points < 1 || points > CAPTURE_POINTS) {
        return -EINVAL;
    }
    struct capture c = {
        .type = (enum capture_type)type,
        .start_ns = o->v[CAPTURE_F_START].n,
        .stop_ns = number_or(o, CAPTURE_F_STOP, INT64_MAX),
        .limit_frames = (uint64_t)number_or(o, CAPTURE_F_LIMIT_FRAMES, 0),
        .n_points = (unsigned)points,
        .state = (enum capture_state)state,
        .code = code < 0 ? CAPTURE_CODE_NONE : (enum capture_code)(code + 1),
        .began_ns = number_or(o, CAPTURE_F_BEGAN, 0),
        .ended_ns = number_or(o, CAPTURE_F_ENDED, 0),
        .published = (uint64_t)number_or(o, CAPTURE_F_BYTES, 0),
    };
    (void)snprintf(c.reason, sizeof(c.reason), "%s", text_or(o, CAPTURE_F_REASON, ""));
    read_progress(text_or(o, CAPTURE_F_PROGRESS, "{}"), &c);
    *ret = c;
    return 0;
}

/* ---- into the object ---- */

static int set_word(struct object *o, unsigned field, unsigned place)
{
    size_t len = 0;
    char buf[32];
    const char *at = field_word_at(&o->kind->field[field], place, &len);
    if (!at || len >= sizeof(buf)) {
        return -EINVAL;
    }
    memcpy(buf, at, len);
    buf[len] = '\0';
    return object_set_text(o, field, buf);
}

static void put_span(struct text *t, const char *point, const struct span *v, bool is_first)
{
    text_add(t, "%s{\"point\":", is_first ? "" : ",");
    text_add_json(t, point);
    text_add(t, ",\"from\":");
    text_add_time(t, v->from_ns);
    text_add(t, ",\"until\":");
    text_add_time(t, v->until_ns);
}

typedef char names[CAPTURE_POINTS][TEXTS_ITEM];

static void read_names(const struct object *o, names ret)
{
    const char *at = text_or(o, CAPTURE_F_POINTS, TEXTS_NONE);
    for (unsigned i = 0; i < CAPTURE_POINTS && texts_next(&at, ret[i]) > 0; i++) {
    }
}

static void put_covered(struct text *t, const struct capture *c, names points)
{
    bool is_first = true;
    text_add(t, "[");
    for (unsigned i = 0; i < c->n_points; i++) {
        for (unsigned k = 0; k < c->covered[i].n; k++, is_first = false) {
            put_span(t, points[i], &c->covered[i].at[k], is_first);
            text_add(t, "}");
        }
    }
    text_add(t, "]");
}

static void put_gaps(struct text *t, const struct capture *c, names points)
{
    struct capture_gap g = {0};
    text_add(t, "[");
    for (bool is_first = true; capture_next_gap(c, &g); is_first = false) {
        put_span(t, points[g.point], &g.span, is_first);
        text_add(t, ",\"why\":");
        text_add_json(t, g.why);
        text_add(t, "}");
    }
    text_add(t, "]");
}

/* Frees the text. */
static int set_made(struct object *o, unsigned field, struct text *t)
{
    const int r = t->failed ? -ENOMEM : object_set_text(o, field, t->p);
    text_free(t);
    return r;
}

static int set_lists(const struct capture *c, struct object *o)
{
    struct text covered = {0}, gaps = {0}, progress = {0};
    names points = {""};
    read_names(o, points);
    put_covered(&covered, c, points);
    put_gaps(&gaps, c, points);
    put_progress(&progress, c);
    const int r[] = {set_made(o, CAPTURE_F_COVERED, &covered), set_made(o, CAPTURE_F_GAPS, &gaps),
                     set_made(o, CAPTURE_F_PROGRESS, &progress)};
    return r[0] < 0 ? r[0] : r[1] < 0 ? r[1] : r[2];
}

static void set_time(struct object *o, unsigned field, int64_t ns)
{
    if (ns != 0) {
        object_set_int(o, field, ns);
    }
}

int capture_into_object(const struct capture *c, struct object *o)
{
    const struct capture_counts n = capture_counts(c);
    int r = set_word(o, CAPTURE_F_STATE, c->state);
    if (r == 0 && c->code != CAPTURE_CODE_NONE) {
        r = set_word(o, CAPTURE_F_CODE, (unsigned)c->code - 1);
    }
    if (r == 0 && c->reason[0]) {
        r = object_set_text(o, CAPTURE_F_REASON, c->reason);
    }
    set_time(o, CAPTURE_F_BEGAN, c->began_ns);
    set_time(o, CAPTURE_F_ENDED, c->ended_ns);
    object_set_int(o, CAPTURE_F_FRAMES, number(n.written));
    object_set_int(o, CAPTURE_F_BYTES, number(c->published));
    object_set_int(o, CAPTURE_F_OFFERED, number(n.offered));
    object_set_int(o, CAPTURE_F_UNWANTED, number(n.unwanted));
    object_set_int(o, CAPTURE_F_DROPPED, number(n.dropped));
    object_set_int(o, FIELD_OF_GENERATION, number_or(o, FIELD_OF_GENERATION, 0) + 1);
    return r < 0 ? r : set_lists(c, o);
}

/* ---- wishes ---- */

static int wish_points(const struct object *o, struct wanted *w, struct error *err)
{
    const char *at = text_or(o, CAPTURE_F_POINTS, TEXTS_NONE);
    char name[TEXTS_ITEM];
    while (texts_next(&at, name) > 0) {
        const size_t len = strlen(name);
        if (len >= WANTED_NAME || w->n_points == WANTED_POINTS) {
            return error_set(err, EINVAL, "%.80s is no name of an interface", name);
        }
        memcpy(w->point[w->n_points++], name, len + 1);
    }
    return w->n_points > 0 ? 0 : error_set(err, EINVAL, "it has no point");
}

/* "both", "in", "out": in this order. */
static uint8_t direction(const struct object *o)
{
    static const uint8_t of[] = {0, FRAME_DIR_IN, FRAME_DIR_OUT};
    const int place = word(o, CAPTURE_F_DIRECTION);
    return place > 0 && (size_t)place < sizeof(of) ? of[place] : 0;
}

int capture_wish(const struct object *o, const struct capture *c, uint64_t life, struct wanted *ret,
                 struct error *err)
{
    static const enum wanted_kind kinds_of[] = {WANTED_PACKET, WANTED_NETFLOW, WANTED_ETHERNET};
    const char *filter = text_or(o, CAPTURE_F_FILTER, "");
    const char *vlans = text_or(o, CAPTURE_F_VLANS, "");
    struct wanted w = {
        .kind = kinds_of[c->type],
        .dir = direction(o),
        .has_vlans = vlans[0] != '\0',
        .snaplen = (uint32_t)number_or(o, CAPTURE_F_SNAPLEN, 0),
        .period_ms = (uint32_t)number_or(o, CAPTURE_F_PERIOD, 1000),
        .start_ns = c->start_ns,
        .stop_ns = c->stop_ns,
        .most_bytes = (uint64_t)number_or(o, CAPTURE_F_LIMIT_BYTES, 0),
        .most_frames = capture_frames_left(c, life),
        .cancelled = capture_is_cancelled(c),
    };
    if (uuid_parse(text_or(o, FIELD_OF_ID, ""), w.id) < 0) {
        return error_set(err, EINVAL, "its id is none");
    }
    if (w.has_vlans && parse_vlan_list(vlans, &w.vlans, err) < 0) {
        return -EINVAL;
    }
    if (strlen(filter) >= sizeof(w.filter)) {
        return error_set(err, EINVAL, "its filter is too long");
    }
    (void)snprintf(w.filter, sizeof(w.filter), "%s", filter);
    if (wish_points(o, &w, err) < 0) {
        return -EINVAL;
    }
    *ret = w;
    return 0;
}

/* ---- reports ---- */

_Static_assert((int)WANTED_STOP_TIME == (int)CAPTURE_CODE_STOP_TIME &&
                   (int)WANTED_REFUSED == (int)CAPTURE_CODE_REFUSED &&
                   (int)WANTED_REASONS == (int)CAPTURE_CODE_MISSED,
               "reasons of reports are codes of captures");

struct capture_report capture_report_of(const struct wanted_is *is, uint64_t life)
{
    static const enum capture_state states[] = {[WANTED_WAITS] = CAPTURE_SCHEDULED,
                                                [WANTED_RUNS] = CAPTURE_RUNNING,
                                                [WANTED_FINISHES] = CAPTURE_FINISHING,
                                                [WANTED_DONE] = CAPTURE_DONE,
                                                [WANTED_FAILED] = CAPTURE_FAILED};
    struct capture_report r = {
        .life = life,
        .state = states[is->state],
        .code = (enum capture_code)is->reason,
        .words = is->words,
        .published = is->published,
        .found = is->found,
        .counts = {is->offered, is->unwanted, is->written, is->dropped},
        .n_points = is->n_points,
    };
    for (unsigned i = 0; i < is->n_points; i++) {
        r.point[i] = (struct span){is->point[i].from_ns, is->point[i].until_ns};
    }
    return r;
}

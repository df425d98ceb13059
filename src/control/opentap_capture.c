/* SPDX-License-Identifier: Apache-2.0
 *
 * OpenTap's call for a capture. Its times are whole seconds, and a capture may begin and end in the
 * same one.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "control/capture_new.h"
#include "control/opentap_impl.h"
#include "model/kinds.h"
#include "model/texts.h"

enum {
    SECONDS = 12, /* digits of a time */
};

#define SHORTEST_NS NSEC_PER_MSEC /* of a capture that stops when it starts */

struct call {
    const char *start, *stop; /* as they were sent */
    int64_t start_s, stop_s;
    bool late; /* the start was in the past, and is now */
};

/* A refusal; -1. */
static int refuse(struct api_turn *t, const char *words)
{
    (void)api_problem(t, 422, NULL, "%s", words);
    return -1;
}

static int take_time(struct api_turn *t, const char *name, const char *text, int64_t *ret)
{
    size_t n = text ? strlen(text) : 0;
    int64_t ns = 0;
    if (n == 0) {
        (void)api_problem(t, 400, NULL, "%s is missing", name);
        return -1;
    }
    if (n > SECONDS || strspn(text, "0123456789") != n || time_parse_seconds(text, &ns) < 0) {
        (void)api_problem(t, 422, NULL, "%s is no number of whole seconds since 1970, UTC", name);
        return -1;
    }
    *ret = ns / NSEC_PER_SEC;
    return 0;
}

static int take_times(struct api_turn *t, struct call *c)
{
    const int64_t now_s = t->now_ns / NSEC_PER_SEC;
    if (take_time(t, "start", c->start, &c->start_s) < 0 ||
        take_time(t, "stop", c->stop, &c->stop_s) < 0) {
        return -1;
    }
    if (c->start_s > c->stop_s) {
        return refuse(t, "Start time is later than stop time.");
    }
    if (c->stop_s < now_s) {
        return refuse(t, "Stop time is earlier than current time.");
    }
    c->late = c->start_s < now_s;
    c->start_s = MAX(c->start_s, now_s);
    return 0;
}

static void set_times(struct api_turn *t, const struct call *c, struct object *o)
{
    const int64_t start = MAX(c->start_s * NSEC_PER_SEC, t->now_ns);
    const int64_t stop = MAX(c->stop_s * NSEC_PER_SEC, start + SHORTEST_NS);
    object_set_int(o, CAPTURE_F_START, start);
    object_set_int(o, CAPTURE_F_STOP, stop);
}

static int set_type(struct api_turn *t, struct object *o)
{
    const char *type = t->n_segments > 0 ? t->segment[0] : "";
    if (!type[0]) {
        return refuse(t, "the type is missing: /capture/netflow, for example");
    }
    if (strcmp(type, "sensor") == 0 || strcmp(type, "temperature") == 0 ||
        strcmp(type, "motion") == 0 || strcmp(type, "vibration") == 0) {
        return refuse(t, "there are no sensors");
    }
    if (field_word(&kind_capture.field[CAPTURE_F_TYPE], type) < 0) {
        (void)api_problem(t, 422, NULL,
                          "there is no type %.60s: types are ethernet, netflow, packet", type);
        return -1;
    }
    return object_set_text(o, CAPTURE_F_TYPE, type) < 0 ? refuse(t, "memory is short") : 0;
}

static int set_point(struct api_turn *t, struct object *o)
{
    const char *point = api_parameter(t, "observationpt");
    char name[PORTS_POINT], list[2 * PORTS_POINT] = TEXTS_NONE;
    if (opentap_point(t, point ? point : api_parameter(t, "observationPt"), name) < 0) {
        return -1;
    }
    if (texts_add(list, sizeof(list), name) < 0 || object_set_text(o, CAPTURE_F_POINTS, list) < 0) {
        return refuse(t, "the observation point cannot be kept");
    }
    return 0;
}

/* It means nothing to the types without rows, as always. */
static int set_period(struct api_turn *t, struct object *o)
{
    const struct field *f = &kind_capture.field[CAPTURE_F_PERIOD];
    const char *text = api_parameter(t, "period");
    struct value v = {0};
    struct error err = {""};
    if (!text || strcmp(o->v[CAPTURE_F_TYPE].text, "ethernet") != 0) {
        return 0;
    }
    if (field_parse(f, text, &v, &err) < 0) {
        return refuse(t, err.text);
    }
    object_set_int(o, CAPTURE_F_PERIOD, v.n);
    return 0;
}

/* The client's own id, unless another capture has it: then it is ours. */
static int set_id(struct api_turn *t, struct object *o)
{
    const struct field *f = &kind_capture.field[CAPTURE_F_OPENTAP_ID];
    const char *id = api_parameter(t, "id");
    struct value v = {0};
    struct object other;
    if (!id || !id[0]) {
        return 0;
    }
    if (field_parse(f, id, &v, NULL) < 0) {
        return refuse(t, "id is no text of up to 256 bytes");
    }
    value_done(&v);
    int r = opentap_find(t, id, &other);
    if (r == 0) {
        object_done(&other);
        return 0;
    }
    if (r != -ENOENT) {
        return -1;
    }
    return object_set_text(o, CAPTURE_F_OPENTAP_ID, id) < 0 ? refuse(t, "memory is short") : 0;
}

static enum api_result answer(struct api_turn *t, const struct call *c, const struct object *o)
{
    struct text body = {0};
    text_add(&body, "{\"status\":\"success\",\"msg\":\"%s\",\"id\":",
             c->late ? "Changed startTime to now because it was in the past."
                     : "Capture scheduled.");
    text_add_json(&body, opentap_id(o));
    text_add(&body, ",\"startTime\":");
    if (c->late) {
        text_add(&body, "%" PRId64, c->start_s);
    } else {
        text_add_json(&body, c->start);
    }
    text_add(&body, ",\"stopTime\":");
    text_add_json(&body, c->stop);
    text_add(&body, ",\"duration\":%" PRId64 "}\n", c->stop_s - c->start_s);
    return api_json(t, 200, &body);
}

/* 0; 1: later; -1 with the answer. */
static int make(struct api_turn *t, const struct call *c, struct object *o)
{
    struct json_faults faults = {.n = 0};
    if (set_type(t, o) < 0 || set_point(t, o) < 0 || set_period(t, o) < 0 || set_id(t, o) < 0) {
        return -1;
    }
    set_times(t, c, o);
    if (object_defaults(o, NULL) < 0) {
        return refuse(t, "memory is short");
    }
    int r = capture_new_check(t, o, &faults);
    if (r == 0 && faults.n > 0) {
        return refuse(t, faults.at[0].text);
    }
    return r == 0 ? capture_new_put(t, o) : r;
}

enum api_result opentap_capture(struct api_turn *t)
{
    struct call c = {.start = api_parameter(t, "start"), .stop = api_parameter(t, "stop")};
    struct object o;
    if (!c.start && !c.stop) {
        return opentap_list(t);
    }
    if (t->request->method != HTTP_GET) {
        return api_problem(t, 405, NULL, "a capture is made by GET");
    }
    if (t->who.role < API_CAPTURE) {
        return api_problem(t, 403, NULL, "this needs the role %s, and %s has %s",
                           who_role_word(API_CAPTURE), t->who.name, who_role_word(t->who.role));
    }
    if (take_times(t, &c) < 0 || api_make(t, &kind_capture, &o) < 0) {
        return API_DONE;
    }
    int r = make(t, &c, &o);
    if (r == 0) {
        (void)answer(t, &c, &o);
    }
    object_done(&o);
    return r > 0 ? API_LATER : API_DONE;
}

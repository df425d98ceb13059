/* SPDX-License-Identifier: Apache-2.0
 *
 * The handlers that need to know nothing of an object but its kind, and the steps of which those
 * of particular kinds are made.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "control/api.h"
#include "control/negotiate.h"

int api_make(struct api_turn *t, const struct kind *k, struct object *ret)
{
    uint8_t random[10], id[16];
    char text[KIND_ID];
    struct object o;
    if (api_conf_of(t)->random(random, sizeof(random)) < 0) {
        (void)api_problem(t, 503, NULL, "the system gives no random numbers");
        return -EIO;
    }
    uuid_make((uint64_t)(t->now_ns / NSEC_PER_MSEC), random, id);
    uuid_text(id, text);
    object_init(&o, k);
    if (object_set_text(&o, FIELD_OF_ID, text) < 0 ||
        object_set_text(&o, FIELD_OF_PROJECT, t->who.project[0] ? t->who.project : WHO_LOCAL) < 0 ||
        object_set_text(&o, FIELD_OF_OWNER, t->who.name) < 0) {
        object_done(&o);
        (void)api_problem(t, 503, NULL, "memory is short");
        return -ENOMEM;
    }
    object_set_int(&o, FIELD_OF_GENERATION, 0); /* api_put() makes it 1 */
    object_set_int(&o, FIELD_OF_CREATED, t->now_ns);
    *ret = o;
    return 0;
}

int api_take(struct api_turn *t, bool change, struct object *o)
{
    struct json_faults faults = {.n = 0};
    int r = json_take_object(t->request->body, t->request->len, change, o, &faults);
    if (r == -EINVAL) {
        bool whole = faults.n > 0 && faults.at[0].pointer[0] == '\0';
        (void)api_problem(t, whole ? 400 : 422, &faults, "%s%s%s",
                          faults.n > 0 ? faults.at[0].pointer : "", whole ? "" : ": ",
                          faults.n > 0 ? faults.at[0].text : "the body is wrong");
    } else if (r < 0) {
        (void)api_problem(t, 503, NULL, "memory is short");
    }
    return r;
}

static void tag(const struct object *o, char *ret, size_t cap)
{
    snprintf(ret, cap, "\"%s-%" PRId64 "\"", o->v[FIELD_OF_ID].text, o->v[FIELD_OF_GENERATION].n);
}

enum api_result api_object(struct api_turn *t, int status, const struct object *o)
{
    char etag[80];
    struct text body = {0};
    bool reads = t->request->method == HTTP_GET || t->request->method == HTTP_HEAD;
    tag(o, etag, sizeof(etag));
    if (reads && negotiate_has_tag(http_header_of(t->request, "If-None-Match"), etag)) {
        http_answer_done(&t->answer);
        t->answer = HTTP_ANSWER_NONE;
        t->answer.status = 304;
    } else {
        json_put_object(&body, o, NULL);
        text_add(&body, "\n");
        (void)api_json(t, status, &body);
    }
    if (t->answer.status < 400) {
        http_answer_header(&t->answer, "ETag", "%s", etag);
    }
    return API_DONE;
}

enum api_result api_created(struct api_turn *t, const struct object *o)
{
    (void)api_object(t, 201, o);
    if (t->answer.status == 201) {
        http_answer_header(&t->answer, "Location", "%s/%s", t->route->path, o->v[FIELD_OF_ID].text);
    }
    return API_DONE;
}

enum api_result api_show(struct api_turn *t)
{
    struct object o;
    if (api_get(t, t->route->kind, t->segment[0], &o) < 0) {
        return API_DONE;
    }
    (void)api_object(t, 200, &o);
    object_done(&o);
    return API_DONE;
}

/* Tells of it: "note.created". */
static int tell(struct api_turn *t, const char *what, const struct object *o)
{
    char words[40];
    snprintf(words, sizeof(words), "%s.%s", o->kind->name, what);
    return api_event(t, words, o, "%s has %s it", t->who.name, what);
}

enum api_result api_create(struct api_turn *t)
{
    struct object o;
    if (api_make(t, t->route->kind, &o) < 0) {
        return API_DONE;
    }
    if (api_take(t, false, &o) == 0 && api_put(t, &o) == 0 && tell(t, "created", &o) == 0) {
        t->after_changed = true;
        (void)api_created(t, &o);
    }
    object_done(&o);
    return API_DONE;
}

enum api_result api_update(struct api_turn *t)
{
    struct object o;
    if (api_get(t, t->route->kind, t->segment[0], &o) < 0) {
        return API_DONE;
    }
    if (api_take(t, true, &o) == 0 && api_put(t, &o) == 0 && tell(t, "changed", &o) == 0) {
        t->after_changed = true;
        (void)api_object(t, 200, &o);
    }
    object_done(&o);
    return API_DONE;
}

enum api_result api_delete(struct api_turn *t)
{
    struct object o;
    if (api_get(t, t->route->kind, t->segment[0], &o) < 0) {
        return API_DONE;
    }
    if (api_remove(t, o.kind, o.v[FIELD_OF_ID].text) == 0 && tell(t, "deleted", &o) == 0) {
        t->after_changed = true;
        t->answer.status = 204;
    }
    object_done(&o);
    return API_DONE;
}

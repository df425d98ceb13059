/* SPDX-License-Identifier: Apache-2.0
 *
 * Captures: made, changed, cancelled, deleted. The tables of fields and control/captures.h have
 * most rules; here are those that need the store or the rest of the service. What is wrong is told
 * all at once.
 */
#include "control/capture_new.h"
#include "control/captures.h"
#include "control/v1_impl.h"
#include "model/kinds.h"

static void wrong(struct api_turn *t, const struct json_faults *f)
{
    (void)api_problem(t, 422, f, "%s: %s", f->at[0].pointer, f->at[0].text);
}

/* 0: it may be made; 1: later; -1 with the answer. */
static int check_new(struct api_turn *t, struct object *o)
{
    struct json_faults faults = {.n = 0};
    int r = capture_new_check(t, o, &faults);
    if (r == 0 && faults.n > 0) {
        wrong(t, &faults);
        return -1;
    }
    return r;
}

enum api_result v1_capture_create(struct api_turn *t)
{
    struct object o;
    int later = 0;
    if (api_make(t, &kind_capture, &o) < 0) {
        return API_DONE;
    }
    if (api_take(t, false, &o) == 0 && (later = check_new(t, &o)) == 0 &&
        capture_new_put(t, &o) == 0) {
        (void)api_created(t, &o);
    }
    object_done(&o);
    return later > 0 ? API_LATER : API_DONE;
}

/* False, with the answer, once it has ended. */
static bool goes_on(struct api_turn *t, const struct object *o)
{
    if (captures_ended(o)) {
        (void)api_problem(t, 409, NULL, "the capture has ended: it is %s",
                          o->v[CAPTURE_F_STATE].text);
        return false;
    }
    return true;
}

enum api_result v1_capture_update(struct api_turn *t)
{
    struct object o;
    struct json_faults faults = {.n = 0};
    if (api_get(t, &kind_capture, t->segment[0], &o) < 0) {
        return API_DONE;
    }
    if (goes_on(t, &o) && api_take(t, true, &o) == 0) {
        captures_check_stop(&o, t->now_ns, &faults);
        if (faults.n > 0) {
            wrong(t, &faults);
        } else if (api_put(t, &o) == 0 &&
                   api_event(t, "capture.changed", &o, "it has another stop") == 0) {
            t->after_changed = true;
            (void)api_object(t, 200, &o);
        }
    }
    object_done(&o);
    return API_DONE;
}

enum api_result v1_capture_cancel(struct api_turn *t)
{
    struct object o;
    if (t->request->len > 0) {
        return api_problem(t, 400, NULL, "a cancellation has no body");
    }
    if (api_get(t, &kind_capture, t->segment[0], &o) < 0) {
        return API_DONE;
    }
    if (goes_on(t, &o)) {
        if (captures_cancel(&o, t->now_ns, t->who.name) < 0) {
            (void)api_problem(t, 503, NULL, "memory is short");
        } else if (api_put(t, &o) == 0 &&
                   api_event(t, "capture.cancelled", &o, "cancelled by %s", t->who.name) == 0) {
            t->after_changed = true;
            (void)api_object(t, 200, &o);
        }
    }
    object_done(&o);
    return API_DONE;
}

enum api_result v1_capture_delete(struct api_turn *t)
{
    struct object o;
    if (api_get(t, &kind_capture, t->segment[0], &o) < 0) {
        return API_DONE;
    }
    /* One that goes on is wanted no more once it is gone, which ends it. */
    bool cancels = !captures_ended(&o);
    const char *id = o.v[FIELD_OF_ID].text;
    if ((!cancels || api_event(t, "capture.cancelled", &o, "cancelled by %s, to be deleted",
                               t->who.name) == 0) &&
        api_remove(t, &kind_capture, id) == 0 &&
        api_event(t, "capture.deleted", &o, "deleted by %s", t->who.name) == 0) {
        t->answer.status = 204;
        t->after_changed = true;
        t->after_delete = uuid_parse(id, t->deleted) == 0;
    }
    object_done(&o);
    return API_DONE;
}

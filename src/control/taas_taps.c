/* SPDX-License-Identifier: Apache-2.0
 *
 * Tap services and flows: what their clients ask of control/taps.h.
 */
#include <string.h>

#include "control/taas_impl.h"
#include "control/taps.h"

static const struct taas_resource *resource_of(const struct api_turn *t)
{
    return t->route->kind == &kind_tap_flow ? &taas_flow : &taas_service;
}

enum api_result taas_taps_list(struct api_turn *t)
{
    return taas_list_of(t, resource_of(t));
}

enum api_result taas_taps_show(struct api_turn *t)
{
    return taas_show_of(t, resource_of(t), t->segment[0]);
}

/* ---- new ones ---- */

/* The ids as they were given; those of the object are others by now. */
static const char *given(const json_t *item, const char *attribute)
{
    const char *ret = json_string_value(json_object_get(item, attribute));
    return ret ? ret : "";
}

/* The fault as its answer. */
static void refuse(struct api_turn *t, const struct taas_resource *r, const json_t *item,
                   enum tap_fault f, const struct error *err)
{
    const bool is_flow = r == &taas_flow;
    switch (f) {
    case TAP_FAULT_NONE:
    case TAP_FAULT_LATER:
    case TAP_FAULT_ANSWERED:
        return;
    case TAP_FAULT_NO_PORT:
        taas_missing(t, &taas_port, given(item, is_flow ? "source_port" : "port_id"));
        return;
    case TAP_FAULT_FOREIGN_PORT:
        taas_error(t, 403, "PortDoesNotBelongToTenant",
                   "The specified port does not belong to the tenant");
        return;
    case TAP_FAULT_NO_SERVICE:
    case TAP_FAULT_SEVERAL:
    case TAP_FAULT_LEAVES: /* upstream has none that is on its way out */
        taas_missing(t, &taas_service, given(item, "tap_service_id"));
        return;
    case TAP_FAULT_FOREIGN_SERVICE:
        taas_error(t, 403, "TapServiceNotBelongToTenant",
                   "Specified Tap Service does not belong to the tenant");
        return;
    case TAP_FAULT_LOOP:
        taas_error(t, 409, "TapFlowLoop", "%s", err->text);
        return;
    case TAP_FAULT_FILTER:
        taas_invalid(t, "filter", "%s", err->text);
        return;
    case TAP_FAULT_QUOTA:
        break;
    }
    taas_error(t, 409, "OverQuota", "Quota exceeded for resources: ['%s'].", r->name);
}

/* One of those that are made at once: checked, and then kept in `made`. */
static enum tap_fault check(struct api_turn *t, const struct taas_resource *r, const json_t *item,
                            struct objects *made)
{
    struct object o;
    struct error err = {""};
    const char *project = NULL;
    enum tap_fault f = TAP_FAULT_ANSWERED;
    if (!taas_project_of(t, item, &project) || api_make(t, r->kind, &o) < 0) {
        return f;
    }
    if (taas_fill(t, r, item, false, &o)) {
        f = object_defaults(&o, &err) < 0 ? (taas_no_memory(t), TAP_FAULT_ANSWERED)
            : r == &taas_flow             ? taps_check_flow(t, &o, project, made, &err)
                                          : taps_check_service(t, &o, project, made, &err);
        refuse(t, r, item, f, &err);
    }
    if (f == TAP_FAULT_NONE && objects_keep(made, &o) < 0) {
        (void)taas_no_memory(t);
        f = TAP_FAULT_ANSWERED;
    }
    object_done(&o);
    return f;
}

/* An edge looks at one filter for a request. */
static bool have_one_filter(struct api_turn *t, const json_t *items)
{
    size_t i;
    const json_t *item, *first = NULL;
    json_array_foreach((json_t *)items, i, item)
    {
        const json_t *filter = json_object_get(item, "filter");
        if (filter && first && !json_equal(filter, first)) {
            taas_invalid(t, "filter", "flows that are made at once have the same one.");
            return false;
        }
        first = filter ? filter : first;
    }
    return true;
}

static enum api_result answer(struct api_turn *t, const struct taas_resource *r, int status,
                              const struct objects *list, bool several)
{
    json_t *rows = json_array();
    int e = rows ? 0 : -1;
    for (size_t i = 0; i < list->n && e == 0; i++) {
        json_t *row = r->row(t, r, &list->at[i]);
        if (row) {
            taas_choose(t, r, row);
        }
        e = json_array_append_new(rows, row);
    }
    json_t *document = e < 0     ? NULL
                       : several ? json_pack("{s:O}", r->plural, rows)
                                 : json_pack("{s:O}", r->name, json_array_get(rows, 0));
    json_decref(rows);
    return taas_answer(t, status, document);
}

/* All or nothing: each is checked before the first is put. */
static enum tap_fault make(struct api_turn *t, const struct taas_resource *r,
                           const struct taas_body *b)
{
    struct objects made = {0};
    enum tap_fault f = have_one_filter(t, b->items) ? TAP_FAULT_NONE : TAP_FAULT_ANSWERED;
    const json_t *item;
    size_t i;
    json_array_foreach(b->items, i, item)
    {
        f = f == TAP_FAULT_NONE ? check(t, r, item, &made) : f;
    }
    for (i = 0; i < made.n && f == TAP_FAULT_NONE; i++) {
        f = taps_put(t, &made.at[i]) ? f : TAP_FAULT_ANSWERED;
    }
    if (f == TAP_FAULT_NONE) {
        (void)answer(t, r, 201, &made, b->several);
    }
    objects_done(&made);
    return f;
}

enum api_result taas_taps_create(struct api_turn *t)
{
    const struct taas_resource *r = resource_of(t);
    struct taas_body b;
    enum tap_fault f = TAP_FAULT_ANSWERED;
    if (taas_body_take(t, r, true, &b)) {
        f = make(t, r, &b);
    }
    taas_body_done(&b);
    return f == TAP_FAULT_LATER ? API_LATER : API_DONE;
}

/* ---- those that are there ---- */

static void change(struct api_turn *t, const struct taas_resource *r, const json_t *item,
                   struct object *o)
{
    const struct objects one = {.at = o, .n = 1};
    char what[40];
    (void)snprintf(what, sizeof(what), "%s.changed", o->kind->name);
    if (!taas_fill(t, r, item, true, o)) {
        return;
    }
    if (json_object_size(item) == 0 ||
        (api_put(t, o) == 0 && api_event(t, what, o, "%s has changed it", t->who.name) == 0)) {
        t->after_changed = json_object_size(item) > 0;
        (void)answer(t, r, 200, &one, false);
    }
}

enum api_result taas_taps_update(struct api_turn *t)
{
    const struct taas_resource *r = resource_of(t);
    struct taas_body b;
    struct object o;
    const char *project = NULL;
    if (taas_body_take(t, r, false, &b)) {
        const json_t *item = json_array_get(b.items, 0);
        if (taas_project_of(t, item, &project) && taas_get(t, r, t->segment[0], &o) == 0) {
            change(t, r, item, &o);
            object_done(&o);
        }
    }
    taas_body_done(&b);
    return API_DONE;
}

enum api_result taas_taps_delete(struct api_turn *t)
{
    struct object o;
    if (taas_get(t, resource_of(t), t->segment[0], &o) < 0) {
        return API_DONE;
    }
    if (taps_delete(t, &o)) {
        t->answer.status = 204;
    }
    object_done(&o);
    return API_DONE;
}

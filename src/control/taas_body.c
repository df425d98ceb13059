/* SPDX-License-Identifier: Apache-2.0
 *
 * Bodies of requests, checked in OpenStack Networking's order and refused in its words.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "control/json_document.h"
#include "control/taas_impl.h"
#include "model/taps.h"

enum {
    SHOWN = 300, /* bytes of a value that a refusal shows */
};

/* A refusal; false. */
#define REFUSE(...) (taas_error(t, 400, "HTTPBadRequest", __VA_ARGS__), false)

/* ---- the document ---- */

static bool take_several(struct api_turn *t, const struct taas_resource *r, json_t *list,
                         struct taas_body *b)
{
    size_t i;
    const json_t *item;
    if (!json_is_array(list) || json_array_size(list) == 0) {
        return REFUSE("Resources required");
    }
    json_array_foreach(list, i, item)
    {
        if (!json_is_object(item)) {
            return REFUSE("Object '%s' contains invalid data", r->name);
        }
    }
    b->several = true;
    b->items = json_incref(list);
    return true;
}

static bool take_one(struct api_turn *t, const struct taas_resource *r, json_t *item,
                     struct taas_body *b)
{
    if (!item || json_is_null(item)) {
        return REFUSE("Unable to find '%s' in request body", r->name);
    }
    if (!json_is_object(item)) {
        return REFUSE("Object '%s' contains invalid data", r->name);
    }
    b->items = json_array();
    if (json_array_append(b->items, item) < 0) {
        return taas_no_memory(t), false;
    }
    return true;
}

bool taas_body_take(struct api_turn *t, const struct taas_resource *r, bool bulk,
                    struct taas_body *ret)
{
    struct error err = {""};
    *ret = (struct taas_body){0};
    if (t->request->len == 0) {
        return REFUSE("Resource body required");
    }
    const int e = json_document(t->request->body, t->request->len, &ret->document, &err);
    if (e == -ENOMEM) {
        return taas_no_memory(t), false;
    }
    if (e < 0) {
        taas_error(t, 400, "MalformedRequestBody",
                   "Malformed request body: Cannot understand JSON.");
        return false;
    }
    if (!json_is_object(ret->document) || json_object_size(ret->document) == 0) {
        return REFUSE("Resource body required");
    }
    json_t *list = json_object_get(ret->document, r->plural);
    if (list && !bulk) {
        return REFUSE("Bulk operation not supported");
    }
    return list ? take_several(t, r, list, ret)
                : take_one(t, r, json_object_get(ret->document, r->name), ret);
}

void taas_body_done(struct taas_body *b)
{
    json_decref(b->items);
    json_decref(b->document);
    *b = (struct taas_body){0};
}

/* ---- projects ---- */

static bool is_project(struct api_turn *t, const char *name, const json_t *value)
{
    char shown[SHOWN];
    if (value && !json_is_string(value)) {
        taas_shown(value, shown, sizeof(shown));
        taas_invalid(t, name, "'%s' is not a valid string.", shown);
        return false;
    }
    if (value && json_string_length(value) > TAAS_PROJECT_MAX) {
        taas_invalid(t, name, "'%.*s...' exceeds maximum length of %d.", TAAS_PROJECT_MAX,
                     json_string_value(value), TAAS_PROJECT_MAX);
        return false;
    }
    if (value && (json_string_length(value) == 0 || !text_is_clean(json_string_value(value)))) {
        taas_invalid(t, name, "it is empty, or has control characters.");
        return false;
    }
    return true;
}

bool taas_project_of(struct api_turn *t, const json_t *item, const char **ret)
{
    const json_t *tenant = json_object_get(item, "tenant_id"),
                 *project = json_object_get(item, "project_id");
    const char *own = t->who.project[0] ? t->who.project : WHO_LOCAL;
    if (!is_project(t, "tenant_id", tenant) || !is_project(t, "project_id", project)) {
        return false;
    }
    if (tenant && project && !json_equal(tenant, project)) {
        return REFUSE("'project_id' and 'tenant_id' do not match");
    }
    const json_t *either = tenant ? tenant : project;
    *ret = either ? json_string_value(either) : own;
    if (!api_sees_all(t) && strcmp(*ret, own) != 0) {
        return REFUSE("Specifying 'project_id' or 'tenant_id' other than the authenticated project "
                      "in request requires admin or advsvc privileges");
    }
    return true;
}

/* ---- attributes ---- */

static bool are_known(struct api_turn *t, const struct taas_resource *r, const json_t *item)
{
    struct text unknown = {0};
    const char *key;
    const json_t *value;
    json_object_foreach((json_t *)item, key, value)
    {
        if (!taas_attribute_of(r, key)) {
            text_add(&unknown, "%s%s", unknown.len ? ", " : "", key);
        }
    }
    const bool ok = unknown.len == 0 && !unknown.failed;
    if (!ok) {
        (void)REFUSE("Unrecognized attribute(s) '%.400s'", unknown.p ? unknown.p : "");
    }
    text_free(&unknown);
    return ok;
}

static bool may_be_given(struct api_turn *t, const struct taas_resource *r, const json_t *item,
                         bool change)
{
    for (const struct taas_attribute *a = r->attribute; a->name; a++) {
        const bool given = json_object_get(item, a->name) != NULL;
        if (change ? given && !(a->flags & TAAS_PUT) : given && !(a->flags & TAAS_POST)) {
            return change ? REFUSE("Cannot update read-only attribute %s", a->name)
                          : REFUSE("Attribute '%s' not allowed in POST", a->name);
        }
        if (!change && !given && a->flags & TAAS_MUST) {
            return REFUSE("Failed to parse request. Required attribute '%s' not specified",
                          a->name);
        }
    }
    return true;
}

/* ---- values ---- */

/* One attribute's value, and the object that it goes into. */
struct filling {
    struct api_turn *t;
    const struct taas_attribute *a;
    struct object *o;
    const json_t *value;
    char shown[SHOWN];
};

static bool set(struct filling *f, const char *text)
{
    if (object_set_text(f->o, f->a->field, text) < 0) {
        return taas_no_memory(f->t), false;
    }
    return true;
}

static bool fill_text(struct filling *f)
{
    const struct field *field = &f->o->kind->field[f->a->field];
    const char *text = json_string_value(f->value);
    const struct value v = {.set = true, .text = (char *)text};
    struct error err = {""};
    if (!text) {
        taas_invalid(f->t, f->a->name, "'%s' is not a valid string.", f->shown);
        return false;
    }
    if (field->max > 0 && json_string_length(f->value) > (size_t)field->max) {
        taas_invalid(f->t, f->a->name, "'%s' exceeds maximum length of %d.", f->shown,
                     (int)field->max);
        return false;
    }
    if (field_check(field, &v, &err) < 0) {
        taas_invalid(f->t, f->a->name, "%s", err.text);
        return false;
    }
    return set(f, text);
}

static bool fill_id(struct filling *f)
{
    const char *text = json_string_value(f->value);
    uint8_t bytes[UUID_BYTES];
    char id[UUID_TEXT];
    if (!text || uuid_parse(text, bytes) < 0) {
        taas_invalid(f->t, f->a->name, "'%s' is not a valid UUID.", f->shown);
        return false;
    }
    uuid_text(bytes, id);
    return set(f, id);
}

static bool fill_direction(struct filling *f)
{
    static const char *const words[][2] = {{"IN", "in"}, {"OUT", "out"}, {"BOTH", "both"}};
    const char *text = json_string_value(f->value);
    for (size_t i = 0; text && i < ARRAY_SIZE(words); i++) {
        if (strcmp(words[i][0], text) == 0) {
            return set(f, words[i][1]);
        }
    }
    taas_invalid(f->t, f->a->name, "%s is not in valid_values.", f->shown);
    return false;
}

static bool fill_vlans(struct filling *f)
{
    const char *text = json_string_value(f->value);
    if (json_is_null(f->value)) {
        return true;
    }
    if (!text || strlen(text) > TAP_VLANS_MAX || taps_check_vlans(text, NULL) < 0) {
        taas_invalid(f->t, f->a->name, "'%s' is not a valid input.", f->shown);
        return false;
    }
    return set(f, text);
}

static bool fill_word(struct filling *f)
{
    const char *text = json_string_value(f->value);
    if (!text || field_word(&f->o->kind->field[f->a->field], text) < 0) {
        taas_invalid(f->t, f->a->name, "%s is not in valid_values.", f->shown);
        return false;
    }
    return set(f, text);
}

static bool fill(struct filling *f)
{
    taas_shown(f->value, f->shown, sizeof(f->shown));
    switch (f->a->form) {
    case TAAS_TEXT:
        return fill_text(f);
    case TAAS_PORT:
    case TAAS_ID:
        return fill_id(f);
    case TAAS_DIRECTION:
        return fill_direction(f);
    case TAAS_VLANS:
        return fill_vlans(f);
    case TAAS_WORD:
        return fill_word(f);
    case TAAS_PROJECT: /* taas_project_of() has looked at it */
    case TAAS_INT:     /* no client gives one */
        break;
    }
    return true;
}

bool taas_fill(struct api_turn *t, const struct taas_resource *r, const json_t *item, bool change,
               struct object *o)
{
    if (!are_known(t, r, item) || !may_be_given(t, r, item, change)) {
        return false;
    }
    for (const struct taas_attribute *a = r->attribute; a->name; a++) {
        struct filling f = {.t = t, .a = a, .o = o, .value = json_object_get(item, a->name)};
        if (f.value && !fill(&f)) {
            return false;
        }
    }
    return true;
}

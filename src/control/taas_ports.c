/* SPDX-License-Identifier: Apache-2.0
 *
 * Ports: interfaces as clients look them up, and claims on them (taas_claim.h) by those who manage
 * ports elsewhere.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "control/objects.h"
#include "control/taas_claim.h"
#include "control/taas_impl.h"
#include "control/taps.h"

enum {
    MAC_TEXT = 17, /* characters of an address */
};

enum api_result taas_ports_list(struct api_turn *t)
{
    return taas_list_of(t, &taas_port);
}

enum api_result taas_ports_show(struct api_turn *t)
{
    return taas_show_of(t, &taas_port, t->segment[0]);
}

/* ---- a claim's words ---- */

static bool is_operator(struct api_turn *t)
{
    if (!api_sees_all(t)) {
        (void)api_problem(t, 403, NULL, "only an admin of no project makes ports");
    }
    return api_sees_all(t);
}

static bool is_text(struct api_turn *t, const json_t *item, const char *key)
{
    char shown[300];
    const json_t *value = json_object_get(item, key);
    if (value && !json_is_string(value)) {
        taas_shown(value, shown, sizeof(shown));
        taas_invalid(t, key, "'%s' is not a valid string.", shown);
        return false;
    }
    if (value && !text_is_clean(json_string_value(value))) {
        taas_invalid(t, key, "it has control characters.");
        return false;
    }
    if (value && json_string_length(value) > TAAS_NAME_MAX) {
        taas_invalid(t, key, "'%.200s...' exceeds maximum length of %d.", json_string_value(value),
                     TAAS_NAME_MAX);
        return false;
    }
    return true;
}

/* "02:00:00:00:00:01", in letters of either size. */
static bool is_mac(struct api_turn *t, const char *mac)
{
    size_t i = 0;
    for (; mac && mac[i]; i++) {
        if (i % 3 == 2 ? mac[i] != ':' : !strchr("0123456789abcdefABCDEF", mac[i])) {
            break;
        }
    }
    if (mac && (i != MAC_TEXT || mac[i])) {
        taas_invalid(t, "mac_address", "'%.200s' is not a valid MAC address.", mac);
        return false;
    }
    return true;
}

/* Members that are read have the form that they are read in; all others are the manager's own. */
static bool are_good(struct api_turn *t, const json_t *item)
{
    static const char *const own[] = {"id", "status"};
    static const char *const texts[] = {"name", "description", "mac_address", "binding:host_id"};
    const json_t *profile = json_object_get(item, "binding:profile");
    for (size_t i = 0; i < ARRAY_SIZE(own); i++) {
        if (json_object_get(item, own[i])) {
            taas_error(t, 400, "HTTPBadRequest", "Attribute '%s' not allowed in %s", own[i],
                       t->request->method == HTTP_POST ? "POST" : "PUT");
            return false;
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        if (!is_text(t, item, texts[i])) {
            return false;
        }
    }
    if (profile && !json_is_object(profile)) {
        taas_invalid(t, "binding:profile", "it is not a dictionary.");
        return false;
    }
    return is_mac(t, json_string_value(json_object_get(item, "mac_address"))) &&
           is_text(t, profile, "farspan");
}

/* The words as the port keeps them, the new ones over those before. */
static bool keep_words(struct api_turn *t, const json_t *item, struct object *port)
{
    const struct value *v = &port->v[PORT_F_CLAIM_WORDS];
    json_t *words = v->set ? json_loads(v->text, 0, NULL) : json_object();
    int r = words ? json_object_update(words, (json_t *)item) : -1;
    (void)json_object_del(words, "tenant_id"); /* the project is the port's */
    (void)json_object_del(words, "project_id");
    char *text = r < 0 ? NULL : json_dumps(words, JSON_COMPACT);
    json_decref(words);
    if (!text || strlen(text) > CLAIM_WORDS_MAX) {
        const bool too_many = text != NULL;
        free(text);
        if (too_many) {
            taas_error(t, 400, "HTTPBadRequest", "A port has at most %d bytes of attributes",
                       CLAIM_WORDS_MAX);
            return false;
        }
        return taas_no_memory(t), false;
    }
    r = object_set_text(port, PORT_F_CLAIM_WORDS, text);
    free(text);
    return r == 0 || (taas_no_memory(t), false);
}

/* The interface that the port's words name; false with the answer. */
static bool expect(struct api_turn *t, struct object *port)
{
    struct error err = {""};
    json_t *words = json_loads(port->v[PORT_F_CLAIM_WORDS].text, 0, NULL);
    const int r = words ? claim_expect(port, port->v[PORT_F_CLAIM].text, words, &err) : -ENOMEM;
    json_decref(words);
    if (r == -EINVAL) {
        taas_invalid(t, "binding:profile", "%s", err.text);
    } else if (r < 0) {
        (void)taas_no_memory(t);
    }
    return r == 0;
}

static enum api_result answer(struct api_turn *t, int status, const struct object *port)
{
    json_t *row = taas_port_row(t, &taas_port, port);
    if (row) {
        taas_choose(t, &taas_port, row);
    }
    return taas_answer(t, status, row ? json_pack("{s:o}", "port", row) : NULL);
}

static bool put(struct api_turn *t, struct object *port, const char *what)
{
    t->after_changed = true;
    return api_put(t, port) == 0 &&
           api_event(t, what, port, "%s has %.200s", t->who.name, taas_port_id(port)) == 0;
}

/* ---- POST ---- */

static void create(struct api_turn *t, const json_t *item, struct object *stand_in)
{
    struct object port;
    struct error err = {""};
    const char *project = NULL;
    if (!are_good(t, item) || !taas_project_of(t, item, &project) ||
        !keep_words(t, item, stand_in)) {
        return;
    }
    if (object_set_text(stand_in, PORT_F_CLAIM, stand_in->v[FIELD_OF_ID].text) < 0 ||
        object_set_text(stand_in, FIELD_OF_PROJECT, project) < 0 ||
        object_defaults(stand_in, &err) < 0) {
        (void)taas_no_memory(t);
        return;
    }
    if (!expect(t, stand_in)) {
        return;
    }
    const int r = claim_find(api_conf_of(t)->store, stand_in, &port, &err);
    if (r == 0) {
        if (claim_move(stand_in, &port) < 0) {
            (void)taas_no_memory(t);
        } else if (put(t, &port, "port.claimed")) {
            (void)answer(t, 201, &port);
        }
        object_done(&port);
    } else if (r == -ENOENT) {
        if (put(t, stand_in, "port.claimed")) {
            (void)answer(t, 201, stand_in);
        }
    } else if (r == -EBUSY) {
        taas_error(t, 409, "PortInUse", "%s", err.text);
    } else {
        (void)api_problem(t, 503, NULL, "the store: %s", err.text);
    }
}

enum api_result taas_ports_create(struct api_turn *t)
{
    struct taas_body b;
    struct object stand_in;
    if (!is_operator(t)) {
        return API_DONE;
    }
    if (taas_body_take(t, &taas_port, false, &b) && api_make(t, &kind_port, &stand_in) == 0) {
        create(t, json_array_get(b.items, 0), &stand_in);
        object_done(&stand_in);
    }
    taas_body_done(&b);
    return API_DONE;
}

/* ---- PUT ---- */

/* A port that waits for its interface may wait for another one; a port that has one keeps it. */
static bool rebind(struct api_turn *t, struct object *port)
{
    struct object would;
    bool ok = false;
    if (claim_waits(port)) {
        return expect(t, port);
    }
    object_init(&would, port->kind);
    if (object_copy(&would, port) < 0) {
        (void)taas_no_memory(t);
    } else if (expect(t, &would)) {
        const json_t *words = json_loads(port->v[PORT_F_CLAIM_WORDS].text, 0, NULL);
        const bool outright =
            json_object_get(json_object_get(words, "binding:profile"), "farspan") != NULL;
        json_decref((json_t *)words);
        ok = !outright || (value_compare(&kind_port.field[PORT_F_NAME], &would.v[PORT_F_NAME],
                                         &port->v[PORT_F_NAME]) == 0 &&
                           value_compare(&kind_port.field[PORT_F_AGENT], &would.v[PORT_F_AGENT],
                                         &port->v[PORT_F_AGENT]) == 0);
        if (!ok) {
            taas_error(t, 409, "PortInUse", "The port is bound to another interface already.");
        }
    }
    object_done(&would);
    return ok;
}

enum api_result taas_ports_update(struct api_turn *t)
{
    struct taas_body b;
    struct object port;
    if (!is_operator(t)) {
        return API_DONE;
    }
    if (!taas_body_take(t, &taas_port, false, &b)) {
        taas_body_done(&b);
        return API_DONE;
    }
    const json_t *item = json_array_get(b.items, 0);
    if (taas_get(t, &taas_port, t->segment[0], &port) == 0) {
        if (json_object_get(item, "tenant_id") || json_object_get(item, "project_id")) {
            taas_error(t, 400, "HTTPBadRequest", "Cannot update read-only attribute tenant_id");
        } else if (!port.v[PORT_F_CLAIM].set) {
            taas_error(t, 409, "Conflict",
                       "The port is an interface of this service, which nobody has claimed.");
        } else if (are_good(t, item) && keep_words(t, item, &port) && rebind(t, &port) &&
                   put(t, &port, "port.changed")) {
            (void)answer(t, 200, &port);
        }
        object_done(&port);
    }
    taas_body_done(&b);
    return API_DONE;
}

/* ---- DELETE ---- */

static int keep(void *user, const struct object *o)
{
    return objects_keep(user, o);
}

static bool delete_those(struct api_turn *t, const struct kind *k, unsigned field,
                         const struct value *port)
{
    const struct store_query q = {.filter = {{field, port}}, .n_filters = 1, .sort = FIELD_OF_ID};
    struct objects l = {0};
    bool ok = api_each(t, k, &q, keep, &l) == 0;
    for (size_t i = 0; i < l.n; i++) {
        ok = ok && taps_delete(t, &l.at[i]);
    }
    objects_done(&l);
    return ok;
}

/* The interface stays, and is the operator's again. */
static bool give_back(struct api_turn *t, struct object *port)
{
    object_set_null(port, PORT_F_CLAIM_WORDS);
    if (object_set_text(port, FIELD_OF_PROJECT, WHO_LOCAL) < 0) {
        return taas_no_memory(t), false;
    }
    object_set_null(port, PORT_F_CLAIM);
    return api_put(t, port) == 0;
}

enum api_result taas_ports_delete(struct api_turn *t)
{
    struct object port;
    if (!is_operator(t) || taas_get(t, &taas_port, t->segment[0], &port) < 0) {
        return API_DONE;
    }
    const struct value *id = &port.v[FIELD_OF_ID];
    t->after_changed = true;
    if (!port.v[PORT_F_CLAIM].set) {
        taas_error(t, 409, "Conflict",
                   "The port is an interface of this service, which nobody has claimed.");
    } else if (delete_those(t, &kind_tap_service, TAP_SERVICE_F_PORT, id) &&
               delete_those(t, &kind_tap_flow, TAP_FLOW_F_SOURCE, id) &&
               api_event(t, "port.deleted", &port, "%s has deleted it", t->who.name) == 0 &&
               (claim_waits(&port) ? api_remove(t, &kind_port, id->text) == 0
                                   : give_back(t, &port))) {
        t->answer.status = 204;
    }
    object_done(&port);
    return API_DONE;
}

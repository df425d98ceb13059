/* SPDX-License-Identifier: Apache-2.0
 *
 * Objects as their clients see them.
 */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "control/taas_impl.h"

/* The one network that all ports are in: clients want one, and farspan taps none. */
#define NETWORK_ID "6661722d-7370-416e-8000-000000000001"

/* ---- ports ---- */

const char *taas_port_id(const struct object *port)
{
    const struct value *claim = &port->v[PORT_F_CLAIM];
    return claim->set ? claim->text : port->v[FIELD_OF_ID].text;
}

/* A port of any project, and nothing else: the store's failure is as if there were none. */
static int look_up(struct api_turn *t, const char *id, struct object *ret)
{
    struct store *s = api_conf_of(t)->store;
    return s->ops->get(s, &kind_port, id, ret, NULL);
}

/* "home:eth0", "web1:eth0". */
static void name_with_host(const struct object *port, char ret[PORTS_POINT + 8])
{
    char name[PORTS_POINT];
    const struct value *agent = &port->v[PORT_F_AGENT];
    const bool far = agent->set && agent->text[0];
    ports_name(port, name);
    (void)snprintf(ret, PORTS_POINT + 8, "%s%s", far ? "" : PORTS_HOME, name);
}

bool taas_port_means(const struct object *o, const char *attribute, const char *word)
{
    return strcmp(attribute, "name") == 0 && ports_means(o, word);
}

/* The words of its manager, or none. NULL: memory is short. */
static json_t *words_of(const struct object *port)
{
    const struct value *v = &port->v[PORT_F_CLAIM_WORDS];
    json_t *words = v->set ? json_loads(v->text, 0, NULL) : NULL;
    return words ? words : json_object();
}

/* Members that a port has, whoever made it. */
static json_t *port_defaults(struct api_turn *t, const struct object *port)
{
    const char *project = port->v[FIELD_OF_PROJECT].text;
    const struct value *alias = &port->v[PORT_F_ALIAS];
    char name[PORTS_POINT + 8];
    name_with_host(port, name);
    json_t *row =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:s, s:s, s:s, s:[], s:[], s:b}", "id",
                  taas_port_id(port), "name", alias->set ? alias->text : name, "network_id",
                  NETWORK_ID, "tenant_id", project, "project_id", project, "description", "",
                  "admin_state_up", 1, "status", "DOWN", "device_id", "", "device_owner", "",
                  "fixed_ips", "security_groups", "port_security_enabled", 0);
    if (row && api_sees_all(t)) { /* where a port is concerns the operator alone */
        const struct value *agent = &port->v[PORT_F_AGENT];
        const int r =
            json_object_set_new(row, "binding:host_id",
                                json_string(agent->set ? agent->text : "")) |
            json_object_set_new(row, "binding:vnic_type", json_string("normal")) |
            json_object_set_new(row, "binding:profile", json_pack("{s:s}", "farspan", name));
        if (r < 0) {
            json_decref(row);
            return NULL;
        }
    }
    return row;
}

/* The manager's words over the defaults; those of bindings are for the operator. */
static int add_words(struct api_turn *t, const struct object *port, json_t *row)
{
    json_t *words = words_of(port), *value;
    const char *key;
    int r = words ? 0 : -1;
    json_object_foreach(words, key, value)
    {
        if (api_sees_all(t) || strncmp(key, "binding:", sizeof("binding:") - 1) != 0) {
            r |= json_object_set(row, key, value);
        }
    }
    json_decref(words);
    return r;
}

json_t *taas_port_row(struct api_turn *t, const struct taas_resource *r, const struct object *o)
{
    (void)r;
    const struct value *mac = &o->v[PORT_F_MAC];
    const bool works = o->v[PORT_F_THERE].n && o->v[PORT_F_UP].n;
    json_t *row = port_defaults(t, o);
    int e = row ? add_words(t, o, row) : -1;
    e |= json_object_set_new(row, "status", json_string(works ? "ACTIVE" : "DOWN"));
    if (mac->set || !json_object_get(row, "mac_address")) {
        e |= json_object_set_new(row, "mac_address", json_string(mac->set ? mac->text : ""));
    }
    if (e < 0) {
        json_decref(row);
        return NULL;
    }
    return row;
}

json_t *taas_network_row(struct api_turn *t, const struct taas_resource *r, const struct object *o)
{
    (void)r;
    (void)o;
    return json_pack("{s:s, s:s, s:s, s:s, s:b, s:b, s:s, s:s, s:[], s:i}", "id", NETWORK_ID,
                     "name", "farspan", "tenant_id", WHO_LOCAL, "project_id", WHO_LOCAL,
                     "admin_state_up", 1, "shared", 1, "status", "ACTIVE", "description",
                     t->who.project[0] ? "ports that can be tapped" : "all ports", "subnets", "mtu",
                     1500);
}

/* ---- tap services and flows ---- */

static json_t *port_value(struct api_turn *t, const char *id)
{
    struct object port;
    if (look_up(t, id, &port) < 0) {
        return json_string(id);
    }
    json_t *ret = json_string(taas_port_id(&port));
    object_done(&port);
    return ret;
}

static json_t *direction_value(const char *word)
{
    return json_string(strcmp(word, "both") == 0 ? "BOTH" : strcmp(word, "in") == 0 ? "IN" : "OUT");
}

static json_t *value_of(struct api_turn *t, const struct taas_attribute *a, const struct value *v)
{
    if (!v->set) {
        return json_null();
    }
    switch (a->form) {
    case TAAS_INT:
        return json_integer(v->n);
    case TAAS_PORT:
        return port_value(t, v->text);
    case TAAS_DIRECTION:
        return direction_value(v->text);
    case TAAS_TEXT:
    case TAAS_ID:
    case TAAS_VLANS:
    case TAAS_WORD:
    case TAAS_PROJECT:
        break;
    }
    return json_string(v->text);
}

json_t *taas_row(struct api_turn *t, const struct taas_resource *r, const struct object *o)
{
    json_t *row = json_object();
    for (const struct taas_attribute *a = r->attribute; a->name; a++) {
        if (json_object_set_new(row, a->name, value_of(t, a, &o->v[a->field])) < 0) {
            json_decref(row);
            return NULL;
        }
    }
    return row;
}

/* One on its way out is shown as long as its port is its project's: a port that is taken away takes
 * what hangs on it along at once, whoever still has to let go of it. */
bool taas_is_shown(struct api_turn *t, const struct object *o)
{
    const bool is_flow = o->kind == &kind_tap_flow;
    const struct value *project = &o->v[FIELD_OF_PROJECT];
    struct object port;
    if (!o->v[is_flow ? TAP_FLOW_F_LEAVES : TAP_SERVICE_F_LEAVES].set) {
        return true;
    }
    if (look_up(t, o->v[is_flow ? TAP_FLOW_F_SOURCE : TAP_SERVICE_F_PORT].text, &port) < 0) {
        return false;
    }
    const bool ret = project->set && port.v[FIELD_OF_PROJECT].set &&
                     strcmp(project->text, port.v[FIELD_OF_PROJECT].text) == 0;
    object_done(&port);
    return ret;
}

/* ---- fields ---- */

const struct taas_attribute *taas_attribute_of(const struct taas_resource *r, const char *name)
{
    for (const struct taas_attribute *a = r->attribute; a->name; a++) {
        if (strcmp(a->name, name) == 0) {
            return a;
        }
    }
    return NULL;
}

static bool names(const struct api_turn *t, const char *field, bool *ret_any)
{
    bool found = false;
    for (unsigned i = 0; i < t->target.n_parameters; i++) {
        const struct api_parameter *p = &t->target.parameter[i];
        if (strcmp(p->name, "fields") == 0 && p->value[0]) {
            *ret_any = true;
            found = found || strcmp(p->value, field) == 0;
        }
    }
    return found;
}

void taas_choose(struct api_turn *t, const struct taas_resource *r, json_t *row)
{
    const char *key;
    json_t *value;
    void *next;
    json_object_foreach_safe(row, next, key, value)
    {
        bool any = false;
        const bool named = names(t, key, &any);
        const struct taas_attribute *a = taas_attribute_of(r, key);
        if (any ? !named : a && a->flags & TAAS_NAMED) {
            (void)json_object_del(row, key);
        }
    }
}

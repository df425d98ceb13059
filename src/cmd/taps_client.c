/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/taps_client.h"

#include <errno.h>
#include <string.h>

int tap_client_lists_get(struct client *c, struct tap_client_lists *ret, struct error *err)
{
    *ret = (struct tap_client_lists){NULL, NULL, NULL};
    int r = client_list(c, "/v1/ports?sort=name", "ports", &ret->ports, err);
    r = r < 0 ? r
              : client_list(c, "/v1/tap_services?sort=name", "tap_services", &ret->services, err);
    return r < 0 ? r : client_list(c, "/v1/tap_flows?sort=name", "tap_flows", &ret->flows, err);
}

void tap_client_lists_done(struct tap_client_lists *l)
{
    json_decref(l->ports);
    json_decref(l->services);
    json_decref(l->flows);
}

void tap_client_port_name(const struct tap_client_lists *l, const char *id, char *ret, size_t cap)
{
    size_t i;
    const json_t *o;
    (void)snprintf(ret, cap, "%s", id);
    json_array_foreach(l->ports, i, o)
    {
        if (strcmp(client_text(o, "id"), id) == 0) {
            const char *alias = client_text(o, "alias"), *agent = client_text(o, "agent");
            (void)snprintf(ret, cap, "%s:%s", agent[0] ? agent : "home",
                           alias[0] ? alias : client_text(o, "name"));
            return;
        }
    }
}

static void put_port_name(const struct tap_client_lists *l, json_t *o, const char *id,
                          const char *field)
{
    char name[256];
    tap_client_port_name(l, id, name, sizeof(name));
    (void)json_object_set_new(o, field, json_string(name));
}

void tap_client_name_ports(const struct tap_client_lists *l)
{
    size_t i, k;
    json_t *o;
    const json_t *s;
    json_array_foreach(l->services, i, o)
    {
        put_port_name(l, o, client_text(o, "port"), "port_name");
    }
    json_array_foreach(l->flows, i, o)
    {
        put_port_name(l, o, client_text(o, "source"), "source_name");
        json_array_foreach(l->services, k, s)
        {
            if (strcmp(client_text(s, "id"), client_text(o, "service")) == 0) {
                (void)json_object_set_new(o, "service_name", json_string(client_text(s, "name")));
            }
        }
    }
}

int tap_client_put_text(json_t *body, const char *field, const char *text, struct error *err)
{
    return !text || json_object_set_new(body, field, json_string(text)) == 0
               ? 0
               : error_set(err, EINVAL, "%s: the value is no text", field);
}

static void path_of(const char *plural, const json_t *object, char ret[80])
{
    (void)snprintf(ret, 80, "/v1/%s/%.40s", plural, client_text(object, "id"));
}

int tap_client_set(struct client *c, const char *plural, const json_t *object,
                   const struct tap_client_change *change, struct error *err)
{
    char path[80];
    json_t *body = json_object();
    int r = body ? 0 : error_sys(err, ENOMEM, "cannot ask");
    path_of(plural, object, path);
    r = r < 0 ? r : tap_client_put_text(body, "name", change->name, err);
    r = r < 0 ? r : tap_client_put_text(body, "description", change->description, err);
    r = r < 0 ? r : client_ask(c, "PATCH", path, body, NULL, err);
    json_decref(body);
    return r;
}

int tap_client_delete(struct client *c, const char *plural, const json_t *object, struct error *err)
{
    char path[80];
    path_of(plural, object, path);
    return client_ask(c, "DELETE", path, NULL, NULL, err);
}

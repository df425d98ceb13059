/* SPDX-License-Identifier: Apache-2.0
 *
 * The service as OpenTap's clients learn of it: its capabilities, and the list of version 0.1.
 */
#include <inttypes.h>
#include <string.h>

#include "control/captures.h"
#include "control/opentap_impl.h"
#include "model/kinds.h"

#define VERSION "0.1" /* of the interface that has such a list */

struct list {
    struct text *to;
    bool some;
};

static int put_point(void *user, const struct object *port)
{
    struct list *l = user;
    const struct value *alias = &port->v[PORT_F_ALIAS];
    char name[PORTS_POINT];
    ports_name(port, name);
    text_add(l->to, l->some ? "," : "");
    text_add_json(l->to, alias->set ? alias->text : name);
    l->some = true;
    return 0;
}

/* Those that are there now, by their aliases where they have some. -1 with the answer. */
static int put_points(struct api_turn *t, struct text *to)
{
    struct list l = {to, false};
    text_add(to, "[");
    if (ports_each_there(t, put_point, &l) < 0) {
        text_free(to);
        return -1;
    }
    text_add(to, "]");
    return 0;
}

static enum api_result capabilities(struct api_turn *t, bool with_versions)
{
    const struct opentap_conf *c = opentap_conf_of(t);
    const struct api_conf *conf = api_conf_of(t);
    struct text body = {0};
    text_add(&body, "{\"name\":");
    text_add_json(&body, c->name[0] ? c->name : "farspan");
    text_add(&body,
             ",\"capture_types\":[\"ethernet\",\"netflow\",\"packet\"],\"retention\":\"%" PRIu32
             "\",\"capture_length_limit\":%d,\"network_observation_pts\":",
             c->retention_min ? c->retention_min : OPENTAP_RETENTION_MIN,
             (int)(CAPTURE_LENGTH_MAX_NS / NSEC_PER_SEC));
    if (put_points(t, &body) < 0) {
        return API_DONE;
    }
    /* A row of its table each, once there are sensors. */
    text_add(&body, ",\"sensor_observation_pts\":[]");
    if (with_versions && conf->put_versions) {
        text_add(&body, ",");
        conf->put_versions(&body, t->request);
    }
    text_add(&body, "}\n");
    return api_json(t, 200, &body);
}

enum api_result opentap_capabilities(struct api_turn *t)
{
    return capabilities(t, false);
}

enum api_result opentap_root(struct api_turn *t)
{
    return capabilities(t, true);
}

static int put_session(void *user, const struct object *o)
{
    struct list *l = user;
    const bool packets = strcmp(o->v[CAPTURE_F_TYPE].text, "packet") == 0;
    char name[512];
    (void)snprintf(name, sizeof(name), "%s.%s", opentap_id(o), packets ? "pcap" : "csv");
    text_add(l->to, l->some ? "," : "");
    text_add_json(l->to, opentap_id(o));
    text_add(l->to, ":{\"filename\":");
    text_add_json(l->to, name);
    text_add(l->to, ",\"inprogress\":\"%s\"}", captures_ended(o) ? "no" : "yes");
    l->some = true;
    return 0;
}

/* The newest captures, as many as a list has. */
enum api_result opentap_list(struct api_turn *t)
{
    char project[sizeof(t->who.project)];
    (void)snprintf(project, sizeof(project), "%s", t->who.project);
    const struct value own = {.set = true, .text = project};
    const struct store_query q = {.filter = {{FIELD_OF_PROJECT, &own}},
                                  .n_filters = api_sees_all(t) ? 0 : 1,
                                  .sort = FIELD_OF_CREATED,
                                  .down = true,
                                  .limit = STORE_LIMIT_MAX};
    struct text body = {0};
    struct list l = {&body, false};
    text_add(&body, "{\"version\":\"" VERSION "\",\"links\":");
    if (put_points(t, &body) < 0) {
        return API_DONE;
    }
    text_add(&body, ",\"sessions\":{");
    if (api_each(t, &kind_capture, &q, put_session, &l) < 0) {
        text_free(&body);
        return API_DONE;
    }
    text_add(&body, "}}\n");
    return api_json(t, 200, &body);
}

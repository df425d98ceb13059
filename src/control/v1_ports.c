/* SPDX-License-Identifier: Apache-2.0
 *
 * Ports: their aliases.
 */
#include <string.h>

#include "control/ports.h"
#include "control/v1_impl.h"
#include "model/kinds.h"

struct clash {
    const struct object *port;
    bool found;
};

static int look_clash(void *user, const struct object *other)
{
    struct clash *c = user;
    c->found = c->found || (strcmp(other->v[FIELD_OF_ID].text, c->port->v[FIELD_OF_ID].text) != 0 &&
                            ports_means(other, c->port->v[PORT_F_ALIAS].text));
    return 0;
}

/* A name that means one port already cannot mean another. False, with the answer. */
static bool alias_is_free(struct api_turn *t, const struct object *port)
{
    const struct store_query q = {.sort = PORT_F_NAME};
    struct clash c = {port, false};
    struct json_faults faults = {.n = 0};
    if (!port->v[PORT_F_ALIAS].set) {
        return true;
    }
    if (api_each(t, &kind_port, &q, look_clash, &c) < 0) {
        return false;
    }
    if (c.found) {
        json_fault(&faults, "/alias", "another port has this name or alias");
        (void)api_problem(t, 422, &faults, "/alias: another port has this name or alias");
    }
    return !c.found;
}

/* Only an admin of no project gives a port away. False, with the answer. */
static bool may_give(struct api_turn *t, const struct object *port)
{
    const char *project = port->v[FIELD_OF_PROJECT].text;
    if (!api_sees_all(t) && strcmp(project, t->who.project) != 0) {
        (void)api_problem(t, 403, NULL, "project: only an admin of no project gives a port away");
        return false;
    }
    return true;
}

/* The side that it faces follows from what its user says; "as it looks" is told with the next round
 * of ports. */
static bool set_faces(struct api_turn *t, struct object *port)
{
    const struct value *facing = &port->v[PORT_F_FACING];
    if (facing->set && object_set_text(port, PORT_F_FACES, facing->text) < 0) {
        (void)api_problem(t, 503, NULL, "memory is short");
        return false;
    }
    return true;
}

enum api_result v1_port_update(struct api_turn *t)
{
    struct object o;
    if (api_get(t, &kind_port, t->segment[0], &o) < 0) {
        return API_DONE;
    }
    if (api_take(t, true, &o) == 0 && may_give(t, &o) && alias_is_free(t, &o) && set_faces(t, &o) &&
        api_put(t, &o) == 0 &&
        api_event(t, "port.changed", &o, "%s is %s now", o.v[PORT_F_NAME].text,
                  o.v[PORT_F_ALIAS].set ? o.v[PORT_F_ALIAS].text : "without an alias") == 0) {
        t->after_changed = true;
        (void)api_object(t, 200, &o);
    }
    object_done(&o);
    return API_DONE;
}

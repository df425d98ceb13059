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

enum api_result v1_port_update(struct api_turn *t)
{
    struct object o;
    if (api_get(t, &kind_port, t->segment[0], &o) < 0) {
        return API_DONE;
    }
    if (api_take(t, true, &o) == 0 && alias_is_free(t, &o) && api_put(t, &o) == 0 &&
        api_event(t, "port.changed", &o, "%s is %s now", o.v[PORT_F_NAME].text,
                  o.v[PORT_F_ALIAS].set ? o.v[PORT_F_ALIAS].text : "without an alias") == 0) {
        (void)api_object(t, 200, &o);
    }
    object_done(&o);
    return API_DONE;
}

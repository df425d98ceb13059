/* SPDX-License-Identifier: Apache-2.0 */
#include "control/opentap_ports.h"

#include <errno.h>
#include <string.h>

#include "control/ports.h"
#include "model/kinds.h"

struct naming {
    const struct opentap_conf *conf;
    bool taken[OPENTAP_ALIASES];          /* another port has that name or alias */
    struct object named[OPENTAP_ALIASES]; /* ports that are to get one; kind NULL: none */
    int failed;
};

static int look_taken(void *user, const struct object *port)
{
    struct naming *n = user;
    for (unsigned i = 0; i < n->conf->n_aliases; i++) {
        n->taken[i] = n->taken[i] || ports_means(port, n->conf->alias[i].name);
    }
    return 0;
}

/* The first alias of the file that fits the port. */
static int look_named(void *user, const struct object *port)
{
    struct naming *n = user;
    char name[PORTS_POINT];
    ports_name(port, name);
    for (unsigned i = 0; i < n->conf->n_aliases && !port->v[PORT_F_ALIAS].set; i++) {
        const struct opentap_alias *a = &n->conf->alias[i];
        if (n->taken[i] || strcmp(a->ifname, name) != 0) {
            continue;
        }
        struct object *o = &n->named[i];
        object_init(o, port->kind);
        if (object_copy(o, port) < 0 || object_set_text(o, PORT_F_ALIAS, a->name) < 0) {
            n->failed = -ENOMEM;
        }
        object_set_int(o, FIELD_OF_GENERATION, o->v[FIELD_OF_GENERATION].n + 1);
        break;
    }
    return n->failed;
}

/* How many were put, or -errno. */
static int put(struct store *s, const struct naming *n, struct error *err)
{
    int count = 0, r = 0;
    for (unsigned i = 0; i < n->conf->n_aliases && r == 0; i++) {
        if (!n->named[i].kind) {
            continue;
        }
        r = count++ == 0 ? s->ops->begin(s, err) : 0;
        r = r < 0 ? r : s->ops->put(s, &n->named[i], err);
    }
    if (count > 0) {
        r = r < 0 ? r : s->ops->commit(s, err);
        if (r < 0) {
            s->ops->rollback(s);
        }
    }
    return r < 0 ? r : count;
}

int opentap_name_ports(struct store *s, const struct opentap_conf *c, struct error *err)
{
    const struct store_query q = {.sort = PORT_F_NAME};
    struct naming *n = calloc(1, sizeof(*n));
    if (!n) {
        return error_set(err, ENOMEM, "memory is short");
    }
    n->conf = c;
    int r = s->ops->list(s, &kind_port, &q, look_taken, n, err);
    r = r < 0 ? r : s->ops->list(s, &kind_port, &q, look_named, n, err);
    r = r < 0 ? r : put(s, n, err);
    for (unsigned i = 0; i < ARRAY_SIZE(n->named); i++) {
        if (n->named[i].kind) {
            object_done(&n->named[i]);
        }
    }
    free(n);
    return r;
}

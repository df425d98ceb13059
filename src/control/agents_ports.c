/* SPDX-License-Identifier: Apache-2.0
 *
 * Ports come in rounds, and a round is taken as a whole. A port's id is made of its names, so that
 * one that comes back is the same object, with the alias that its user gave it.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "control/agents_impl.h"
#include "control/who.h"
#include "sys/crypto/kdf.h"

int agents_port(struct agents *a, const struct rolemsg *m, struct error *err)
{
    struct agents_ports *p = &a->ports;
    if (p->n == 0 || p->whole || p->round != m->round) {
        p->n = 0;
        p->whole = false;
        p->round = m->round;
    }
    if (p->n == AGENTS_PORTS) {
        return error_set(err, EBADMSG, "it told more than %d ports", AGENTS_PORTS);
    }
    p->at[p->n++] = m->port;
    return 0;
}

void agents_ports_end(struct agents *a, const struct rolemsg *m)
{
    struct agents_ports *p = &a->ports;
    if (m->ports == 0 && (p->n == 0 || p->round != m->round || p->whole)) {
        p->n = 0; /* a host without any */
        p->round = m->round;
        p->whole = false;
    }
    /* A round that lacks some is no round. */
    p->whole = !p->whole && p->round == m->round && p->n == m->ports;
    p->n = p->whole ? p->n : 0;
}

static int id_of(const char *name, char ret[KIND_ID])
{
    uint8_t key[PORT_KEY], hash[KDF_HASH_LEN], id[UUID_BYTES];
    const int n = port_key("", "", name, key, sizeof(key));
    if (n < 0) {
        return n;
    }
    sha256(key, (size_t)n, hash);
    uuid_of_hash(hash, id);
    uuid_text(id, ret);
    return 0;
}

/* True where it has another value now. */
static bool set_int(struct object *o, unsigned field, int64_t n)
{
    const bool is_new = !o->v[field].set || o->v[field].n != n;
    object_set_int(o, field, n);
    return is_new;
}

/* The side that it faces is as its user says, or as it looks. */
static bool set_faces(struct object *o, bool faces_owner)
{
    const char *is = o->v[PORT_F_FACING].set ? o->v[PORT_F_FACING].text
                     : faces_owner           ? "owner"
                                             : "self";
    const bool is_new = !o->v[PORT_F_FACES].set || strcmp(o->v[PORT_F_FACES].text, is) != 0;
    return is_new && object_set_text(o, PORT_F_FACES, is) == 0;
}

static int fill(struct object *o, const struct wanted_port *p, bool *is_new)
{
    char mac[18];
    (void)snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", p->mac[0], p->mac[1],
                   p->mac[2], p->mac[3], p->mac[4], p->mac[5]);
    const struct value *was = &o->v[PORT_F_MAC];
    *is_new |= set_int(o, PORT_F_THERE, true);
    *is_new |= set_int(o, PORT_F_IFINDEX, p->ifindex);
    *is_new |= set_int(o, PORT_F_MTU, p->mtu);
    *is_new |= set_int(o, PORT_F_UP, p->up);
    *is_new |= set_int(o, PORT_F_CARRIER, p->carrier);
    *is_new |= set_faces(o, p->faces_owner);
    if (p->speed_bps > 0 && p->speed_bps <= INT64_MAX) {
        *is_new |= set_int(o, PORT_F_SPEED, (int64_t)p->speed_bps);
    } else {
        *is_new |= o->v[PORT_F_SPEED].set;
        object_set_null(o, PORT_F_SPEED);
    }
    if (was->set && strcmp(was->text, mac) == 0) {
        return 0;
    }
    *is_new = true;
    return object_set_text(o, PORT_F_MAC, mac);
}

static int make(struct agents *a, const char *id, const char *name, struct object *o)
{
    object_init(o, &kind_port);
    object_set_int(o, FIELD_OF_CREATED, a->wall.ns);
    object_set_int(o, FIELD_OF_GENERATION, 0);
    if (object_set_text(o, FIELD_OF_ID, id) < 0 ||
        object_set_text(o, FIELD_OF_PROJECT, WHO_LOCAL) < 0 ||
        object_set_text(o, FIELD_OF_OWNER, "farspan") < 0 ||
        object_set_text(o, PORT_F_NAME, name) < 0 || object_defaults(o, NULL) < 0) {
        return -ENOMEM;
    }
    return 0;
}

/* A store of an earlier version has ports of no project. */
static int give_project(struct object *o, bool *is_new)
{
    if (o->v[FIELD_OF_PROJECT].text[0]) {
        return 0;
    }
    *is_new = true;
    return object_set_text(o, FIELD_OF_PROJECT, WHO_LOCAL);
}

static int get(struct agents *a, const char *id, const char *name, struct object *ret,
               struct error *err)
{
    struct store *s = a->conf.store;
    const int r = s->ops->get(s, &kind_port, id, ret, err);
    return r == -ENOENT ? make(a, id, name, ret) : r;
}

static void put(struct agents *a, struct object *o, bool was_there)
{
    const bool is_there = o->v[PORT_F_THERE].n != 0;
    const char *name = o->v[PORT_F_NAME].text;
    object_set_int(o, PORT_F_SEEN, a->wall.ns);
    object_set_int(o, FIELD_OF_GENERATION, o->v[FIELD_OF_GENERATION].n + 1);
    a->taps.changed = true;
    if (agents_put(a, o) == 0 && is_there != was_there) {
        agents_event(a, is_there ? "port.there" : "port.gone", o,
                     is_there ? "%.64s is there" : "%.64s is gone", name);
    }
}

static void store_one(struct agents *a, const struct wanted_port *p)
{
    struct error err = {""};
    char id[KIND_ID];
    struct object o;
    bool is_new = false;
    if (id_of(p->name, id) < 0 || get(a, id, p->name, &o, &err) < 0) {
        agents_say(a, &err);
        return;
    }
    const bool was_there = o.v[PORT_F_THERE].set && o.v[PORT_F_THERE].n != 0;
    if (give_project(&o, &is_new) == 0 && fill(&o, p, &is_new) == 0 && is_new) {
        put(a, &o, was_there);
    }
    object_done(&o);
}

static bool is_in_round(const struct agents *a, const char *name)
{
    for (size_t i = 0; i < a->ports.n; i++) {
        if (strcmp(a->ports.at[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

struct gone {
    const struct agents *a;
    struct objects list;
};

static int find_gone(void *user, const struct object *o)
{
    struct gone *g = user;
    const struct value *agent = &o->v[PORT_F_AGENT], *name = &o->v[PORT_F_NAME];
    if (!name->set || (agent->set && agent->text[0]) || is_in_round(g->a, name->text)) {
        return 0;
    }
    return objects_keep(&g->list, o);
}

static void store_gone(struct agents *a)
{
    struct store *s = a->conf.store;
    const struct value there = {.set = true, .n = true};
    const struct store_query q = {
        .filter = {{PORT_F_THERE, &there}}, .n_filters = 1, .sort = FIELD_OF_ID};
    struct gone g = {.a = a};
    struct error err = {""};
    if (s->ops->list(s, &kind_port, &q, find_gone, &g, &err) < 0) {
        agents_say(a, &err);
    }
    for (size_t i = 0; i < g.list.n; i++) {
        object_set_int(&g.list.at[i], PORT_F_THERE, false);
        object_set_int(&g.list.at[i], PORT_F_UP, false);
        object_set_int(&g.list.at[i], PORT_F_CARRIER, false);
        put(a, &g.list.at[i], true);
    }
    objects_done(&g.list);
}

void agents_ports_store(struct agents *a)
{
    if (!a->ports.whole) {
        return;
    }
    for (size_t i = 0; i < a->ports.n; i++) {
        store_one(a, &a->ports.at[i]);
    }
    store_gone(a);
}

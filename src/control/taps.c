/* SPDX-License-Identifier: Apache-2.0 */
#include "control/taps.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "control/ports.h"

static enum tap_fault no_memory(struct api_turn *t)
{
    (void)api_problem(t, 503, NULL, "memory is short");
    return TAP_FAULT_ANSWERED;
}

static bool is_of(const struct object *o, const char *project)
{
    const struct value *v = &o->v[FIELD_OF_PROJECT];
    return v->set && strcmp(v->text, project) == 0;
}

static bool leaves(const struct object *o)
{
    return o->v[o->kind == &kind_tap_flow ? TAP_FLOW_F_LEAVES : TAP_SERVICE_F_LEAVES].set;
}

/* ---- what the object names ---- */

/* The port of the object's field becomes its id, and decides on the project where none was given.
 */
static enum tap_fault take_port(struct api_turn *t, struct object *o, unsigned field,
                                const char *project, struct error *err)
{
    struct object port;
    const int r = ports_get(t, o->v[field].text, &port);
    enum tap_fault f = TAP_FAULT_NONE;
    if (r < 0) {
        (void)error_set(err, ENOENT, "there is no port \"%.100s\"", o->v[field].text);
        return r == -ENOENT ? TAP_FAULT_NO_PORT : TAP_FAULT_ANSWERED;
    }
    if (!project) {
        project = api_sees_all(t) ? port.v[FIELD_OF_PROJECT].text : t->who.project;
    }
    if (!is_of(&port, project)) {
        (void)error_set(err, EACCES, "the port is of the project \"%s\" and not of \"%s\"",
                        port.v[FIELD_OF_PROJECT].text, project);
        f = TAP_FAULT_FOREIGN_PORT;
    } else if (object_set_text(o, FIELD_OF_PROJECT, project) < 0 ||
               object_set_text(o, field, port.v[FIELD_OF_ID].text) < 0) {
        f = no_memory(t);
    }
    object_done(&port);
    return f;
}

struct search {
    const char *word;
    unsigned n;
    char id[KIND_ID];
};

static int look_name(void *user, const struct object *o)
{
    struct search *s = user;
    if (!leaves(o) && strcmp(o->v[TAP_SERVICE_F_NAME].text, s->word) == 0) {
        (void)snprintf(s->id, sizeof(s->id), "%s", o->v[FIELD_OF_ID].text);
        s->n++;
    }
    return 0;
}

/* -ENOENT without an answer. */
static int get_service(struct api_turn *t, const char *id, struct object *ret)
{
    struct store *s = api_conf_of(t)->store;
    struct error err = {""};
    struct object o;
    int r = s->ops->get(s, &kind_tap_service, id, &o, &err);
    if (r == 0 && !api_sees_all(t) && !is_of(&o, t->who.project)) {
        object_done(&o);
        r = -ENOENT;
    }
    if (r == 0) {
        *ret = o;
    } else if (r != -ENOENT) {
        (void)api_problem(t, 503, NULL, "the store: %s", err.text);
    }
    return r;
}

enum tap_fault taps_find_service(struct api_turn *t, const char *word, struct object *ret,
                                 struct error *err)
{
    const struct value name = {.set = true, .text = (char *)word},
                       project = {.set = true, .text = t->who.project};
    struct store_query q = {
        .filter = {{TAP_SERVICE_F_NAME, &name}}, .n_filters = 1, .sort = FIELD_OF_ID};
    struct search s = {.word = word};
    uint8_t bytes[UUID_BYTES];
    int r = -ENOENT;
    if (uuid_parse(word, bytes) == 0) {
        uuid_text(bytes, s.id);
        s.n = 1;
    } else {
        if (!api_sees_all(t)) {
            q.filter[q.n_filters++] = (struct store_filter){FIELD_OF_PROJECT, &project};
        }
        if (api_each(t, &kind_tap_service, &q, look_name, &s) < 0) {
            return TAP_FAULT_ANSWERED;
        }
    }
    if (s.n > 1) {
        (void)error_set(err, EEXIST, "%u tap services are called \"%.100s\"", s.n, word);
        return TAP_FAULT_SEVERAL;
    }
    r = s.n == 1 ? get_service(t, s.id, ret) : -ENOENT;
    if (r == -ENOENT) {
        (void)error_set(err, ENOENT, "there is no tap service \"%.100s\"", word);
        return TAP_FAULT_NO_SERVICE;
    }
    return r < 0 ? TAP_FAULT_ANSWERED : TAP_FAULT_NONE;
}

/* `ret_port` gets the id of the service's port. */
static enum tap_fault take_service(struct api_turn *t, struct object *o, char ret_port[KIND_ID],
                                   struct error *err)
{
    struct object service;
    enum tap_fault f = taps_find_service(t, o->v[TAP_FLOW_F_SERVICE].text, &service, err);
    if (f != TAP_FAULT_NONE) {
        return f;
    }
    if (leaves(&service)) {
        (void)error_set(err, EBUSY, "the tap service is being deleted");
        f = TAP_FAULT_LEAVES;
    } else if (!is_of(&service, o->v[FIELD_OF_PROJECT].text)) {
        (void)error_set(err, EACCES, "the tap service is of the project \"%s\" and not of \"%s\"",
                        service.v[FIELD_OF_PROJECT].text, o->v[FIELD_OF_PROJECT].text);
        f = TAP_FAULT_FOREIGN_SERVICE;
    } else if (object_set_text(o, TAP_FLOW_F_SERVICE, service.v[FIELD_OF_ID].text) < 0) {
        f = no_memory(t);
    }
    (void)snprintf(ret_port, KIND_ID, "%s", service.v[TAP_SERVICE_F_PORT].text);
    object_done(&service);
    return f;
}

/* ---- circles ---- */

/* The ports of all projects' flows, as numbers of their ids. */
struct graph {
    struct api_turn *t;
    struct taps_edge *edge; /* owned */
    size_t n, cap;
    bool failed;
};

/* The number of a port's id: its last four bytes, which are a hash's. */
static uint32_t number_of(const char *id)
{
    uint8_t bytes[UUID_BYTES] = {0};
    (void)uuid_parse(id, bytes);
    return ld_u32(bytes + UUID_BYTES - 4);
}

static int add_edge(void *user, const struct object *flow)
{
    struct graph *g = user;
    struct store *s = api_conf_of(g->t)->store;
    struct object service;
    if (leaves(flow)) {
        return 0;
    }
    if (g->n == g->cap) {
        const size_t cap = g->cap ? 2 * g->cap : 64;
        struct taps_edge *more = reallocarray(g->edge, cap, sizeof(*more));
        if (!more) {
            return -ENOMEM;
        }
        g->edge = more;
        g->cap = cap;
    }
    if (s->ops->get(s, &kind_tap_service, flow->v[TAP_FLOW_F_SERVICE].text, &service, NULL) == 0) {
        g->edge[g->n++] = (struct taps_edge){number_of(flow->v[TAP_FLOW_F_SOURCE].text),
                                             number_of(service.v[TAP_SERVICE_F_PORT].text)};
        object_done(&service);
    }
    return 0;
}

static enum tap_fault check_circle(struct api_turn *t, const struct object *o, const char *port,
                                   const struct objects *beside, struct error *err)
{
    const struct store_query all = {.sort = FIELD_OF_ID};
    const struct taps_edge add = {number_of(o->v[TAP_FLOW_F_SOURCE].text), number_of(port)};
    struct graph g = {.t = t};
    int r = api_each(t, &kind_tap_flow, &all, add_edge, &g);
    enum tap_fault f = r < 0 ? TAP_FAULT_ANSWERED : TAP_FAULT_NONE;
    for (size_t i = 0; beside && i < beside->n && r == 0; i++) {
        r = add_edge(&g, &beside->at[i]);
        f = r < 0 ? no_memory(t) : f;
    }
    if (r == 0) {
        r = taps_closes_circle(g.edge, g.n, add);
        f = r < 0 ? no_memory(t) : r > 0 ? TAP_FAULT_LOOP : TAP_FAULT_NONE;
    }
    if (f == TAP_FAULT_LOOP) {
        (void)error_set(err, ELOOP, "copies would come back to the port that they are copied from");
    }
    free(g.edge);
    return f;
}

/* ---- the checks ---- */

static enum tap_fault check_quota(struct api_turn *t, const struct object *o, uint64_t most,
                                  const struct objects *beside, struct error *err)
{
    const struct store_query q = {.filter = {{FIELD_OF_PROJECT, &o->v[FIELD_OF_PROJECT]}},
                                  .n_filters = 1};
    uint64_t n = 0;
    if (api_count(t, o->kind, &q, &n) < 0) {
        return TAP_FAULT_ANSWERED;
    }
    for (size_t i = 0; beside && i < beside->n; i++) {
        n += is_of(&beside->at[i], o->v[FIELD_OF_PROJECT].text);
    }
    if (n >= most) {
        (void)error_set(err, EDQUOT, "the project \"%s\" has %u %s, and may have no more",
                        o->v[FIELD_OF_PROJECT].text, (unsigned)n, o->kind->plural);
        return TAP_FAULT_QUOTA;
    }
    return TAP_FAULT_NONE;
}

static enum tap_fault check_filter(struct api_turn *t, const struct object *o, struct error *err)
{
    const struct api_conf *c = api_conf_of(t);
    const char *filter = o->v[TAP_FLOW_F_FILTER].text;
    if (!filter || !filter[0]) {
        return TAP_FAULT_NONE;
    }
    const int r = c->edges->check_filter(c->user, filter, api_waiter(t), err);
    if (r == -EAGAIN) {
        return TAP_FAULT_LATER;
    }
    if (r < 0 && r != -EINVAL) {
        (void)api_problem(t, 503, NULL, "the filter cannot be checked now: %s", err->text);
        return TAP_FAULT_ANSWERED;
    }
    return r < 0 ? TAP_FAULT_FILTER : TAP_FAULT_NONE;
}

enum tap_fault taps_check_service(struct api_turn *t, struct object *o, const char *project,
                                  const struct objects *beside, struct error *err)
{
    const enum tap_fault f = take_port(t, o, TAP_SERVICE_F_PORT, project, err);
    return f != TAP_FAULT_NONE ? f : check_quota(t, o, TAPS_SERVICES_MOST, beside, err);
}

enum tap_fault taps_check_flow(struct api_turn *t, struct object *o, const char *project,
                               const struct objects *beside, struct error *err)
{
    char port[KIND_ID] = "";
    enum tap_fault f = take_port(t, o, TAP_FLOW_F_SOURCE, project, err);
    f = f != TAP_FAULT_NONE ? f : take_service(t, o, port, err);
    f = f != TAP_FAULT_NONE ? f : check_circle(t, o, port, beside, err);
    f = f != TAP_FAULT_NONE ? f : check_quota(t, o, TAPS_FLOWS_MOST, beside, err);
    return f != TAP_FAULT_NONE ? f : check_filter(t, o, err);
}

/* ---- changes ---- */

static int tell(struct api_turn *t, const char *what, const struct object *o)
{
    char words[40];
    (void)snprintf(words, sizeof(words), "%s.%s", o->kind->name, what);
    return api_event(t, words, o, "%s has %s it", t->who.name, what);
}

bool taps_put(struct api_turn *t, struct object *o)
{
    t->after_changed = true;
    return api_put(t, o) == 0 && tell(t, "created", o) == 0;
}

/* One that nobody carries out goes at once. */
static bool leave(struct api_turn *t, struct object *o, bool at_once)
{
    const bool is_flow = o->kind == &kind_tap_flow;
    const unsigned status = is_flow ? TAP_FLOW_F_STATUS : TAP_SERVICE_F_STATUS;
    if (leaves(o)) {
        return true;
    }
    if (at_once) {
        return api_remove(t, o->kind, o->v[FIELD_OF_ID].text) == 0 && tell(t, "deleted", o) == 0;
    }
    object_set_int(o, is_flow ? TAP_FLOW_F_LEAVES : TAP_SERVICE_F_LEAVES, t->now_ns);
    if (object_set_text(o, status, "PENDING_DELETE") < 0) {
        (void)no_memory(t);
        return false;
    }
    return api_put(t, o) == 0 && tell(t, "deleted", o) == 0;
}

static int keep(void *user, const struct object *o)
{
    return objects_keep(user, o);
}

static bool delete_service(struct api_turn *t, struct object *o)
{
    const struct store_query q = {
        .filter = {{TAP_FLOW_F_SERVICE, &o->v[FIELD_OF_ID]}}, .n_filters = 1, .sort = FIELD_OF_ID};
    struct objects l = {0};
    bool ok = api_each(t, &kind_tap_flow, &q, keep, &l) == 0;
    for (size_t i = 0; i < l.n; i++) {
        ok = ok && leave(t, &l.at[i], false);
    }
    ok = ok && leave(t, o, l.n == 0);
    objects_done(&l);
    return ok;
}

bool taps_delete(struct api_turn *t, struct object *o)
{
    t->after_changed = true;
    return o->kind == &kind_tap_service ? delete_service(t, o) : leave(t, o, false);
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * Tap flows: those that are wanted, out of the store, told as changes; and what follows from
 * reports of them and from the ports that are there, into the store. A look goes through all flows,
 * and is made where objects, ports or the session have changed, and not each second.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "control/agents_impl.h"
#include "sys/crypto/kdf.h"

enum {
    LEAVE_MS = 5000, /* after which what was deleted goes although nobody has let go of it */
};

static int by_id(const void *a, const void *b)
{
    return memcmp(a, b, WANTED_ID); /* each thing here begins with its id */
}

struct agents_tap *agents_tap_find(const struct agents_taps *t, const uint8_t id[WANTED_ID])
{
    return t->n > 0 ? bsearch(id, t->at, t->n, sizeof(*t->at), by_id) : NULL;
}

static void free_list(struct agents_tap *at, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(at[i].body);
    }
    free(at);
}

void agents_taps_done(struct agents *a)
{
    free_list(a->taps.at, a->taps.n);
    free(a->taps.gone);
    a->taps = (struct agents_taps){.generation = a->taps.generation};
}

void agents_taps_no_memory(struct agents *a)
{
    struct error err = {""};
    (void)error_set(&err, ENOMEM, "memory is short for tap flows");
    agents_say(a, &err);
}

/* ---- the things that a look needs ---- */

struct port {
    uint8_t id[WANTED_ID];
    char name[WANTED_NAME];
    char project[65];
    bool there, up, faces_owner;
};

struct service {
    uint8_t id[WANTED_ID];
    uint8_t port[WANTED_ID];
    bool super;
};

struct look {
    struct agents *a;
    struct port *port; /* owned; of this host, in order of ids */
    size_t n_ports, cap_ports;
    struct service *service; /* owned; in order of ids */
    size_t n_services, cap_services;
    struct agents_tap *tap; /* owned; wanted */
    size_t n_taps, cap_taps;
    struct objects changed; /* flows and services with another status than before */
};

static int room(void *list, size_t n, size_t *cap, size_t size)
{
    void **at = list;
    if (n < *cap) {
        return 0;
    }
    const size_t more = *cap ? 2 * *cap : 64;
    void *p = reallocarray(*at, more, size);
    if (!p) {
        return -ENOMEM;
    }
    *at = p;
    *cap = more;
    return 0;
}

static bool is_true(const struct object *o, unsigned field)
{
    return o->v[field].set && o->v[field].n != 0;
}

static bool is_word(const struct object *o, unsigned field, const char *word)
{
    return o->v[field].set && strcmp(o->v[field].text, word) == 0;
}

static int add_port(void *user, const struct object *o)
{
    struct look *l = user;
    if (!is_word(o, PORT_F_AGENT, "")) {
        return 0;
    }
    if (room(&l->port, l->n_ports, &l->cap_ports, sizeof(*l->port)) < 0) {
        return -ENOMEM;
    }
    struct port *p = &l->port[l->n_ports];
    *p = (struct port){.there = is_true(o, PORT_F_THERE),
                       .up = is_true(o, PORT_F_UP),
                       .faces_owner = is_word(o, PORT_F_FACES, "owner")};
    (void)snprintf(p->name, sizeof(p->name), "%s", o->v[PORT_F_NAME].text);
    (void)snprintf(p->project, sizeof(p->project), "%s", o->v[FIELD_OF_PROJECT].text);
    l->n_ports += uuid_parse(o->v[FIELD_OF_ID].text, p->id) == 0;
    return 0;
}

static const struct port *port_of(const struct look *l, const uint8_t id[WANTED_ID])
{
    return l->n_ports > 0 ? bsearch(id, l->port, l->n_ports, sizeof(*l->port), by_id) : NULL;
}

/* A port that was given to another project is not there for what was made before. */
static bool is_own(const struct port *p, const struct object *of)
{
    return p && is_word(of, FIELD_OF_PROJECT, p->project);
}

static bool is_there(const struct port *p, const struct object *of)
{
    return is_own(p, of) && p->there;
}

/* ---- statuses ---- */

/* Where the object says otherwise, a copy that says so is kept for the store. */
static int change(struct look *l, const struct object *o, enum tap_status status,
                  const char *reason)
{
    const bool is_flow = o->kind == &kind_tap_flow;
    const unsigned field = is_flow ? TAP_FLOW_F_STATUS : TAP_SERVICE_F_STATUS,
                   why = is_flow ? TAP_FLOW_F_STATUS_REASON : TAP_SERVICE_F_STATUS_REASON;
    size_t len = 0;
    const char *at = field_word_at(&o->kind->field[field], status, &len);
    char word[16];
    (void)snprintf(word, sizeof(word), "%.*s", (int)len, at);
    const char *before = o->v[why].set ? o->v[why].text : "";
    if (is_word(o, field, word) && strcmp(before, reason) == 0) {
        return 0;
    }
    if (objects_keep(&l->changed, o) < 0) {
        return -ENOMEM;
    }
    struct object *copy = &l->changed.at[l->changed.n - 1];
    if (is_flow && status != TAP_ACTIVE) {
        object_set_null(copy, TAP_FLOW_F_DATAPATH);
    }
    if (reason[0] == '\0') {
        object_set_null(copy, why);
    }
    return object_set_text(copy, field, word) < 0 ||
                   (reason[0] && object_set_text(copy, why, reason) < 0)
               ? -ENOMEM
               : 0;
}

static int add_service(void *user, const struct object *o)
{
    struct look *l = user;
    char reason[TAP_REASON_MAX + 1];
    if (room(&l->service, l->n_services, &l->cap_services, sizeof(*l->service)) < 0) {
        return -ENOMEM;
    }
    struct service *s = &l->service[l->n_services];
    *s = (struct service){.super = is_word(o, TAP_SERVICE_F_FRAMES, "super")};
    if (uuid_parse(o->v[FIELD_OF_ID].text, s->id) < 0 ||
        uuid_parse(o->v[TAP_SERVICE_F_PORT].text, s->port) < 0) {
        return 0;
    }
    l->n_services++;
    if (o->v[TAP_SERVICE_F_LEAVES].set) {
        return 0;
    }
    const struct port *p = port_of(l, s->port);
    const struct taps_ends e = {.source_there = true,
                                .service_there = is_there(p, o),
                                .service_up = p && p->up,
                                .reported = TAPS_FLOWS,
                                .destination = p ? p->name : "of this service"};
    return change(l, o, taps_status(&e, reason), reason);
}

/* ---- the wish ---- */

static void wish_of(const struct object *o, const struct service *s, const struct port *from,
                    const struct port *to, struct tap_want *ret)
{
    const struct field *f = &o->kind->field[TAP_FLOW_F_DIRECTION];
    const int dir = field_word(f, o->v[TAP_FLOW_F_DIRECTION].text);
    *ret = (struct tap_want){
        .dir = (uint8_t)taps_dir(dir < 0 ? TAP_BOTH : (enum tap_direction)dir, from->faces_owner),
        .super = s->super,
        .has_vlans = o->v[TAP_FLOW_F_VLANS].set};
    (void)uuid_parse(o->v[FIELD_OF_ID].text, ret->id);
    memcpy(ret->service, s->id, sizeof(ret->service));
    memcpy(ret->source, from->name, sizeof(ret->source));
    memcpy(ret->destination, to->name, sizeof(ret->destination));
    if (ret->has_vlans) {
        (void)parse_vlan_filter(o->v[TAP_FLOW_F_VLANS].text, &ret->vlans, NULL);
    }
    (void)snprintf(ret->filter, sizeof(ret->filter), "%s", o->v[TAP_FLOW_F_FILTER].text);
}

/* One that was wanted before keeps what was told and heard of it. */
static int add_wish(struct look *l, const struct tap_want *w)
{
    uint8_t buf[WANTED_MESSAGE_MAX], hash[KDF_HASH_LEN];
    struct wr wr = wr_make(buf, sizeof(buf));
    const struct agents_tap *before = agents_tap_find(&l->a->taps, w->id);
    if (l->n_taps == TAPWANT_MAX || tap_want_put(&wr, w) < 0) {
        return 0; /* beyond what a host takes: it stays as it is being set up */
    }
    if (room(&l->tap, l->n_taps, &l->cap_taps, sizeof(*l->tap)) < 0) {
        return -ENOMEM;
    }
    struct agents_tap *t = &l->tap[l->n_taps];
    *t = before ? *before : (struct agents_tap){.version = 0};
    t->body = malloc(wr_len(&wr));
    if (!t->body) {
        return -ENOMEM;
    }
    memcpy(t->body, buf, wr_len(&wr));
    t->len = wr_len(&wr);
    memcpy(t->id, w->id, sizeof(t->id));
    sha256(buf, t->len, hash);
    memcpy(&t->version, hash, sizeof(t->version));
    if (!before || before->version != t->version) {
        t->reported = TAPS_UNKNOWN;
        t->told ^= t->told == t->version; /* told before the last one: it is told again */
    }
    l->n_taps++;
    return 0;
}

static int look_at_flow(void *user, const struct object *o)
{
    struct look *l = user;
    uint8_t id[WANTED_ID], source[WANTED_ID], service[WANTED_ID];
    char reason[TAP_REASON_MAX + 1];
    struct tap_want w;
    if (o->v[TAP_FLOW_F_LEAVES].set || uuid_parse(o->v[FIELD_OF_ID].text, id) < 0 ||
        uuid_parse(o->v[TAP_FLOW_F_SOURCE].text, source) < 0 ||
        uuid_parse(o->v[TAP_FLOW_F_SERVICE].text, service) < 0) {
        return 0;
    }
    const struct service *s =
        l->n_services > 0 ? bsearch(service, l->service, l->n_services, sizeof(*s), by_id) : NULL;
    const struct port *from = port_of(l, source), *to = s ? port_of(l, s->port) : NULL;
    if (is_own(from, o) && is_own(to, o)) { /* there or not: they are seen to come and go */
        wish_of(o, s, from, to, &w);
        if (add_wish(l, &w) < 0) {
            return -ENOMEM;
        }
    }
    const struct agents_tap *before = agents_tap_find(&l->a->taps, id);
    const bool same = before && l->n_taps > 0 &&
                      memcmp(l->tap[l->n_taps - 1].id, id, sizeof(id)) == 0 &&
                      l->tap[l->n_taps - 1].version == before->version;
    const struct taps_ends e = {.source_there = is_there(from, o),
                                .service_there = is_there(to, o),
                                .service_up = to && to->up,
                                .reported = same ? before->reported : TAPS_UNKNOWN,
                                .words = same ? before->words : "",
                                .source = from ? from->name : "of the source",
                                .destination = to ? to->name : "of the tap service"};
    return change(l, o, taps_status(&e, reason), reason);
}

/* ---- the look ---- */

static int list(struct look *l, struct error *err)
{
    struct store *s = l->a->conf.store;
    const struct store_query all = {.sort = FIELD_OF_ID}; /* the order of ids is that of bytes */
    int r = s->ops->list(s, &kind_port, &all, add_port, l, err);
    r = r < 0 ? r : s->ops->list(s, &kind_tap_service, &all, add_service, l, err);
    return r < 0 ? r : s->ops->list(s, &kind_tap_flow, &all, look_at_flow, l, err);
}

static int add_gone(struct agents_taps *t, const uint8_t id[WANTED_ID])
{
    uint8_t(*more)[WANTED_ID] = reallocarray(t->gone, t->n_gone + 1, sizeof(*more));
    if (!more) {
        return -ENOMEM;
    }
    t->gone = more;
    memcpy(t->gone[t->n_gone++], id, WANTED_ID);
    return 0;
}

/* The new set in place of the one before: true where anything is to be told. */
static int exchange(struct agents_taps *t, struct look *l)
{
    bool is_new = t->n != l->n_taps;
    size_t k = 0;
    for (size_t i = 0; i < t->n; i++) { /* both are in order */
        while (k < l->n_taps && by_id(l->tap[k].id, t->at[i].id) < 0) {
            k++;
        }
        if (k == l->n_taps || by_id(l->tap[k].id, t->at[i].id) != 0) {
            is_new = true;
            if (t->at[i].told != 0 && add_gone(t, t->at[i].id) < 0) {
                return -ENOMEM;
            }
        }
    }
    for (size_t i = 0; i < l->n_taps; i++) {
        is_new = is_new || l->tap[i].told != l->tap[i].version;
    }
    free_list(t->at, t->n);
    t->at = l->tap;
    t->n = l->n_taps;
    l->tap = NULL;
    l->n_taps = 0;
    return is_new;
}

static void store_changes(struct look *l)
{
    for (size_t i = 0; i < l->changed.n; i++) {
        struct object *o = &l->changed.at[i];
        const bool is_flow = o->kind == &kind_tap_flow;
        const char *why =
            o->v[is_flow ? TAP_FLOW_F_STATUS_REASON : TAP_SERVICE_F_STATUS_REASON].text;
        const char *status = o->v[is_flow ? TAP_FLOW_F_STATUS : TAP_SERVICE_F_STATUS].text;
        if (agents_put(l->a, o) == 0) {
            agents_event(l->a, is_flow ? "tap_flow.status" : "tap_service.status", o, "%s%s%s",
                         status, why ? ": " : "", why ? why : "");
        }
    }
}

void agents_taps_look(struct agents *a)
{
    struct look l = {.a = a};
    struct error err = {""};
    int r = list(&l, &err);
    if (r == 0) {
        store_changes(&l);
        r = exchange(&a->taps, &l);
    }
    if (r > 0) {
        a->taps.generation++;
        a->taps.next = 0;
        a->taps.untold = true;
    }
    if (r == -ENOMEM) {
        agents_taps_no_memory(a);
    } else if (r < 0) {
        agents_say(a, &err);
    }
    a->taps.look_ns = r < 0 ? a->taps.look_ns : a->wall.ns;
    free_list(l.tap, l.n_taps);
    free(l.port);
    free(l.service);
    objects_done(&l.changed);
}

/* ---- those that leave ---- */

struct leaving {
    struct agents *a;
    struct objects list;
    bool settled;  /* what the last look found is carried out */
    bool more;     /* some have to wait, … */
    int64_t first; /* … and the first of them until then, by the wall clock in ns */
};

static int find_leaving(void *user, const struct object *o)
{
    struct leaving *l = user;
    const struct value *v =
        &o->v[o->kind == &kind_tap_flow ? TAP_FLOW_F_LEAVES : TAP_SERVICE_F_LEAVES];
    const int64_t now = l->a->wall.ns;
    if (!v->set) {
        return 0;
    }
    if ((l->settled && v->n <= l->a->taps.look_ns) || v->n + LEAVE_MS * NSEC_PER_MSEC <= now ||
        v->n > now) {
        return objects_keep(&l->list, o);
    }
    l->more = true;
    l->first = MIN(l->first, v->n + LEAVE_MS * NSEC_PER_MSEC);
    return 0;
}

static int list_leaving(struct leaving *l, const struct kind *k, unsigned status, struct error *err)
{
    struct store *s = l->a->conf.store;
    char word[] = "PENDING_DELETE";
    const struct value is = {.set = true, .text = word};
    const struct store_query q = {.filter = {{status, &is}}, .n_filters = 1, .sort = FIELD_OF_ID};
    return s->ops->list(s, k, &q, find_leaving, l, err);
}

/* A service goes behind the last of its flows. */
static bool has_flows(struct agents *a, const struct object *service)
{
    struct store *s = a->conf.store;
    const struct store_query q = {.filter = {{TAP_FLOW_F_SERVICE, &service->v[FIELD_OF_ID]}},
                                  .n_filters = 1};
    uint64_t n = 0;
    return s->ops->count(s, &kind_tap_flow, &q, &n, NULL) == 0 && n > 0;
}

void agents_taps_reap(struct agents *a)
{
    struct leaving l = {.a = a,
                        .settled = !a->taps.untold && a->taps.acknowledged,
                        .first = a->wall.ns + LEAVE_MS * NSEC_PER_MSEC};
    struct error err = {""};
    int r = list_leaving(&l, &kind_tap_flow, TAP_FLOW_F_STATUS, &err);
    const size_t n_flows = l.list.n;
    r = r < 0 ? r : list_leaving(&l, &kind_tap_service, TAP_SERVICE_F_STATUS, &err);
    for (size_t i = 0; r == 0 && i < l.list.n; i++) {
        if (i < n_flows || !has_flows(a, &l.list.at[i])) {
            (void)agents_remove(a, &l.list.at[i]);
        } else {
            l.more = true;
        }
    }
    if (r < 0) {
        agents_say(a, &err);
    }
    a->taps.leaving = l.more;
    a->taps.leave_at = (struct mono){a->clock_mono.ns + l.first - a->wall.ns};
    objects_done(&l.list);
}

/* ---- the session ---- */

void agents_taps_session(struct agents *a)
{
    struct agents_taps *t = &a->taps;
    for (size_t i = 0; i < t->n; i++) {
        t->at[i].told = 0;
        t->at[i].reported = TAPS_UNKNOWN;
    }
    t->n_gone = t->next = 0;
    t->untold = true;
    t->acknowledged = false;
    t->changed = true;
}

/* 0; -EAGAIN: the socket takes nothing now; another -errno: it takes nothing any more. */
static int tell_gone(struct agents *a)
{
    struct agents_taps *t = &a->taps;
    while (t->n_gone > 0) {
        struct rolemsg m = {.type = ROLEMSG_UNTAP};
        memcpy(m.id, t->gone[t->n_gone - 1], sizeof(m.id));
        const int r = agents_send(a, &m);
        if (r < 0) {
            return r;
        }
        t->n_gone--;
    }
    return 0;
}

static int tell_wanted(struct agents *a)
{
    struct agents_taps *t = &a->taps;
    for (; t->next < t->n; t->next++) {
        struct agents_tap *w = &t->at[t->next];
        struct rolemsg m = {.type = ROLEMSG_TAP};
        struct rd r = rd_make(w->body, w->len);
        if (w->told == w->version) {
            continue;
        }
        const int e = tap_want_get(&r, &m.tap) < 0 ? -EBADMSG : agents_send(a, &m);
        if (e < 0) {
            return e;
        }
        w->told = w->version;
    }
    return 0;
}

int agents_taps_tell(struct agents *a)
{
    struct agents_taps *t = &a->taps;
    const struct rolemsg end = {
        .type = ROLEMSG_TAPS, .generation = t->generation, .taps = (uint32_t)t->n};
    if (!t->untold) {
        return 0;
    }
    int r = tell_gone(a);
    r = r < 0 ? r : tell_wanted(a);
    r = r < 0 ? r : agents_send(a, &end);
    if (r == 0) {
        t->untold = t->acknowledged = false;
    }
    return r;
}

void agents_tapped(struct agents *a, uint64_t generation)
{
    struct agents_taps *t = &a->taps;
    if (generation == t->generation && !t->untold) {
        t->acknowledged = true;
        t->leaving = true;
    }
}

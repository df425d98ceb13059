/* SPDX-License-Identifier: Apache-2.0 */
#include "control/taas_claim.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "control/objects.h"
#include "control/ports.h"
#include "control/who.h"

enum {
    TAP_ID = 11, /* characters of an id in the name of its interface */
};

bool claim_waits(const struct object *port)
{
    return port->v[PORT_F_CLAIM].set && !port->v[PORT_F_SEEN].set;
}

static const char *text_of(const json_t *words, const char *key)
{
    return json_string_value(json_object_get(words, key));
}

/* The interface that the words name outright; NULL: none. */
static const char *named(const json_t *words)
{
    return text_of(json_object_get(words, "binding:profile"), "farspan");
}

/* "home:eth0", "web1:eth0", "eth0" into agent and name. */
static int take_named(struct object *port, const char *word, struct error *err)
{
    const char *colon = strchr(word, ':');
    char agent[66] = "";
    if (colon && strncmp(word, PORTS_HOME, sizeof(PORTS_HOME) - 1) != 0) {
        (void)snprintf(agent, sizeof(agent), "%.*s", (int)(colon - word), word);
    }
    const char *name = colon ? colon + 1 : word;
    const struct value is_agent = {.set = true, .text = agent},
                       is_name = {.set = true, .text = (char *)name};
    int r = field_check(&kind_port.field[PORT_F_AGENT], &is_agent, err);
    r = r < 0 ? r : field_check(&kind_port.field[PORT_F_NAME], &is_name, err);
    r = r < 0 ? r : object_set_text(port, PORT_F_AGENT, agent);
    return r < 0 ? r : object_set_text(port, PORT_F_NAME, name);
}

int claim_expect(struct object *port, const char *id, const json_t *words, struct error *err)
{
    const char *name = named(words), *mac = text_of(words, "mac_address"),
               *host = text_of(words, "binding:host_id");
    char tap[TAP_ID + 4], small[18] = "";
    int r = 0;
    if (name) {
        return take_named(port, name, err);
    }
    (void)snprintf(tap, sizeof(tap), "tap%.*s", TAP_ID, id);
    for (size_t i = 0; mac && mac[i] && i + 1 < sizeof(small); i++) {
        small[i] = (char)(mac[i] >= 'A' && mac[i] <= 'F' ? mac[i] + ('a' - 'A') : mac[i]);
    }
    if (small[0]) {
        r = object_set_text(port, PORT_F_MAC, small);
    }
    const struct value is_agent = {.set = true, .text = (char *)(host ? host : "")};
    r = r < 0 ? r : field_check(&kind_port.field[PORT_F_AGENT], &is_agent, err);
    r = r < 0 ? r : object_set_text(port, PORT_F_AGENT, is_agent.text);
    return r < 0 ? r : object_set_text(port, PORT_F_NAME, tap);
}

/* ---- the interface ---- */

/* Ports of one name or address, of which the expected host's is better than this one's own. */
struct search {
    const struct object *stand_in;
    bool outright; /* of that host and no other */
    unsigned rank;
    struct object port; /* with a rank */
};

static unsigned rank_of(const struct search *s, const struct object *port)
{
    const struct value *want = &s->stand_in->v[PORT_F_AGENT], *agent = &port->v[PORT_F_AGENT];
    const char *of = agent->set ? agent->text : "";
    if (strcmp(of, want->set ? want->text : "") == 0) {
        return 2;
    }
    return !s->outright && !of[0];
}

/* An interface that has a port already, or that was given to another project, is not to be had. */
static bool is_taken(const struct search *s, const struct object *port)
{
    const char *has = port->v[FIELD_OF_PROJECT].text,
               *wants = s->stand_in->v[FIELD_OF_PROJECT].text;
    return port->v[PORT_F_CLAIM].set || !has || !wants ||
           (strcmp(has, WHO_LOCAL) != 0 && strcmp(has, wants) != 0);
}

static int look(void *user, const struct object *port)
{
    struct search *s = user;
    const unsigned rank = rank_of(s, port);
    if (rank <= s->rank || (!s->outright && is_taken(s, port))) {
        return 0;
    }
    if (s->rank == 0) {
        object_init(&s->port, port->kind);
    }
    if (object_copy(&s->port, port) < 0) {
        return -ENOMEM;
    }
    s->rank = rank;
    return 0;
}

static int search(struct store *s, struct search *f, unsigned field, struct error *err)
{
    const struct value there = {.set = true, .n = true};
    const struct store_query q = {
        .filter = {{PORT_F_THERE, &there}, {field, &f->stand_in->v[field]}},
        .n_filters = 2,
        .sort = FIELD_OF_ID};
    return f->stand_in->v[field].set ? s->ops->list(s, &kind_port, &q, look, f, err) : 0;
}

int claim_find(struct store *s, const struct object *stand_in, struct object *ret,
               struct error *err)
{
    const struct value *text = &stand_in->v[PORT_F_CLAIM_WORDS];
    json_t *words = text->set ? json_loads(text->text, 0, NULL) : NULL;
    struct search f = {.stand_in = stand_in, .outright = named(words) != NULL};
    json_decref(words);
    int r = search(s, &f, PORT_F_NAME, err);
    if (r == 0 && f.rank == 0 && !f.outright) {
        r = search(s, &f, PORT_F_MAC, err);
    }
    if (r == 0 && f.rank > 0 && is_taken(&f, &f.port)) {
        r = error_set(err, EBUSY, "The interface has a port already, or another project.");
    }
    if (r == 0 && f.rank > 0) {
        *ret = f.port;
        return 0;
    }
    if (f.rank > 0) {
        object_done(&f.port);
    }
    return r == 0 ? -ENOENT : r;
}

/* ---- binding ---- */

int claim_move(const struct object *stand_in, struct object *port)
{
    static const unsigned fields[] = {PORT_F_CLAIM, PORT_F_CLAIM_WORDS, FIELD_OF_PROJECT};
    int r = 0;
    for (size_t i = 0; i < ARRAY_SIZE(fields) && r == 0; i++) {
        r = value_copy(&port->v[fields[i]], &stand_in->v[fields[i]]);
    }
    return r;
}

static int keep(void *user, const struct object *o)
{
    return objects_keep(user, o);
}

static int keep_waiting(void *user, const struct object *o)
{
    return claim_waits(o) ? objects_keep(user, o) : 0;
}

static int put(struct store *s, struct object *o, struct error *err)
{
    object_set_int(o, FIELD_OF_GENERATION, o->v[FIELD_OF_GENERATION].n + 1);
    return s->ops->put(s, o, err);
}

/* Whatever names the one port names the other. */
static int move_of_kind(struct store *s, const struct kind *k, unsigned field,
                        const struct value *from, const char *to, struct error *err)
{
    const struct store_query q = {.filter = {{field, from}}, .n_filters = 1, .sort = FIELD_OF_ID};
    struct objects l = {0};
    int r = s->ops->list(s, k, &q, keep, &l, err);
    for (size_t i = 0; i < l.n && r == 0; i++) {
        r = object_set_text(&l.at[i], field, to);
        r = r < 0 ? r : put(s, &l.at[i], err);
    }
    objects_done(&l);
    return r;
}

static int tell(struct store *s, const struct object *port, int64_t now_ns, struct error *err)
{
    struct store_event e = {.time_ns = now_ns, .what = "port.bound", .who = "farspan"};
    (void)snprintf(e.kind, sizeof(e.kind), "%s", port->kind->name);
    (void)snprintf(e.id, sizeof(e.id), "%s", port->v[FIELD_OF_ID].text);
    (void)snprintf(e.project, sizeof(e.project), "%s", port->v[FIELD_OF_PROJECT].text);
    (void)snprintf(e.words, sizeof(e.words), "%.64s is the interface of %s",
                   port->v[PORT_F_NAME].text, port->v[PORT_F_CLAIM].text);
    return s->ops->add_event(s, &e, err);
}

static int bind_one(struct store *s, const struct object *waiting, struct object *port,
                    int64_t now_ns, struct error *err)
{
    const struct value *from = &waiting->v[FIELD_OF_ID];
    const char *to = port->v[FIELD_OF_ID].text;
    int r = claim_move(waiting, port);
    r = r < 0 ? r : put(s, port, err);
    r = r < 0 ? r : move_of_kind(s, &kind_tap_service, TAP_SERVICE_F_PORT, from, to, err);
    r = r < 0 ? r : move_of_kind(s, &kind_tap_flow, TAP_FLOW_F_SOURCE, from, to, err);
    r = r < 0 ? r : s->ops->remove(s, &kind_port, from->text, err);
    return r < 0 ? r : tell(s, port, now_ns, err);
}

/* How many were bound. */
static int bind_all(struct store *s, const struct objects *waiting, int64_t now_ns,
                    struct error *err)
{
    int n = 0;
    for (size_t i = 0; i < waiting->n; i++) {
        struct object port;
        int r = claim_find(s, &waiting->at[i], &port, err);
        if (r == -ENOENT || r == -EBUSY) {
            continue;
        }
        if (r == 0) {
            r = bind_one(s, &waiting->at[i], &port, now_ns, err);
            object_done(&port);
        }
        if (r < 0) {
            return r;
        }
        n++;
    }
    return n;
}

int claims_bind(struct store *s, int64_t now_ns, struct error *err)
{
    const struct value there = {.set = true, .n = false};
    const struct store_query q = {
        .filter = {{PORT_F_THERE, &there}}, .n_filters = 1, .sort = FIELD_OF_ID};
    struct objects waiting = {0};
    int r = s->ops->list(s, &kind_port, &q, keep_waiting, &waiting, err);
    if (r == 0 && waiting.n > 0) {
        r = s->ops->begin(s, err);
        const bool begun = r == 0;
        r = r < 0 ? r : bind_all(s, &waiting, now_ns, err);
        if (r > 0) {
            const int e = s->ops->commit(s, err);
            r = e < 0 ? e : r;
        } else if (begun) {
            s->ops->rollback(s);
        }
    }
    objects_done(&waiting);
    return r;
}

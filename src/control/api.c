/* SPDX-License-Identifier: Apache-2.0 */
#include "control/api.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "control/api_admit.h"
#include "sys/crypto/kdf.h"

/* A request from when it came until it is answered. */
struct call {
    struct api_turn turn; /* the first, so that a turn is its call */
    struct call *next;
    void *call; /* whoever waits for the answer; … */
    api_reply *reply;
    uint64_t waiter; /* a number that no other call has had */
    bool ran;        /* its handler has been in the transaction */
    bool done;       /* its answer waits for the commit */
};

struct api {
    struct api_conf conf;
    struct admit admit;
    struct followers followers;
    struct call *calls; /* in the order in which they came */
    uint64_t waiters;
    bool open;  /* a transaction has begun */
    int broken; /* errno: it must not be committed, … */
    struct error why;
};

int api_new(const struct api_conf *conf, struct api **ret, struct error *err)
{
    const int r = route_check(&conf->routes, err);
    if (r < 0) {
        return r;
    }
    struct api *a = calloc(1, sizeof(*a));
    if (!a) {
        return error_set(err, ENOMEM, "memory is short");
    }
    a->conf = *conf;
    a->conf.now = conf->now ? conf->now : wall_now;
    a->conf.random = conf->random ? conf->random : random_bytes;
    a->admit.routes = conf->routes;
    a->admit.who = (struct who_conf){conf->store, conf->anonymous, conf->hosts, conf->owner};
    *ret = a;
    return 0;
}

void api_become(struct api *a, enum api_role anonymous, const char *const *hosts,
                const struct opentap_settings *opentap)
{
    a->admit.who.anonymous = anonymous;
    a->admit.who.hosts = hosts;
    a->conf.opentap_settings = opentap;
}

static void call_free(struct call *c)
{
    http_answer_done(&c->turn.answer);
    target_done(&c->turn.target);
    free(c->turn.kept);
    free(c);
}

void api_free(struct api *a)
{
    if (!a) {
        return;
    }
    while (a->calls) {
        struct call *c = a->calls;
        a->calls = c->next;
        call_free(c);
    }
    if (a->open) {
        a->conf.store->ops->rollback(a->conf.store);
    }
    followers_done(&a->followers);
    free(a);
}

/* Those that all answers have: no cache keeps what a token has opened, and no browser guesses. */
static void add_headers(struct http_answer *a)
{
    http_answer_header(a, "Cache-Control", "private, no-cache");
    http_answer_header(a, "X-Content-Type-Options", "nosniff");
}

/* ---- the store ---- */

/* Its failure, as an answer. Where it came after a change, nothing of the turn is committed. */
static int failed(struct api_turn *t, int r, const struct error *err)
{
    struct api *a = t->api;
    if (t->changed && a->broken == 0) {
        a->broken = -r;
        a->why = *err;
    }
    (void)api_problem(t, r == -ENOSPC ? 507 : 503, NULL, "the store cannot do that now: %s",
                      err->text);
    return r;
}

bool api_sees_all(const struct api_turn *t)
{
    return (t->route->flags & API_SHARED) ||
           (t->who.role == API_ADMIN && t->who.project[0] == '\0');
}

static bool sees(const struct api_turn *t, const struct object *o)
{
    const struct value *project = &o->v[FIELD_OF_PROJECT];
    return api_sees_all(t) || (project->set && strcmp(project->text, t->who.project) == 0);
}

int api_get(struct api_turn *t, const struct kind *k, const char *id, struct object *ret)
{
    struct store *s = t->api->conf.store;
    struct error err = {""};
    struct object o;
    uint8_t bytes[16];
    char name[KIND_ID]; /* in the one form that the store has */
    int r = uuid_parse(id, bytes) < 0 ? -ENOENT : 0;
    if (r == 0) {
        uuid_text(bytes, name);
        r = s->ops->get(s, k, name, &o, &err);
    }
    if (r == 0 && !sees(t, &o)) {
        object_done(&o);
        r = -ENOENT;
    }
    if (r == -ENOENT) {
        (void)api_problem(t, 404, NULL, "there is no %s of this id", k->name);
        return r;
    }
    if (r < 0) {
        return failed(t, r, &err);
    }
    *ret = o;
    return 0;
}

int api_put(struct api_turn *t, struct object *o)
{
    struct store *s = t->api->conf.store;
    struct error err = {""};
    object_set_int(o, FIELD_OF_GENERATION, o->v[FIELD_OF_GENERATION].n + 1);
    t->changed = true;
    int r = s->ops->put(s, o, &err);
    return r < 0 ? failed(t, r, &err) : 0;
}

int api_remove(struct api_turn *t, const struct kind *k, const char *id)
{
    struct store *s = t->api->conf.store;
    struct error err = {""};
    t->changed = true;
    int r = s->ops->remove(s, k, id, &err);
    return r < 0 ? failed(t, r, &err) : 0;
}

int api_each(struct api_turn *t, const struct kind *k, const struct store_query *q,
             int (*each)(void *user, const struct object *o), void *user)
{
    struct store *s = t->api->conf.store;
    struct error err = {""};
    int r = s->ops->list(s, k, q, each, user, &err);
    return r < 0 ? failed(t, r, &err) : 0;
}

int api_count(struct api_turn *t, const struct kind *k, const struct store_query *q, uint64_t *ret)
{
    struct store *s = t->api->conf.store;
    struct error err = {""};
    int r = s->ops->count(s, k, q, ret, &err);
    return r < 0 ? failed(t, r, &err) : 0;
}

static void copy(char *to, size_t cap, const struct value *v)
{
    snprintf(to, cap, "%s", v->set && v->text ? v->text : "");
}

int api_event(struct api_turn *t, const char *what, const struct object *of, const char *fmt, ...)
{
    struct store *s = t->api->conf.store;
    struct error err = {""};
    struct store_event e = {.time_ns = t->now_ns};
    va_list args;
    snprintf(e.what, sizeof(e.what), "%s", what);
    snprintf(e.who, sizeof(e.who), "%s", t->who.name);
    snprintf(e.whence, sizeof(e.whence), "%s", t->request->peer.address);
    snprintf(e.project, sizeof(e.project), "%s", t->who.project);
    if (of) {
        snprintf(e.kind, sizeof(e.kind), "%s", of->kind->name);
        copy(e.id, sizeof(e.id), &of->v[FIELD_OF_ID]);
        copy(e.project, sizeof(e.project), &of->v[FIELD_OF_PROJECT]);
    }
    va_start(args, fmt);
    (void)vsnprintf(e.words, sizeof(e.words), fmt, args);
    va_end(args);
    t->changed = t->told = true;
    int r = s->ops->add_event(s, &e, &err);
    return r < 0 ? failed(t, r, &err) : 0;
}

/* ---- the turn ---- */

static int begin(struct api *a, struct api_turn *t)
{
    struct error err = {""};
    if (a->open) {
        return 0;
    }
    int r = a->conf.store->ops->begin(a->conf.store, &err);
    if (r < 0) {
        return failed(t, r, &err);
    }
    a->open = true;
    a->broken = 0;
    return 0;
}

/* The rules that a handler keeps are held here: a change has its line in the audit, and a refusal
 * changes nothing. */
static void after_handler(struct api_turn *t, bool later)
{
    struct api *a = t->api;
    bool refused = t->refused || t->answer.status >= 400; /* OpenTap refuses at 200 */
    if (t->changed && (refused || later) && a->broken == 0) {
        a->broken = EIO;
        (void)error_set(&a->why, EIO, "%s failed half-way", t->route->path);
    }
    if (refused || later) {
        t->after_changed = t->after_delete = false;
    } else if (t->route->flags & API_CHANGES && !t->told) {
        (void)api_event(t, "request", NULL, "%s", t->route->path);
    }
}

static void run(struct call *c)
{
    struct api_turn *t = &c->turn;
    if (begin(t->api, t) < 0) {
        c->done = true;
        return;
    }
    c->ran = true;
    t->now_ns = t->api->conf.now().ns;
    t->refused = false;
    c->done = t->route->handler(t) == API_DONE;
    after_handler(t, !c->done);
}

static void answer_failure(struct call *c, int code, const char *words)
{
    (void)api_problem(&c->turn, code == ENOSPC || code == EDQUOT ? 507 : 503, NULL,
                      "nothing was changed: %s", words);
    c->turn.after_changed = c->turn.after_delete = false;
}

/* The file of a deleted object: those that follow it have its end. */
static void delete_data(struct api *a, const struct api_turn *t)
{
    char id[KIND_ID];
    uuid_text(t->deleted, id);
    api_published(a, id, 0, true);
    if (a->conf.edges && a->conf.edges->delete_data) {
        a->conf.edges->delete_data(a->conf.user, t->deleted);
    }
}

/* Takes the calls that have answers out of the list, in their order. */
static struct call *take_done(struct api *a)
{
    struct call *done = NULL, **to = &done;
    for (struct call **at = &a->calls; *at;) {
        struct call *c = *at;
        if (!c->done) {
            at = &c->next;
            continue;
        }
        *at = c->next;
        c->next = NULL;
        *to = c;
        to = &c->next;
    }
    return done;
}

static int end_transaction(struct api *a, struct error *err)
{
    struct store *s = a->conf.store;
    if (!a->open) {
        return 0;
    }
    a->open = false;
    if (a->broken == 0) {
        return -s->ops->commit(s, err);
    }
    s->ops->rollback(s);
    *err = a->why;
    return a->broken;
}

void api_commit(struct api *a)
{
    struct error err = {""};
    bool changed = false;
    int code = end_transaction(a, &err);
    struct call *done = take_done(a);
    for (struct call *c = done; c; c = c->next) {
        if (code > 0 && c->ran) {
            answer_failure(c, code, err.text);
        }
        changed = changed || c->turn.after_changed;
        if (c->turn.after_delete) {
            delete_data(a, &c->turn);
        }
    }
    if (changed && a->conf.edges && a->conf.edges->changed) {
        a->conf.edges->changed(a->conf.user);
    }
    while (done) {
        struct call *c = done;
        done = c->next;
        add_headers(&c->turn.answer);
        if (c->reply) {
            c->reply(c->call, &c->turn.answer);
            c->turn.answer = HTTP_ANSWER_NONE;
        }
        call_free(c);
    }
}

/* ---- a request ---- */

void api_request(struct api *a, const struct http_request *r, api_reply *reply, void *call)
{
    struct call *c = calloc(1, sizeof(*c)), **at = &a->calls;
    if (!c) {
        struct http_answer short_of_memory = HTTP_ANSWER_NONE;
        short_of_memory.status = 503;
        reply(call, &short_of_memory);
        return;
    }
    c->call = call;
    c->reply = reply;
    c->waiter = ++a->waiters;
    c->turn =
        (struct api_turn){.api = a, .request = r, .answer = HTTP_ANSWER_NONE, .user = a->conf.user};
    while (*at) {
        at = &(*at)->next;
    }
    *at = c;
    if (api_admit(&a->admit, &c->turn, a->conf.now().ns)) {
        run(c);
    } else {
        c->done = true;
    }
}

void api_gone(struct api *a, void *call)
{
    for (struct call **at = &a->calls; *at; at = &(*at)->next) {
        if ((*at)->call == call && (*at)->reply) {
            struct call *c = *at;
            if (c->done) { /* what it changed is to be committed, and acted on */
                c->reply = NULL;
                return;
            }
            *at = c->next;
            call_free(c);
            return;
        }
    }
}

void api_wake(struct api *a, void *waiter)
{
    for (struct call *c = a->calls; c; c = c->next) {
        if (c->waiter == (uintptr_t)waiter && !c->done) {
            run(c);
            return;
        }
    }
}

void api_published(struct api *a, const char *id, uint64_t published, bool ended)
{
    followers_published(&a->followers, id, published, ended,
                        a->conf.edges ? a->conf.edges->more : NULL, a->conf.user);
}

const struct api_conf *api_conf_of(const struct api_turn *t)
{
    return &t->api->conf;
}

void *api_waiter(const struct api_turn *t)
{
    const struct call *c = (const struct call *)(const void *)t;
    return (void *)(uintptr_t)c->waiter;
}

struct followers *api_followers(const struct api_turn *t)
{
    return &t->api->followers;
}

const char *api_parameter(const struct api_turn *t, const char *name)
{
    return target_parameter(&t->target, name);
}

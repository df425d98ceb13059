/* SPDX-License-Identifier: Apache-2.0
 *
 * The API without a socket, for tests and fuzz targets: a store in memory that counts changes and
 * fails when it is told to, edges that answer as they are told, a clock that stands still, and
 * requests as a line or two.
 */
#pragma once

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>

#include "control/api.h"
#include "control/v1.h"
#include "model/kinds.h"

#define WORLD_NOW (INT64_C(1800000000) * NSEC_PER_SEC) /* 2027-01-15T08:00:00Z */

/* ---- a store that counts and fails ---- */

struct counted {
    struct store store;
    struct store *real;
    unsigned changes, commits, rollbacks;
    int fail_commit, fail_put, fail_begin, fail_list, fail_event; /* -errno */
};

static struct counted *counted_of(struct store *s)
{
    return (struct counted *)(void *)s;
}

static int counted_begin(struct store *s, struct error *err)
{
    struct counted *c = counted_of(s);
    return c->fail_begin ? error_set(err, -c->fail_begin, "it does not begin")
                         : c->real->ops->begin(c->real, err);
}

static int counted_commit(struct store *s, struct error *err)
{
    struct counted *c = counted_of(s);
    c->commits++;
    if (c->fail_commit) {
        c->real->ops->rollback(c->real);
        return error_set(err, -c->fail_commit, "the disk said no");
    }
    return c->real->ops->commit(c->real, err);
}

static void counted_rollback(struct store *s)
{
    counted_of(s)->rollbacks++;
    counted_of(s)->real->ops->rollback(counted_of(s)->real);
}

static int counted_put(struct store *s, const struct object *o, struct error *err)
{
    struct counted *c = counted_of(s);
    c->changes++;
    return c->fail_put ? error_set(err, -c->fail_put, "no put")
                       : c->real->ops->put(c->real, o, err);
}

static int counted_get(struct store *s, const struct kind *k, const char *id, struct object *ret,
                       struct error *err)
{
    return counted_of(s)->real->ops->get(counted_of(s)->real, k, id, ret, err);
}

static int counted_list(struct store *s, const struct kind *k, const struct store_query *q,
                        int (*each)(void *user, const struct object *o), void *user,
                        struct error *err)
{
    struct counted *c = counted_of(s);
    return c->fail_list ? error_set(err, -c->fail_list, "no list")
                        : c->real->ops->list(c->real, k, q, each, user, err);
}

static int counted_count(struct store *s, const struct kind *k, const struct store_query *q,
                         uint64_t *ret, struct error *err)
{
    return counted_of(s)->real->ops->count(counted_of(s)->real, k, q, ret, err);
}

static int counted_remove(struct store *s, const struct kind *k, const char *id, struct error *err)
{
    counted_of(s)->changes++;
    return counted_of(s)->real->ops->remove(counted_of(s)->real, k, id, err);
}

static int counted_add_event(struct store *s, const struct store_event *e, struct error *err)
{
    struct counted *c = counted_of(s);
    c->changes++;
    return c->fail_event ? error_set(err, -c->fail_event, "no event")
                         : c->real->ops->add_event(c->real, e, err);
}

static int counted_events(struct store *s, uint64_t behind, unsigned most,
                          int (*each)(void *user, const struct store_event *e), void *user,
                          struct error *err)
{
    return counted_of(s)->real->ops->events(counted_of(s)->real, behind, most, each, user, err);
}

static const struct store_ops counted_ops = {
    .begin = counted_begin,
    .commit = counted_commit,
    .rollback = counted_rollback,
    .put = counted_put,
    .get = counted_get,
    .list = counted_list,
    .count = counted_count,
    .remove = counted_remove,
    .add_event = counted_add_event,
    .events = counted_events,
};

/* ---- the world of a test ---- */

enum {
    WORLD_ANSWERS = 64,
    WORLD_HEADERS = 16,
};

struct world {
    struct counted counted;
    struct api *api;
    /* The edges' answers. */
    int filter; /* of check_filter: 0, -EINVAL, -EAGAIN, … */
    int open;   /* of open_data: 0, -ENOENT, -EAGAIN, … */
    int snapshot;
    const char *file; /* what is opened has this in it, and … */
    const char *second;
    size_t file_len; /* bytes of `file`; 0: it is a text */
    /* Questions that they were asked. */
    void *waiter;
    char filter_asked[256];
    unsigned changed, deleted, mores, snapshots;
    uint8_t deleted_id[16];
    void *body; /* of the last more() */
    /* The last answer, and how many there were. */
    struct http_answer answer;
    unsigned answers;
    uint8_t chance;
};

static int world_filter(void *user, const char *filter, void *waiter, struct error *err)
{
    struct world *w = user;
    w->waiter = waiter;
    snprintf(w->filter_asked, sizeof(w->filter_asked), "%s", filter);
    return w->filter ? error_set(err, -w->filter, "syntax error in filter expression") : 0;
}

static int world_open(void *user, const uint8_t id[16], bool second, void *waiter, int *ret_fd,
                      struct error *err)
{
    struct world *w = user;
    const char *bytes = second ? w->second : w->file;
    (void)id;
    w->waiter = waiter;
    if (w->open) {
        return error_set(err, -w->open, "no file");
    }
    int fd = memfd_create("capture", MFD_CLOEXEC);
    size_t len = !bytes ? 0 : !second && w->file_len ? w->file_len : strlen(bytes);
    if (fd < 0 || (len > 0 && write(fd, bytes, len) < 0)) {
        return error_set(err, EIO, "no memfd");
    }
    *ret_fd = fd;
    return 0;
}

static void world_delete(void *user, const uint8_t id[16])
{
    struct world *w = user;
    w->deleted++;
    memcpy(w->deleted_id, id, 16);
}

static int world_snapshot(void *user, const uint8_t id[16], void *waiter, struct error *err)
{
    struct world *w = user;
    (void)id;
    w->waiter = waiter;
    w->snapshots++;
    return w->snapshot ? error_set(err, -w->snapshot, "no snapshot") : 0;
}

static void world_changed(void *user)
{
    ((struct world *)user)->changed++;
}

static void world_more(void *user, void *body)
{
    struct world *w = user;
    w->mores++;
    w->body = body;
}

static struct wall world_now(void)
{
    return (struct wall){WORLD_NOW};
}

/* Chance that is none, so that tests see the same ids each time; no two draws are alike. */
static int world_random(void *ret, size_t n)
{
    static uint32_t draw;
    uint8_t *p = ret;
    draw++;
    for (size_t i = 0; i < n; i++) {
        p[i] = (uint8_t)(draw >> (i % 4 * 8));
    }
    return 0;
}

static const struct api_edges world_edges = {
    .check_filter = world_filter,
    .open_data = world_open,
    .delete_data = world_delete,
    .snapshot = world_snapshot,
    .changed = world_changed,
    .more = world_more,
};

/* `list`: kinds of the store; `more`: routes, who may what, and what adapters have. What all that
 * points to must live as long as the world. */
static _unused_ void world_start(struct world *w, const struct kind *const *list, size_t n_kinds,
                                 const struct api_conf *more)
{
    static const char *const hosts[] = {"tap.example", NULL};
    struct store_conf sc = {.kinds = list, .n = n_kinds, .now_ns = WORLD_NOW};
    struct error err = {""};
    *w = (struct world){.counted = {.store = {&counted_ops}}, .answer = HTTP_ANSWER_NONE};
    struct api_conf conf = *more;
    conf.store = &w->counted.store;
    conf.edges = &world_edges;
    conf.user = w;
    conf.now = world_now;
    conf.hosts = hosts;
    conf.owner = 990;
    conf.random = world_random;
    int r = store_fake_new(&sc, &w->counted.real);
    assert(r == 0);
    r = api_new(&conf, &w->api, &err);
    assert(r == 0);
    (void)r;
}

static _unused_ void world_init(struct world *w, const struct kind *const *list, size_t n_kinds,
                                const struct api_route *const *table, const size_t *n,
                                enum api_role anonymous)
{
    const struct api_conf conf = {.routes = {table, n, 1}, .anonymous = anonymous};
    world_start(w, list, n_kinds, &conf);
}

static _unused_ void world_done(struct world *w)
{
    api_free(w->api);
    store_free(w->counted.real);
    http_answer_done(&w->answer);
}

static void world_reply(void *call, struct http_answer *answer)
{
    struct world *w = call;
    http_answer_done(&w->answer);
    w->answer = *answer;
    w->answers++;
}

/* ---- requests ---- */

static const struct http_peer peer_root = {.local = true, .uid = 0, .address = "local"};
static const struct http_peer peer_user = {.local = true, .uid = 1000, .address = "local"};
static const struct http_peer peer_loopback = {.loopback = true, .address = "127.0.0.1"};
static const struct http_peer peer_far = {.address = "192.0.2.7"};

/* Headers are pairs of texts, which end with NULL. */
static struct http_request request_of(enum http_method method, const char *target, const char *body,
                                      const struct http_peer *peer, const char *const *headers)
{
    struct http_request r = {.method = method, .target = target, .peer = *peer};
    for (; headers && headers[0] && r.n_headers < HTTP_HEADERS; headers += 2) {
        r.header[r.n_headers++] = (struct http_header){headers[0], headers[1]};
    }
    if (body) {
        r.body = (const uint8_t *)body;
        r.len = strlen(body);
        r.header[r.n_headers++] = (struct http_header){"Content-Type", "application/json"};
    }
    return r;
}

/* One request in a turn of its own; its status, 0: it waits. */
static _unused_ int ask_with(struct world *w, enum http_method method, const char *target,
                             const char *body, const struct http_peer *peer,
                             const char *const *headers)
{
    const struct http_request r = request_of(method, target, body, peer, headers);
    unsigned before = w->answers;
    api_request(w->api, &r, world_reply, w);
    api_commit(w->api);
    if (w->answers == before) {
        api_gone(w->api, w); /* `r` is no more */
        return 0;
    }
    return w->answer.status;
}

/* As root at the local socket. */
static _unused_ int ask(struct world *w, enum http_method method, const char *target,
                        const char *body)
{
    return ask_with(w, method, target, body, &peer_root, NULL);
}

static _unused_ const char *header_of(const struct world *w, const char *name)
{
    for (unsigned i = 0; i < w->answer.n_headers; i++) {
        if (strcmp(w->answer.header[i].name, name) == 0) {
            return w->answer.header[i].value;
        }
    }
    return NULL;
}

/* The answer's bytes as a text, which the caller frees. */
static _unused_ char *body_of(const struct world *w)
{
    return w->answer.bytes ? strndup((const char *)w->answer.bytes, w->answer.len) : strdup("");
}

static _unused_ bool body_has(const struct world *w, const char *text)
{
    return w->answer.bytes && memmem(w->answer.bytes, w->answer.len, text, strlen(text));
}

/* ---- things that are there ---- */

static _unused_ void world_put(struct world *w, const struct object *o)
{
    struct store *s = w->counted.real;
    int r = s->ops->begin(s, NULL);
    r = r < 0 ? r : s->ops->put(s, o, NULL);
    r = r < 0 ? r : s->ops->commit(s, NULL);
    assert(r == 0);
    (void)r;
}

/* An object with an id of that number, of project "local". */
static _unused_ void world_object(struct object *o, const struct kind *k, unsigned number,
                                  const char *project, const char *owner)
{
    char id[KIND_ID];
    snprintf(id, sizeof(id), "00000000-0000-7000-8000-%012x", number);
    object_init(o, k);
    (void)object_set_text(o, FIELD_OF_ID, id);
    (void)object_set_text(o, FIELD_OF_PROJECT, project);
    (void)object_set_text(o, FIELD_OF_OWNER, owner);
    object_set_int(o, FIELD_OF_GENERATION, 1);
    object_set_int(o, FIELD_OF_CREATED, WORLD_NOW + number);
    (void)object_defaults(o, NULL);
}

static _unused_ void world_port(struct world *w, unsigned number, const char *name,
                                const char *alias, bool there)
{
    struct object o;
    world_object(&o, &kind_port, number, WHO_LOCAL, "");
    (void)object_set_text(&o, PORT_F_NAME, name);
    if (alias) {
        (void)object_set_text(&o, PORT_F_ALIAS, alias);
    }
    object_set_int(&o, PORT_F_THERE, there);
    world_put(w, &o);
    object_done(&o);
}

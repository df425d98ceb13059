/* SPDX-License-Identifier: Apache-2.0 */
#include "control/server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "control/agents.h"
#include "control/api.h"
#include "control/chores.h"
#include "control/hashes.h"
#include "control/json.h"
#include "control/opentap.h"
#include "control/recover.h"
#include "control/server_asks.h"
#include "control/taas.h"
#include "control/v1.h"
#include "model/kinds.h"
#include "sys/crypto/kdf.h"
#include "sys/http.h"

enum {
    RETAIN_AFTER_MS = 5000, /* those who ask come first, and hashes.c has its look at 2 s */
};

struct server {
    struct server_conf conf;
    struct store *store;
    struct api *api;
    struct agents *agents;
    struct http *http;
    struct server_questions questions;
    const struct api_route *table[3];
    size_t n_routes[3]; /* of each */
    struct loop_fd *broker_event;
    struct chores chores;
    struct hashes *hashes;
};

/* ---- edges of the API ---- */

static int check_filter(void *user, const char *filter, void *waiter, struct error *err)
{
    return server_check(&((struct server *)user)->questions, filter, waiter, err);
}

static int open_data(void *user, const uint8_t id[16], bool second, void *waiter, int *ret_fd,
                     struct error *err)
{
    return server_open(&((struct server *)user)->questions, id, second, waiter, ret_fd, err);
}

static void delete_data(void *user, const uint8_t id[16])
{
    server_remove(&((struct server *)user)->questions, id);
}

static int snapshot(void *user, const uint8_t id[16], void *waiter, struct error *err)
{
    struct server *s = user;
    const int r = agents_snapshot(s->agents, id, waiter, mono_now(), err);
    agents_poke(s->agents);
    return r;
}

static void changed(void *user)
{
    struct server *s = user;
    agents_changed(s->agents);
    agents_poke(s->agents);
}

static void more(void *user, void *body)
{
    http_more(((struct server *)user)->http, body);
}

static const struct api_edges api_edges = {
    .check_filter = check_filter,
    .open_data = open_data,
    .delete_data = delete_data,
    .snapshot = snapshot,
    .changed = changed,
    .more = more,
};

/* A handler goes on: its change is made lasting at once. */
static void wake(void *user, void *waiter)
{
    struct server *s = user;
    if (!hashes_woken(s->hashes, waiter)) {
        api_wake(s->api, waiter);
        api_commit(s->api);
    }
}

/* ---- edges of HTTP ---- */

static void reply(void *call, struct http_answer *answer)
{
    http_reply(call, answer);
}

static void on_request(void *user, struct http_call *call, const struct http_request *r)
{
    api_request(((struct server *)user)->api, r, reply, call);
}

static void on_gone(void *user, struct http_call *call)
{
    api_gone(((struct server *)user)->api, call);
}

static void on_turn(void *user)
{
    api_commit(((struct server *)user)->api);
}

static const struct http_ops http_ops = {.request = on_request, .gone = on_gone, .turn = on_turn};

/* ---- edges of the agents ---- */

static int connect_data(void *user, int *ret_fd, struct error *err)
{
    const struct server *s = user;
    return broker_peer(s->conf.broker, s->conf.asks->data_role, ret_fd, err);
}

static void settle(void *user)
{
    api_commit(((struct server *)user)->api);
}

static void published(void *user, const char *id, uint64_t length, bool ended)
{
    struct server *s = user;
    api_published(s->api, id, length, ended);
    if (ended && length > 0) {
        hashes_add(s->hashes, id);
    }
}

static void say(void *user, const char *words)
{
    const struct server *s = user;
    s->conf.say(s->conf.user, words);
}

static const struct agents_ops agents_ops = {
    .connect = connect_data,
    .settle = settle,
    .published = published,
    .wake = wake,
    .say = say,
};

/* ---- the broker ---- */

static void on_broker(struct loop *l, int fd, uint32_t events, void *user)
{
    struct server *s = user;
    (void)fd;
    (void)events;
    if (server_answers(&s->questions) < 0) {
        say(s, "the privileged broker has ended");
        loop_stop(l, EXIT_FAILURE);
    }
}

/* ---- its life ---- */

static int open_store(struct server *s, struct error *err)
{
    char aside[64] = "", words[160];
    const struct store_conf sc = {.kinds = kinds, .n = KINDS, .now_ns = wall_now().ns};
    const int r = store_sqlite_open(s->conf.folder, &sc, &s->store, aside, err);
    if (r == 0 && aside[0]) {
        (void)snprintf(words, sizeof(words),
                       "the store was damaged and begins anew; the old one is kept as %s", aside);
        say(s, words);
    }
    return r;
}

static int list_now(void *user, int *ret_fd, struct error *err)
{
    const struct server_conf *c = &((struct server *)user)->conf;
    return c->asks->list_now(c->broker, ret_fd, err);
}

static int open_now(void *user, const uint8_t id[16], int *ret_fd, struct error *err)
{
    const struct server_conf *c = &((struct server *)user)->conf;
    return c->asks->open_now(c->broker, id, ret_fd, err);
}

/* A service whose files cannot be listed serves all the same. */
static void recover(struct server *s)
{
    const struct recover_conf rc = {s->store, list_now, open_now, s};
    struct error err = {""};
    char words[sizeof(err.text) + 64];
    const int n = recover_captures(&rc, &err);
    if (n < 0) {
        (void)snprintf(words, sizeof(words), "files without a capture stay so: %s", err.text);
    } else {
        (void)snprintf(
            words, sizeof(words),
            "%d files of no capture are captures of the project \"" RECOVER_PROJECT "\" now", n);
    }
    if (n != 0) {
        say(s, words);
    }
}

static int make_api(struct server *s, struct error *err)
{
    s->table[0] = opentap_routes;
    s->n_routes[0] = opentap_n_routes;
    s->table[1] = v1_routes;
    s->n_routes[1] = v1_n_routes;
    s->table[2] = taas_routes;
    s->n_routes[2] = taas_n_routes;
    const struct api_conf ac = {
        .store = s->store,
        .routes = {s->table, s->n_routes, ARRAY_SIZE(s->table)},
        .edges = &api_edges,
        .user = s,
        .anonymous = s->conf.settings.anonymous,
        .hosts = s->conf.settings.hosts,
        .owner = s->conf.owner,
        .opentap_settings = s->conf.settings.opentap,
        .put_versions = taas_put_versions,
    };
    return api_new(&ac, &s->api, err);
}

static int make_agents(struct server *s, struct error *err)
{
    const struct agents_conf ac = {
        .store = s->store, .ops = &agents_ops, .user = s, .generation = (uint64_t)wall_now().ns};
    int r = agents_new(&ac, mono_now(), &s->agents);
    r = r < 0 ? r : agents_attach(s->agents, s->conf.loop);
    return r < 0 ? error_sys(err, -r, "cannot start") : 0;
}

static int make_http(struct server *s, struct error *err)
{
    struct http_conf hc = {.loop = s->conf.loop,
                           .n_tcp = s->conf.n_tcp,
                           .local = s->conf.local,
                           .ops = &http_ops,
                           .user = s};
    memcpy(hc.tcp, s->conf.tcp, sizeof(hc.tcp));
    return http_new(&hc, &s->http, err);
}

static const struct opentap_conf *opentap_of(const struct server *s)
{
    return s->conf.settings.opentap ? s->conf.settings.opentap->conf : NULL;
}

/* The age is that of OpenTap's file, where it has one. */
static int64_t age_ns(const struct server *s)
{
    const struct opentap_conf *oc = opentap_of(s);
    const int64_t minutes = oc && oc->retention_min ? oc->retention_min : OPENTAP_RETENTION_MIN;
    return minutes * 60 * NSEC_PER_SEC;
}

static int start_chores(struct server *s, struct error *err)
{
    const struct chores_conf cc = {.loop = s->conf.loop,
                                   .retain = {.store = s->store,
                                              .retention = {.age_ns = age_ns(s)},
                                              .deleted = delete_data,
                                              .user = s},
                                   .retain_after_ms = RETAIN_AFTER_MS,
                                   .opentap = opentap_of(s),
                                   .settle = settle,
                                   .changed = changed,
                                   .say = say,
                                   .user = s};
    const int r = chores_start(&s->chores, &cc, mono_now());
    return r < 0 ? error_sys(err, -r, "cannot start") : 0;
}

static int open_ended(void *user, const uint8_t id[16], void *waiter, int *ret_fd,
                      struct error *err)
{
    return open_data(user, id, false, waiter, ret_fd, err);
}

static int start_hashes(struct server *s, struct error *err)
{
    const struct hashes_conf hc = {
        .loop = s->conf.loop, .store = s->store, .open = open_ended, .settle = settle, .user = s};
    const int r = hashes_new(&hc, mono_now(), &s->hashes);
    return r < 0 ? error_sys(err, -r, "cannot start") : 0;
}

/* Clients choose the keys that the JSON library hashes. Behind the sandbox's walls it finds no
 * chance of its own, and would take the time and the process's number. */
static int seed_json(struct error *err)
{
    size_t seed = 0;
    const int r = random_bytes(&seed, sizeof(seed));
    if (r < 0) {
        return error_sys(err, -r, "cannot start");
    }
    json_seed(seed);
    return 0;
}

int server_new(const struct server_conf *conf, struct server **ret, struct error *err)
{
    int r = seed_json(err);
    if (r < 0) {
        return r;
    }
    struct server *s = calloc(1, sizeof(*s));
    if (!s) {
        return error_sys(err, ENOMEM, "cannot start");
    }
    s->conf = *conf;
    s->questions = (struct server_questions){
        .broker = conf->broker, .asks = conf->asks, .loop = conf->loop, .wake = wake, .user = s};
    r = server_questions_init(&s->questions);
    r = r < 0 ? r
              : loop_add_fd(conf->loop, broker_fd(conf->broker), EPOLLIN, on_broker, s,
                            &s->broker_event);
    r = r < 0 ? error_sys(err, -r, "cannot start") : 0;
    r = r < 0 ? r : open_store(s, err);
    if (r == 0) {
        recover(s);
    }
    r = r < 0 ? r : make_api(s, err);
    r = r < 0 ? r : start_hashes(s, err);
    r = r < 0 ? r : make_agents(s, err);
    r = r < 0 ? r : make_http(s, err);
    r = r < 0 ? r : start_chores(s, err);
    if (r < 0) {
        server_free(s);
        return r;
    }
    *ret = s;
    return 0;
}

void server_become(struct server *s, const struct server_settings *settings)
{
    s->conf.settings = *settings;
    api_become(s->api, settings->anonymous, settings->hosts, settings->opentap);
    chores_become(&s->chores, age_ns(s), opentap_of(s));
}

void server_free(struct server *s)
{
    if (!s) {
        return;
    }
    chores_stop(&s->chores);
    http_free(s->http);
    agents_free(s->agents);
    hashes_free(s->hashes);
    api_free(s->api);
    server_questions_done(&s->questions);
    loop_del_fd(s->conf.loop, s->broker_event);
    store_free(s->store);
    free(s);
}

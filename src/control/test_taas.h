/* SPDX-License-Identifier: Apache-2.0
 *
 * The API with the routes of OpenStack Networking's adapter and ours, for tests: ports of "red",
 * "blue" and the operator, and requests by their members.
 */
#pragma once

#include <stdlib.h>

#include "control/taas.h"
#include "control/test_api.h"
#include "control/tokens.h"
#include "control/v1.h"

#define SERVICES "/v2.0/taas/tap_services"
#define FLOWS "/v2.0/taas/tap_flows"
#define PORT(n) "00000000-0000-7000-8000-00000000000" #n

struct fixture {
    struct world w;
    char secret[2][TOKEN_TEXT]; /* of members of "red" and "blue" */
    char *body;
};

static _unused_ void put_port(struct fixture *f, unsigned number, const char *name,
                              const char *project)
{
    struct object o;
    world_object(&o, &kind_port, number, project, "");
    (void)object_set_text(&o, PORT_F_NAME, name);
    (void)object_set_text(&o, PORT_F_MAC, number == 4 ? "02:00:00:00:00:04" : "02:00:00:00:00:01");
    object_set_int(&o, PORT_F_THERE, true);
    object_set_int(&o, PORT_F_UP, true);
    object_set_int(&o, PORT_F_SEEN, WORLD_NOW);
    world_put(&f->w, &o);
    object_done(&o);
}

static _unused_ void put_token(struct fixture *f, unsigned n, const char *project, const char *role)
{
    uint8_t random[TOKEN_BYTES] = {(uint8_t)(n + 1)};
    char hash[TOKEN_HASH];
    struct object o;
    token_make(random, f->secret[n], hash);
    world_object(&o, &kind_token, 100 + n, project, "");
    (void)object_set_text(&o, TOKEN_F_NAME, project);
    (void)object_set_text(&o, TOKEN_F_ROLE, role);
    (void)object_set_text(&o, TOKEN_F_HASH, hash);
    world_put(&f->w, &o);
    object_done(&o);
}

static _unused_ int enter(void **state)
{
    static const struct api_route *table[2];
    static size_t n[2];
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    table[0] = v1_routes;
    table[1] = taas_routes;
    n[0] = v1_n_routes;
    n[1] = taas_n_routes;
    const struct api_conf conf = {.routes = {table, n, 2}, .anonymous = API_CAPTURE};
    world_start(&f->w, kinds, KINDS, &conf);
    put_port(f, 1, "eth1", "red");
    put_port(f, 2, "eth2", "red");
    put_port(f, 3, "eth3", "blue");
    put_port(f, 4, "eth4", WHO_LOCAL);
    put_token(f, 0, "red", "capture");
    put_token(f, 1, "blue", "read");
    *state = f;
    return 0;
}

static _unused_ int leave(void **state)
{
    struct fixture *f = *state;
    world_done(&f->w);
    free(f->body);
    free(f);
    return 0;
}

/* The answer's body, which the fixture keeps. */
static _unused_ const char *body(struct fixture *f)
{
    free(f->body);
    f->body = body_of(&f->w);
    return f->body;
}

static _unused_ int by(struct fixture *f, unsigned n, enum http_method method, const char *target,
                       const char *wish)
{
    const char *const headers[] = {"Host", "tap", "X-Auth-Token", f->secret[n], NULL};
    return ask_with(&f->w, method, target, wish, &peer_far, headers);
}

static _unused_ int red(struct fixture *f, enum http_method method, const char *target,
                        const char *wish)
{
    return by(f, 0, method, target, wish);
}

static _unused_ int root(struct fixture *f, enum http_method method, const char *target,
                         const char *wish)
{
    return ask(&f->w, method, target, wish);
}

/* The refusal's type and message; nothing was changed. */
static _unused_ void refused(struct fixture *f, const char *type, const char *message)
{
    char want[600];
    (void)snprintf(want, sizeof(want),
                   "{\"NeutronError\":{\"type\":\"%s\",\"message\":\"%s\",\"detail\":\"\"}}", type,
                   message);
    assert_string_equal(body(f), want);
}

/* The first id in the last answer. */
static _unused_ void id_of(struct fixture *f, char ret[KIND_ID])
{
    const char *at = strstr(body(f), "\"id\":\"");
    assert_non_null(at);
    (void)snprintf(ret, KIND_ID, "%s", at + 6);
}

static _unused_ void make_service(struct fixture *f, const char *name, char ret[KIND_ID])
{
    char wish[300];
    (void)snprintf(wish, sizeof(wish),
                   "{\"tap_service\":{\"name\":\"%s\",\"port_id\":\"" PORT(1) "\"}}", name);
    assert_int_equal(red(f, HTTP_POST, SERVICES, wish), 201);
    id_of(f, ret);
}

static _unused_ int make_flow(struct fixture *f, const char *service, const char *more)
{
    char wish[600];
    (void)snprintf(wish, sizeof(wish),
                   "{\"tap_flow\":{\"source_port\":\"" PORT(2) "\",\"tap_service_id\":\"%s\","
                                                               "\"direction\":\"IN\"%s}}",
                   service, more);
    return red(f, HTTP_POST, FLOWS, wish);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, enter, leave)

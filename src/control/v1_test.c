/* SPDX-License-Identifier: Apache-2.0
 *
 * Our routes: captures from their making to their end, what is wrong with them told all at once,
 * ports, tokens that let somebody in, events and the audit, and the document. Downloads are in
 * control/v1_data_test.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>

#include "control/captures.h"
#include "control/openapi.h"
#include "control/test_api.h"

static int enter(void **state)
{
    static const struct api_route *const table[] = {v1_routes};
    struct world *w = malloc(sizeof(*w));
    assert_non_null(w);
    world_init(w, kinds, KINDS, table, &v1_n_routes, API_READ);
    world_port(w, 1, "eth0", "uplink", true);
    world_port(w, 2, "eth1", NULL, true);
    world_port(w, 3, "wlan0", NULL, true);
    world_port(w, 4, "gone0", NULL, false);
    *state = w;
    return 0;
}

static int leave(void **state)
{
    world_done(*state);
    free(*state);
    return 0;
}

static json_t *json_of(const struct world *w)
{
    json_t *j = json_loadb((const char *)w->answer.bytes, w->answer.len, 0, NULL);
    if (!j) {
        fail_msg("no JSON: %.*s", (int)w->answer.len, (const char *)w->answer.bytes);
    }
    return j;
}

/* The text of a member, in a buffer of the caller's. */
static const char *text_of(const struct world *w, const char *name, char buf[256])
{
    json_t *j = json_of(w);
    const char *s = json_string_value(json_object_get(j, name));
    (void)snprintf(buf, 256, "%s", s ? s : "(none)");
    json_decref(j);
    return buf;
}

#define CAPTURES "/v1/captures"

static void make(struct world *w, const char *body, char path[256], const char *tail)
{
    char id[256];
    int status = ask(w, HTTP_POST, CAPTURES, body);
    if (status != 201) {
        fail_msg("%d: %.*s", status, (int)w->answer.len, (const char *)w->answer.bytes);
    }
    (void)snprintf(path, 256, CAPTURES "/%s%s", text_of(w, "id", id), tail);
}

static const char plain[] = "{\"type\":\"packet\",\"points\":[\"eth0\"],\"limit_frames\":9}";

/* ---- making ---- */

static void made(void **state)
{
    struct world *w = *state;
    char buf[256];
    assert_int_equal(ask(w, HTTP_POST, CAPTURES,
                         "{\"type\":\"packet\",\"points\":[\"uplink\",\"eth1\","
                         "\"00000000-0000-7000-8000-000000000003\"],\"filter\":\"tcp port 443\","
                         "\"stop\":\"2027-01-15T08:00:10Z\"}"),
                     201);
    assert_string_equal(text_of(w, "state", buf), "scheduled");
    assert_string_equal(text_of(w, "start", buf), "2027-01-15T08:00:00Z");
    assert_string_equal(text_of(w, "owner", buf), "local:root");
    assert_true(body_has(w, "\"points\":[\"eth0\",\"eth1\",\"wlan0\"]"));
    assert_string_equal(w->filter_asked, "tcp port 443");
    assert_int_equal(w->changed, 1);
    assert_int_equal(ask(w, HTTP_GET, header_of(w, "Location"), NULL), 200);
    assert_string_equal(text_of(w, "filter", buf), "tcp port 443");
}

/* Each body, and the pointers of its faults in any order. */
static const struct {
    const char *body;
    const char *pointer[4];
    const char *words;
} wrong[] = {
    {"{\"type\":\"packet\",\"points\":[\"eth0\"]}", {"/stop"}, "so that it ends"},
    {"{\"type\":\"packet\",\"points\":[\"eth9\"],\"limit_frames\":1}",
     {"/points/0"},
     "the nearest is eth"},
    {"{\"type\":\"packet\",\"points\":[\"wlan\"],\"limit_frames\":1}",
     {"/points/0"},
     "the nearest is wlan0"},
    {"{\"type\":\"packet\",\"points\":[\"eth0\",\"gone0\"],\"limit_frames\":1}",
     {"/points/1"},
     "no port gone0 now"},
    {"{\"type\":\"packet\",\"points\":[\"eth0\",\"uplink\"],\"limit_frames\":1}",
     {"/points/1"},
     "eth0 is there twice"},
    {"{\"type\":\"packet\",\"limit_frames\":1}", {"/points"}, "ports are eth0, eth1, wlan0"},
    {"{\"type\":\"packet\",\"points\":[\"eth0\"],\"stop\":\"2027-01-15T07:00:00Z\"}",
     {"/stop"},
     "stop must be after start"},
    {"{\"type\":\"packet\",\"points\":[\"eth0\"],\"stop\":\"2027-01-16T08:00:01Z\"}",
     {"/stop"},
     "24 hours"},
    {"{\"type\":\"packet\",\"points\":[\"eth0\"],\"start\":\"2027-01-15T07:59:54Z\","
     "\"limit_bytes\":1000}",
     {"/start"},
     "the past needs the recorder"},
    {"{\"type\":\"packet\",\"points\":[\"eth0\"],\"start\":\"2028-01-17T08:00:00Z\","
     "\"limit_bytes\":1000}",
     {"/start"},
     "366 days"},
    {"{\"type\":\"packet\",\"points\":[\"eth0\"],\"period\":50,\"limit_frames\":1}",
     {"/period"},
     "does not go with the type packet"},
    {"{\"type\":\"netflow\",\"points\":[\"eth0\"],\"snaplen\":50,\"limit_frames\":1}",
     {"/snaplen"},
     "does not go with the type netflow"},
    {"{\"type\":\"ethernet\",\"points\":[\"eth0\"],\"filter\":\"tcp\",\"vlans\":\"7\","
     "\"limit_frames\":1}",
     {"/filter", "/vlans", "/limit_frames"},
     "does not go with the type ethernet"},
    {"{\"type\":\"ethernet\",\"points\":[\"eth0\",\"eth1\"],\"direction\":\"in\","
     "\"limit_bytes\":1000}",
     {"/direction", "/points"},
     "a capture of the type ethernet is of one port"},
    {"{\"type\":\"sensor\",\"points\":[\"eth0\"],\"limit_frames\":1}", {"/type"}, ""},
    {"{\"type\":\"packet\",\"points\":[\"eth0\"],\"limit_frames\":1,\"colour\":1}",
     {"/colour"},
     ""},
    {"{\"type\":\"packet\",\"points\":[\"eth0\"],\"stop\":\"tomorrow\"}", {"/stop"}, ""},
    {"{\"type\":\"packet\",\"points\":[\"eth0\"],\"stop\":1e99}", {"/stop"}, ""},
    {"{\"type\":\"packet\",\"points\":[],\"limit_frames\":1}", {"/points"}, ""},
    {"{\"type\":\"packet\",\"points\":[\"eth7\",\"eth8\"],\"snaplen\":0,\"period\":10}",
     {"/points/0", "/points/1", "/stop", "/period"},
     ""},
};

static void wrong_ones(void **state)
{
    struct world *w = *state;
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        int status = ask(w, HTTP_POST, CAPTURES, wrong[i].body);
        if (status != 422) {
            fail_msg("%d: %s", status, wrong[i].body);
        }
        json_t *j = json_of(w), *errors = json_object_get(j, "errors");
        size_t n = 0;
        for (; n < 4 && wrong[i].pointer[n]; n++) {
            bool found = false;
            for (size_t k = 0; k < json_array_size(errors); k++) {
                json_t *e = json_array_get(errors, k);
                found = found || strcmp(json_string_value(json_object_get(e, "pointer")),
                                        wrong[i].pointer[n]) == 0;
            }
            if (!found) {
                fail_msg("no %s for %s", wrong[i].pointer[n], wrong[i].body);
            }
        }
        assert_int_equal(json_array_size(errors), n);
        json_decref(j);
        if (!body_has(w, wrong[i].words)) {
            fail_msg("no \"%s\": %.*s", wrong[i].words, (int)w->answer.len,
                     (const char *)w->answer.bytes);
        }
    }
    assert_int_equal(w->counted.changes, 0);
    assert_int_equal(w->changed, 0);
}

static void bounds(void **state)
{
    struct world *w = *state;
    static const char *const good[] = {
        "{\"type\":\"packet\",\"points\":[\"eth0\"],\"start\":\"2027-01-15T07:59:55Z\","
        "\"stop\":\"2027-01-16T07:59:55Z\"}",
        "{\"type\":\"packet\",\"points\":[\"eth0\"],\"start\":\"2028-01-16T08:00:00Z\","
        "\"limit_frames\":1}",
        "{\"type\":\"ethernet\",\"points\":[\"eth0\"],\"period\":10,\"stop\":1800000001}",
        "{\"type\":\"netflow\",\"points\":[\"eth0\"],\"filter\":\"udp\",\"stop\":1800000000.1}",
        "{\"type\":\"packet\",\"points\":[\"eth0\"],\"start\":null,\"period\":1000,"
        "\"limit_bytes\":1}",
    };
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        int status = ask(w, HTTP_POST, CAPTURES, good[i]);
        if (status != 201) {
            fail_msg("%d: %.*s", status, (int)w->answer.len, (const char *)w->answer.bytes);
        }
    }
}

/* With one port, nobody has to name it. */
static void only_port(void **state)
{
    struct world *w = *state;
    world_port(w, 2, "eth1", NULL, false);
    world_port(w, 3, "wlan0", NULL, false);
    assert_int_equal(ask(w, HTTP_POST, CAPTURES, "{\"type\":\"packet\",\"limit_frames\":1}"), 201);
    assert_true(body_has(w, "\"points\":[\"eth0\"]"));
    world_port(w, 1, "eth0", NULL, false);
    assert_int_equal(ask(w, HTTP_POST, CAPTURES, "{\"type\":\"packet\",\"limit_frames\":1}"), 422);
    assert_true(body_has(w, "there are no ports now"));
}

static void filters(void **state)
{
    struct world *w = *state;
    static const char body[] = "{\"type\":\"packet\",\"points\":[\"eth0\"],\"limit_frames\":9,"
                               "\"filter\":\"tcp prt 80\"}";
    w->filter = -EINVAL;
    assert_int_equal(ask(w, HTTP_POST, CAPTURES, body), 422);
    assert_true(body_has(w, "{\"pointer\":\"/filter\",\"detail\":\"syntax error in filter"));
    w->filter = -EIO;
    assert_int_equal(ask(w, HTTP_POST, CAPTURES, body), 503);
    const struct http_request r = request_of(HTTP_POST, CAPTURES, body, &peer_root, NULL);
    w->filter = -EAGAIN;
    unsigned before = w->answers;
    api_request(w->api, &r, world_reply, w);
    api_commit(w->api);
    assert_int_equal(w->answers, before);
    assert_int_equal(w->counted.changes, 0);
    w->filter = 0;
    api_wake(w->api, w->waiter);
    api_commit(w->api);
    assert_int_equal(w->answer.status, 201);
    assert_int_equal(w->changed, 1);
}

static void put_capture(struct world *w, unsigned number, const char *type, const char *state,
                        const char *owner, int64_t bytes)
{
    struct object o;
    world_object(&o, &kind_capture, number, "local", owner);
    assert_int_equal(object_set_text(&o, CAPTURE_F_TYPE, type), 0);
    assert_int_equal(object_set_text(&o, CAPTURE_F_POINTS, "[\"eth0\"]"), 0);
    assert_int_equal(object_set_text(&o, CAPTURE_F_STATE, state), 0);
    object_set_int(&o, CAPTURE_F_START, WORLD_NOW - NSEC_PER_SEC);
    object_set_int(&o, CAPTURE_F_STOP, WORLD_NOW + 60 * NSEC_PER_SEC);
    object_set_int(&o, CAPTURE_F_BYTES, bytes);
    world_put(w, &o);
    object_done(&o);
}

static void so_many_at_once(void **state)
{
    struct world *w = *state;
    for (unsigned i = 0; i < CAPTURES_OF_OWNER; i++) {
        static const char *const states[] = {"scheduled", "running", "finishing"};
        put_capture(w, 100 + i, "packet", states[i % 3], "local:root", 0);
        put_capture(w, 200 + i, "packet", "done", "local:root", 0);
    }
    assert_int_equal(ask(w, HTTP_POST, CAPTURES, plain), 429);
    assert_true(body_has(w, "32 captures"));
    put_capture(w, 100, "packet", "cancelled", "local:root", 0);
    assert_int_equal(ask(w, HTTP_POST, CAPTURES, plain), 201);
    for (unsigned i = 0; i < CAPTURES_AT_ONCE; i++) {
        put_capture(w, 100 + i, "packet", "running", i % 2 ? "alice" : "bob", 0);
    }
    assert_int_equal(ask(w, HTTP_POST, CAPTURES, plain), 409);
    assert_true(body_has(w, "there may be 256"));
}

/* ---- changing and ending ---- */

#define CAPTURE(n) CAPTURES "/00000000-0000-7000-8000-00000000000" #n

static void another_stop(void **state)
{
    struct world *w = *state;
    char buf[256];
    put_capture(w, 5, "packet", "running", "bob", 0);
    put_capture(w, 6, "packet", "done", "bob", 0);
    assert_int_equal(ask(w, HTTP_PATCH, CAPTURE(5), "{\"stop\":\"2027-01-15T08:30:00Z\"}"), 200);
    assert_string_equal(text_of(w, "stop", buf), "2027-01-15T08:30:00Z");
    assert_int_equal(ask(w, HTTP_PATCH, CAPTURE(5), "{\"stop\":null}"), 422);
    assert_int_equal(ask(w, HTTP_PATCH, CAPTURE(5), "{\"stop\":\"2027-01-15T08:00:00Z\"}"), 422);
    assert_true(body_has(w, "has passed already"));
    assert_int_equal(ask(w, HTTP_PATCH, CAPTURE(5), "{\"stop\":\"2027-01-17T08:00:00Z\"}"), 422);
    assert_int_equal(ask(w, HTTP_PATCH, CAPTURE(5), "{\"filter\":\"udp\"}"), 422);
    assert_int_equal(ask(w, HTTP_PATCH, CAPTURE(6), "{\"stop\":\"2027-01-15T08:30:00Z\"}"), 409);
    assert_int_equal(w->changed, 1);
}

static void cancelled(void **state)
{
    struct world *w = *state;
    char path[256], buf[256];
    make(w,
         "{\"type\":\"packet\",\"points\":[\"eth0\"],\"start\":\"2027-01-15T09:00:00Z\","
         "\"limit_frames\":1}",
         path, "/cancel");
    assert_int_equal(ask(w, HTTP_POST, path, NULL), 200);
    assert_string_equal(text_of(w, "state", buf), "cancelled");
    assert_string_equal(text_of(w, "code", buf), "cancelled");
    assert_string_equal(text_of(w, "reason", buf), "cancelled by local:root");
    assert_string_equal(text_of(w, "ended", buf), "2027-01-15T08:00:00Z");
    assert_int_equal(ask(w, HTTP_POST, path, NULL), 409);
    put_capture(w, 5, "packet", "running", "bob", 0);
    assert_int_equal(ask(w, HTTP_POST, CAPTURE(5) "/cancel", "{}"), 400);
    assert_int_equal(ask(w, HTTP_POST, CAPTURE(5) "/cancel", NULL), 200);
    assert_string_equal(text_of(w, "state", buf), "finishing"); /* its data is not whole yet */
    assert_string_equal(text_of(w, "code", buf), "cancelled");
    assert_int_equal(ask(w, HTTP_POST, CAPTURE(7) "/cancel", NULL), 404);
}

static void deleted(void **state)
{
    struct world *w = *state;
    static const uint8_t id[16] = {[6] = 0x70, [8] = 0x80, [15] = 5};
    put_capture(w, 5, "packet", "running", "bob", 0);
    put_capture(w, 6, "packet", "done", "bob", 0);
    w->counted.fail_commit = -EIO;
    assert_int_equal(ask(w, HTTP_DELETE, CAPTURE(5), NULL), 503);
    assert_int_equal(w->deleted, 0); /* its file is needed */
    w->counted.fail_commit = 0;
    assert_int_equal(ask(w, HTTP_DELETE, CAPTURE(5), NULL), 204);
    assert_int_equal(w->deleted, 1);
    assert_memory_equal(w->deleted_id, id, 16);
    assert_int_equal(ask(w, HTTP_GET, "/v1/events", NULL), 200);
    assert_true(body_has(w, "capture.cancelled"));
    assert_true(body_has(w, "capture.deleted"));
    assert_int_equal(ask(w, HTTP_DELETE, CAPTURE(6), NULL), 204);
    assert_int_equal(ask(w, HTTP_DELETE, CAPTURE(6), NULL), 404);
    assert_int_equal(w->deleted, 2);
    assert_int_equal(ask(w, HTTP_GET, CAPTURES, NULL), 200);
    assert_true(body_has(w, "{\"captures\":[]}"));
}

/* ---- ports ---- */

#define PORT(n) "/v1/ports/00000000-0000-7000-8000-00000000000" #n

static void ports(void **state)
{
    struct world *w = *state;
    assert_int_equal(ask_with(w, HTTP_GET, "/v1/ports?there=true&sort=-name&fields=name", NULL,
                              &peer_user, NULL),
                     200);
    assert_true(body_has(w, "{\"name\":\"wlan0\"},\n{\"name\":\"eth1\"},\n{\"name\":\"eth0\"}"));
    assert_int_equal(ask(w, HTTP_PATCH, PORT(2), "{\"alias\":\"uplink\"}"), 422);
    assert_int_equal(ask(w, HTTP_PATCH, PORT(2), "{\"alias\":\"wlan0\"}"), 422);
    assert_true(body_has(w, "another port has this name"));
    assert_int_equal(ask(w, HTTP_PATCH, PORT(2), "{\"name\":\"x\"}"), 422);
    assert_int_equal(ask(w, HTTP_PATCH, PORT(2), "{\"alias\":\"dmz\"}"), 200);
    assert_int_equal(ask(w, HTTP_PATCH, PORT(1), "{\"alias\":null}"), 200);
    assert_int_equal(ask(w, HTTP_PATCH, PORT(2), "{\"alias\":\"uplink\"}"), 200);
    assert_int_equal(ask_with(w, HTTP_PATCH, PORT(2), "{\"alias\":\"x\"}", &peer_user, NULL), 403);
    assert_int_equal(ask_with(w, HTTP_GET, PORT(2), NULL, &peer_user, NULL), 200);
    assert_true(body_has(w, "\"alias\":\"uplink\""));
}

/* ---- tokens ---- */

static void token_lets_in(void **state)
{
    struct world *w = *state;
    char secret[256], path[256], id[256], header[300];
    const char *const with[] = {"Authorization", header, NULL};
    assert_int_equal(ask(w, HTTP_POST, "/v1/tokens", "{\"name\":\"alice\",\"role\":\"capture\"}"),
                     201);
    assert_int_equal(strlen(text_of(w, "token", secret)), 43);
    assert_true(body_has(w, "\"project\":\"local\""));
    assert_false(body_has(w, "hash"));
    (void)snprintf(path, sizeof(path), "/v1/tokens/%s", text_of(w, "id", id));
    (void)snprintf(header, sizeof(header), "Bearer %s", secret);
    assert_int_equal(ask(w, HTTP_GET, path, NULL), 200);
    assert_false(body_has(w, secret)); /* never again */
    assert_int_equal(ask_with(w, HTTP_POST, CAPTURES, plain, &peer_far, with), 201);
    assert_true(body_has(w, "\"owner\":\"alice\""));
    assert_int_equal(ask_with(w, HTTP_GET, "/v1/tokens", NULL, &peer_far, with), 403);
    assert_int_equal(ask_with(w, HTTP_GET, "/v1/audit", NULL, &peer_far, with), 403);
    assert_int_equal(ask(w, HTTP_PATCH, path, "{\"revoked\":true}"), 200);
    assert_int_equal(ask_with(w, HTTP_GET, CAPTURES, NULL, &peer_far, with), 401);
    assert_int_equal(ask(w, HTTP_PATCH, path, "{\"revoked\":false}"), 200);
    assert_int_equal(ask_with(w, HTTP_GET, CAPTURES, NULL, &peer_far, with), 200);
    assert_int_equal(ask(w, HTTP_DELETE, path, NULL), 204);
    assert_int_equal(ask_with(w, HTTP_GET, CAPTURES, NULL, &peer_far, with), 401);
}

/* Else `--token SECRET` would be two options for some programs. */
static void no_token_begins_with_a_dash(void **state)
{
    struct world *w = *state;
    char secret[256], seen[64] = "";
    for (unsigned i = 0; i < 256; i++) { /* the first byte of the secret is each number once */
        char body[64];
        (void)snprintf(body, sizeof(body), "{\"name\":\"n%u\"}", i);
        assert_int_equal(ask(w, HTTP_POST, "/v1/tokens", body), 201);
        assert_true(text_of(w, "token", secret)[0] != '-');
        if (!strchr(seen, secret[0])) {
            seen[strlen(seen)] = secret[0];
        }
    }
    assert_true(strlen(seen) > 32);
}

static void token_rules(void **state)
{
    struct world *w = *state;
    static const char *const bad[] = {
        "{\"name\":\"local:root\"}",
        "{\"name\":\"anonymous\"}",
        "{\"name\":\"a b\"}",
        "{\"name\":\"\"}",
        "{}",
        "{\"name\":\"a\",\"role\":\"root\"}",
        "{\"name\":\"a\",\"expires\":\"2027-01-15T08:00:00Z\"}",
        "{\"name\":\"a\",\"hash\":\"x\"}",
        "{\"name\":\"a\",\"project\":\"x\"}",
    };
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        int status = ask(w, HTTP_POST, "/v1/tokens", bad[i]);
        if (status != 422) {
            fail_msg("%d: %s", status, bad[i]);
        }
    }
    assert_int_equal(w->counted.changes, 0);
}

/* An admin of a project stays in it. */
static void token_projects(void **state)
{
    struct world *w = *state;
    char secret[256], header[300];
    const char *const with[] = {"Authorization", header, NULL};
    static const char admin[] = "{\"name\":\"carol\",\"role\":\"admin\"}";
    assert_int_equal(ask(w, HTTP_POST, "/v1/tokens", admin), 201);
    assert_true(body_has(w, "\"project\":\"\""));
    assert_int_equal(ask(w, HTTP_POST, "/v1/tokens?project=red", admin), 201);
    assert_true(body_has(w, "\"project\":\"red\""));
    (void)snprintf(header, sizeof(header), "Bearer %s", text_of(w, "token", secret));
    assert_int_equal(ask_with(w, HTTP_POST, "/v1/tokens?project=", admin, &peer_far, with), 403);
    assert_int_equal(ask_with(w, HTTP_POST, "/v1/tokens?project=blue", admin, &peer_far, with),
                     403);
    assert_int_equal(ask_with(w, HTTP_POST, "/v1/tokens", admin, &peer_far, with), 201);
    assert_true(body_has(w, "\"project\":\"red\""));
    assert_int_equal(ask_with(w, HTTP_GET, "/v1/tokens", NULL, &peer_far, with), 200);
    assert_false(body_has(w, "\"project\":\"\""));
    assert_int_equal(ask_with(w, HTTP_POST, CAPTURES, plain, &peer_far, with), 422);
    assert_true(body_has(w, "there is no port eth0")); /* of the project, that is */
    static const char path[] = "/v1/ports/00000000-0000-7000-8000-000000000001";
    assert_int_equal(ask_with(w, HTTP_GET, path, NULL, &peer_far, with), 404);
    assert_int_equal(ask(w, HTTP_PATCH, path, "{\"project\":\"red\"}"), 200);
    assert_int_equal(ask_with(w, HTTP_GET, path, NULL, &peer_far, with), 200);
    assert_int_equal(ask_with(w, HTTP_PATCH, path, "{\"project\":\"blue\"}", &peer_far, with), 403);
    assert_int_equal(ask_with(w, HTTP_POST, CAPTURES, plain, &peer_far, with), 201);
    assert_true(body_has(w, "\"project\":\"red\""));
    assert_int_equal(ask_with(w, HTTP_GET, CAPTURES, NULL, &peer_user, NULL), 200);
    assert_true(body_has(w, "[]"));
    assert_int_equal(ask(w, HTTP_GET, CAPTURES, NULL), 200);
    assert_true(body_has(w, "carol"));
    assert_int_equal(ask_with(w, HTTP_GET, "/v1/audit", NULL, &peer_far, with), 200);
    assert_true(body_has(w, "\"who\":\"carol\",\"whence\":\"192.0.2.7\""));
    assert_false(body_has(w, "\"project\":\"\""));
}

/* ---- history and the service itself ---- */

static void history(void **state)
{
    struct world *w = *state;
    char next[256];
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(ask(w, HTTP_POST, CAPTURES, plain), 201);
    }
    assert_int_equal(ask(w, HTTP_GET, "/v1/events?limit=2", NULL), 200);
    assert_true(body_has(w, "\"number\":2"));
    assert_false(body_has(w, "whence"));
    assert_string_equal(text_of(w, "next", next), "/v1/events?after=2&limit=2");
    assert_int_equal(ask(w, HTTP_GET, next, NULL), 200);
    assert_string_equal(text_of(w, "next", next), "/v1/events?after=4&limit=2");
    assert_int_equal(ask(w, HTTP_GET, next, NULL), 200);
    assert_true(body_has(w, "\"last\":5"));
    assert_string_equal(text_of(w, "next", next), "(none)");
    assert_int_equal(ask(w, HTTP_GET, "/v1/events?after=5", NULL), 200);
    assert_true(body_has(w, "{\"events\":[],\"last\":5}"));
    assert_int_equal(ask(w, HTTP_GET, "/v1/events?after=-1", NULL), 400);
    assert_int_equal(ask(w, HTTP_GET, "/v1/events?limit=0", NULL), 400);
    assert_int_equal(ask(w, HTTP_GET, "/v1/audit?limit=1", NULL), 200);
    assert_true(body_has(w, "\"who\":\"local:root\",\"whence\":\"local\""));
}

static void about(void **state)
{
    struct world *w = *state;
    assert_int_equal(ask_with(w, HTTP_GET, "/healthz", NULL, &peer_far, NULL), 200);
    assert_int_equal(ask_with(w, HTTP_GET, "/v1", NULL, &peer_far, NULL), 200);
    assert_int_equal(ask_with(w, HTTP_GET, "/v1/capabilities", NULL, &peer_far, NULL), 401);
    assert_int_equal(ask_with(w, HTTP_GET, "/v1/capabilities", NULL, &peer_user, NULL), 200);
    json_t *j = json_of(w);
    assert_non_null(json_object_get(json_object_get(j, "formats"), "ethernet"));
    assert_string_equal(json_string_value(json_object_get(json_object_get(j, "who"), "role")),
                        "read");
    json_decref(j);
    assert_int_equal(ask_with(w, HTTP_GET, "/v1/openapi.yaml", NULL, &peer_far, NULL), 200);
    assert_int_equal(w->answer.len, openapi_yaml_len);
    assert_true(body_has(w, "openapi: 3.1.0"));
    assert_int_equal(ask_with(w, HTTP_GET, "/v1/problems/not-found", NULL, &peer_far, NULL), 200);
    assert_true(body_has(w, "no object this id"));
    assert_int_equal(ask(w, HTTP_GET, "/v1/problems/nothing", NULL), 404);
    w->counted.fail_begin = -EIO;
    assert_int_equal(ask(w, HTTP_GET, "/healthz", NULL), 503);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(made, enter, leave),
        cmocka_unit_test_setup_teardown(wrong_ones, enter, leave),
        cmocka_unit_test_setup_teardown(bounds, enter, leave),
        cmocka_unit_test_setup_teardown(only_port, enter, leave),
        cmocka_unit_test_setup_teardown(filters, enter, leave),
        cmocka_unit_test_setup_teardown(so_many_at_once, enter, leave),
        cmocka_unit_test_setup_teardown(another_stop, enter, leave),
        cmocka_unit_test_setup_teardown(cancelled, enter, leave),
        cmocka_unit_test_setup_teardown(deleted, enter, leave),
        cmocka_unit_test_setup_teardown(ports, enter, leave),
        cmocka_unit_test_setup_teardown(token_lets_in, enter, leave),
        cmocka_unit_test_setup_teardown(no_token_begins_with_a_dash, enter, leave),
        cmocka_unit_test_setup_teardown(token_rules, enter, leave),
        cmocka_unit_test_setup_teardown(token_projects, enter, leave),
        cmocka_unit_test_setup_teardown(history, enter, leave),
        cmocka_unit_test_setup_teardown(about, enter, leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

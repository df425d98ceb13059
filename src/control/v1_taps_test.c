/* SPDX-License-Identifier: Apache-2.0
 *
 * Tap services and flows by our routes: all that is refused and how that is told, the project that
 * each is of, what goes with what is deleted, and what other projects see of it: nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>

#include "control/taps.h"
#include "control/test_api.h"

#define SERVICES "/v1/tap_services"
#define FLOWS "/v1/tap_flows"
#define PORT_ID(n) "00000000-0000-7000-8000-00000000000" #n

/* The users that ask: the operator of no project, and the members of two projects. */
enum user {
    OPERATOR,
    LOCAL,
    RED,
    USERS,
};

struct taps_world {
    struct world w; /* first */
    char header[USERS][300];
};

/* ---- requests ---- */

static int ask_as(struct world *w, enum user u, enum http_method method, const char *target,
                  const char *body)
{
    struct taps_world *t = (struct taps_world *)(void *)w;
    const char *const with[] = {"Authorization", t->header[u], NULL};
    return u == OPERATOR ? ask(w, method, target, body)
                         : ask_with(w, method, target, body, &peer_far, with);
}

static json_t *json_of(const struct world *w)
{
    json_t *j = json_loadb((const char *)w->answer.bytes, w->answer.len, 0, NULL);
    if (!j) {
        fail_msg("no JSON: %.*s", (int)w->answer.len, (const char *)w->answer.bytes);
    }
    return j;
}

static const char *text_of(const struct world *w, const char *name, char buf[256])
{
    json_t *j = json_of(w);
    const char *s = json_string_value(json_object_get(j, name));
    (void)snprintf(buf, 256, "%s", s ? s : "(none)");
    json_decref(j);
    return buf;
}

static void check(struct world *w, int status, int is, const char *words)
{
    if (is != status || !body_has(w, words)) {
        fail_msg("%d and not %d with \"%s\": %.*s", is, status, words, (int)w->answer.len,
                 (const char *)w->answer.bytes);
    }
}

/* Makes it; `id` gets its id. */
static void make(struct world *w, enum user u, const char *where, const char *body, char id[256])
{
    check(w, 201, ask_as(w, u, HTTP_POST, where, body), "\"id\"");
    (void)text_of(w, "id", id);
}

static int ask_for(struct world *w, enum user u, enum http_method method, const char *where,
                   const char *id, const char *body)
{
    char path[300];
    (void)snprintf(path, sizeof(path), "%s/%s", where, id);
    return ask_as(w, u, method, path, body);
}

static void let_in(struct taps_world *t, enum user u, const char *name, const char *project)
{
    char body[128], target[64], secret[256];
    (void)snprintf(body, sizeof(body), "{\"name\":\"%s\",\"role\":\"capture\"}", name);
    (void)snprintf(target, sizeof(target), "/v1/tokens?project=%s", project);
    assert_int_equal(ask(&t->w, HTTP_POST, target, body), 201);
    (void)snprintf(t->header[u], sizeof(t->header[u]), "Bearer %s",
                   text_of(&t->w, "token", secret));
}

static void give_port(struct world *w, unsigned number, const char *project)
{
    char path[128], body[128];
    (void)snprintf(path, sizeof(path), "/v1/ports/00000000-0000-7000-8000-%012x", number);
    (void)snprintf(body, sizeof(body), "{\"project\":\"%s\"}", project);
    assert_int_equal(ask(w, HTTP_PATCH, path, body), 200);
}

/* Ports web0, web1, mon0 and mon1 of "local", and red0 and red1 of "red". */
static int enter(void **state)
{
    static const struct api_route *const table[] = {v1_routes};
    static const char *const names[] = {"web0", "web1", "mon0", "mon1", "red0", "red1"};
    struct taps_world *t = calloc(1, sizeof(*t));
    assert_non_null(t);
    world_init(&t->w, kinds, KINDS, table, &v1_n_routes, API_NOBODY);
    for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
        world_port(&t->w, i + 1, names[i], i == 0 ? "shop" : NULL, true);
    }
    let_in(t, LOCAL, "alice", "local");
    let_in(t, RED, "carol", "red");
    give_port(&t->w, 5, "red");
    give_port(&t->w, 6, "red");
    t->w.changed = 0;
    *state = t;
    return 0;
}

static int leave(void **state)
{
    world_done(*state);
    free(*state);
    return 0;
}

static void make_service(struct world *w, char id[256])
{
    make(w, LOCAL, SERVICES, "{\"name\":\"ids\",\"port\":\"mon0\"}", id);
}

static void make_flow(struct world *w, char id[256])
{
    make(w, LOCAL, FLOWS, "{\"name\":\"web\",\"source\":\"web0\",\"service\":\"ids\"}", id);
}

/* ---- making ---- */

static void names_become_ids(void **state)
{
    struct world *w = *state;
    char service[256], flow[256], buf[256], body[512];
    make(w, LOCAL, SERVICES, "{\"name\":\"ids\",\"port\":\"home:mon0\",\"frames\":\"super\"}",
         service);
    assert_string_equal(text_of(w, "port", buf), PORT_ID(3));
    assert_string_equal(text_of(w, "project", buf), "local");
    assert_string_equal(text_of(w, "owner", buf), "alice");
    assert_string_equal(text_of(w, "status", buf), "DOWN");
    assert_string_equal(text_of(w, "frames", buf), "super");
    make(w, LOCAL, FLOWS,
         "{\"source\":\"shop\",\"service\":\"ids\",\"direction\":\"out\",\"vlans\":\"0,100-200\","
         "\"filter\":\"not port 22\"}",
         flow);
    assert_string_equal(text_of(w, "source", buf), PORT_ID(1));
    assert_string_equal(text_of(w, "service", buf), service);
    assert_string_equal(text_of(w, "direction", buf), "out");
    assert_string_equal(text_of(w, "vlans", buf), "0,100-200");
    assert_string_equal(w->filter_asked, "not port 22");
    assert_int_equal(w->changed, 2);
    assert_false(body_has(w, "progress") || body_has(w, "leaves"));
    (void)snprintf(body, sizeof(body), "{\"source\":\"" PORT_ID(2) "\",\"service\":\"%s\"}",
                   service);
    make(w, LOCAL, FLOWS, body, flow);
    assert_string_equal(text_of(w, "source", buf), PORT_ID(2));
    assert_string_equal(text_of(w, "direction", buf), "both");
}

static void what_is_wrong_is_told(void **state)
{
    struct world *w = *state;
    static const struct {
        const char *where, *body;
        int status;
        const char *pointer, *words;
    } wrong[] = {
        {SERVICES, "{}", 422, "/port", ""},
        {SERVICES, "{\"port\":\"mon9\"}", 422, "/port", "there is no port \\\"mon9\\\""},
        {SERVICES, "{\"port\":\"red0\"}", 422, "/port", "there is no port"},
        {SERVICES, "{\"port\":\"\"}", 422, "/port", ""},
        {SERVICES, "{\"port\":7}", 422, "/port", ""},
        {SERVICES, "{\"port\":\"mon0\",\"frames\":\"jumbo\"}", 422, "/frames", "wire"},
        {SERVICES, "{\"port\":\"mon0\",\"id\":\"" PORT_ID(9) "\"}", 422, "/id", ""},
        {SERVICES, "{\"port\":\"mon0\",\"status\":\"ACTIVE\"}", 422, "/status", ""},
        {SERVICES, "{\"port\":\"mon0\",\"leaves\":null}", 422, "/leaves", ""},
        {SERVICES, "{\"port\":\"mon0\",\"project\":\"red\"}", 422, "/project", ""},
        {SERVICES, "{\"port\":\"mon0\",\"colour\":\"red\"}", 422, "/colour", ""},
        {SERVICES, "{\"port\":\"mon0\",\"name\":\"a\\nb\"}", 422, "/name", ""},
        {SERVICES, "[]", 400, "", ""},
        {FLOWS, "{}", 422, "/source", ""},
        {FLOWS, "{\"source\":\"web9\",\"service\":\"ids\"}", 422, "/source", "no port"},
        {FLOWS, "{\"source\":\"red0\",\"service\":\"ids\"}", 422, "/source", "no port"},
        {FLOWS, "{\"source\":\"web0\",\"service\":\"idx\"}", 422, "/service",
         "there is no tap service \\\"idx\\\""},
        {FLOWS, "{\"source\":\"web0\",\"service\":\"" PORT_ID(9) "\"}", 422, "/service",
         "there is no tap service"},
        {FLOWS, "{\"source\":\"web0\",\"service\":\"two\"}", 422, "/service",
         "2 tap services are called \\\"two\\\""},
        {FLOWS, "{\"source\":\"web0\",\"service\":\"ids\",\"direction\":\"BOTH\"}", 422,
         "/direction", "both"},
        {FLOWS, "{\"source\":\"web0\",\"service\":\"ids\",\"vlans\":\"9999\"}", 422, "/vlans", ""},
        {FLOWS, "{\"source\":\"web0\",\"service\":\"ids\",\"vlans\":\"20-10\"}", 422, "/vlans", ""},
        {FLOWS, "{\"source\":\"web0\",\"service\":\"ids\",\"vlans\":\"1,,2\"}", 422, "/vlans", ""},
        {FLOWS, "{\"source\":\"web0\",\"service\":\"ids\",\"vlans\":\"2,1\"}", 422, "/vlans", ""},
        {FLOWS, "{\"source\":\"web0\",\"service\":\"ids\",\"vlans\":\"\"}", 422, "/vlans", ""},
        {FLOWS, "{\"source\":\"web0\",\"service\":\"ids\",\"matched_frames\":1}", 422,
         "/matched_frames", ""},
        {FLOWS, "{\"source\":\"web0\",\"service\":\"ids\",\"progress\":\"1\"}", 422, "/progress",
         ""},
        {FLOWS, "{\"source\":\"mon0\",\"service\":\"ids\"}", 409, "/service", "would come back"},
    };
    char id[256], pointer[64];
    make_service(w, id);
    make(w, LOCAL, SERVICES, "{\"name\":\"two\",\"port\":\"mon1\"}", id);
    make(w, LOCAL, SERVICES, "{\"name\":\"two\",\"port\":\"mon1\"}", id);
    const unsigned changes = w->counted.changes;
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        check(w, wrong[i].status, ask_as(w, LOCAL, HTTP_POST, wrong[i].where, wrong[i].body),
              wrong[i].words);
        (void)snprintf(pointer, sizeof(pointer), "\"pointer\":\"%s\"", wrong[i].pointer);
        assert_true(wrong[i].status == 400 || body_has(w, pointer));
    }
    assert_int_equal(w->counted.changes, changes);
}

static void ten_kilobytes_of_vlans_are_refused(void **state)
{
    struct world *w = *state;
    char id[256], *body = malloc(12000);
    assert_non_null(body);
    make_service(w, id);
    size_t n =
        (size_t)snprintf(body, 12000, "{\"source\":\"web0\",\"service\":\"ids\",\"vlans\":\"1");
    while (n < 10000) {
        n += (size_t)snprintf(body + n, 12000 - n, ",%zu", n);
    }
    (void)snprintf(body + n, 12000 - n, "\"}");
    check(w, 422, ask_as(w, LOCAL, HTTP_POST, FLOWS, body), "/vlans");
    free(body);
}

/* ---- filters ---- */

static void a_filter_is_refused_in_libpcaps_words(void **state)
{
    struct world *w = *state;
    static const char flow[] = "{\"source\":\"web0\",\"service\":\"ids\",\"filter\":\"nonsense\"}";
    char id[256];
    make_service(w, id);
    w->filter = -EINVAL;
    check(w, 422, ask_as(w, LOCAL, HTTP_POST, FLOWS, flow), "syntax error in filter expression");
    assert_true(body_has(w, "\"pointer\":\"/filter\""));
    w->filter = -EIO;
    check(w, 503, ask_as(w, LOCAL, HTTP_POST, FLOWS, flow), "cannot be checked now");
    w->filter = 0;
    check(w, 201, ask_as(w, LOCAL, HTTP_POST, FLOWS, flow), "nonsense");
}

static void a_filter_that_takes_a_while_is_waited_for(void **state)
{
    struct world *w = *state;
    static const char body[] = "{\"source\":\"web0\",\"service\":\"ids\",\"filter\":\"udp\"}";
    const struct http_request r = request_of(HTTP_POST, FLOWS, body, &peer_root, NULL);
    char id[256];
    make_service(w, id);
    const unsigned answers = w->answers, changes = w->counted.changes;
    w->filter = -EAGAIN;
    api_request(w->api, &r, world_reply, w);
    api_commit(w->api);
    assert_int_equal(w->answers, answers);
    assert_int_equal(w->counted.changes, changes);
    w->filter = 0;
    api_wake(w->api, w->waiter);
    api_commit(w->api);
    assert_int_equal(w->answers, answers + 1);
    assert_int_equal(w->answer.status, 201);
}

/* ---- projects ---- */

static void an_admin_acts_for_a_project(void **state)
{
    struct world *w = *state;
    char id[256], buf[256];
    make(w, OPERATOR, SERVICES, "{\"name\":\"eye\",\"port\":\"red1\"}", id);
    assert_string_equal(text_of(w, "project", buf), "red"); /* that of its port */
    check(w, 403, ask(w, HTTP_POST, SERVICES "?project=local", "{\"port\":\"red1\"}"),
          "of the project \\\"red\\\" and not of \\\"local\\\"");
    assert_true(body_has(w, "\"pointer\":\"/port\""));
    make(w, OPERATOR, SERVICES "?project=red", "{\"port\":\"red1\"}", id);
    assert_string_equal(text_of(w, "project", buf), "red");
    check(w, 403, ask(w, HTTP_POST, FLOWS, "{\"source\":\"web0\",\"service\":\"eye\"}"),
          "the tap service is of the project \\\"red\\\" and not of \\\"local\\\"");
    assert_true(body_has(w, "\"pointer\":\"/service\""));
    check(w, 403,
          ask(w, HTTP_POST, FLOWS "?project=red", "{\"source\":\"web0\",\"service\":\"eye\"}"),
          "\"pointer\":\"/source\"");
    make(w, OPERATOR, FLOWS "?project=red", "{\"source\":\"red0\",\"service\":\"eye\"}", id);
    assert_string_equal(text_of(w, "project", buf), "red");
    assert_int_equal(ask_for(w, RED, HTTP_GET, FLOWS, id, NULL), 200);
    assert_int_equal(ask_as(w, RED, HTTP_GET, "/v1/events", NULL), 200);
    assert_true(body_has(w, "tap_flow.created") && body_has(w, "local:root has created it"));
    assert_int_equal(ask_as(w, LOCAL, HTTP_GET, "/v1/events", NULL), 200);
    assert_false(body_has(w, "tap_flow.created"));
}

static void a_member_acts_for_its_own_alone(void **state)
{
    struct world *w = *state;
    static const char service[] = "{\"name\":\"eye\",\"port\":\"red1\"}";
    char id[256];
    check(w, 403, ask_as(w, LOCAL, HTTP_POST, SERVICES "?project=red", service),
          "only an admin of no project acts for others");
    check(w, 403, ask_as(w, LOCAL, HTTP_POST, FLOWS "?project=", "{}"), "only an admin");
    check(w, 422, ask_as(w, RED, HTTP_POST, SERVICES "?project=red", "{\"port\":\"mon0\"}"),
          "there is no port");
    make(w, RED, SERVICES "?project=red", service, id);
    check(w, 400, ask_as(w, RED, HTTP_POST, SERVICES "?projects=red", service), "projects");
}

static void others_see_nothing_of_it(void **state)
{
    struct world *w = *state;
    char service[256], flow[256], body[512];
    make_service(w, service);
    make_flow(w, flow);
    const unsigned changes = w->counted.changes;
    assert_int_equal(ask_for(w, RED, HTTP_GET, SERVICES, service, NULL), 404);
    assert_int_equal(ask_for(w, RED, HTTP_GET, FLOWS, flow, NULL), 404);
    assert_int_equal(ask_for(w, RED, HTTP_PATCH, FLOWS, flow, "{\"name\":\"mine\"}"), 404);
    assert_int_equal(ask_for(w, RED, HTTP_DELETE, FLOWS, flow, NULL), 404);
    assert_int_equal(ask_for(w, RED, HTTP_DELETE, SERVICES, service, NULL), 404);
    assert_int_equal(ask_as(w, RED, HTTP_GET, SERVICES, NULL), 200);
    assert_false(body_has(w, service));
    assert_int_equal(ask_as(w, RED, HTTP_GET, FLOWS, NULL), 200);
    assert_false(body_has(w, flow));
    assert_int_equal(ask_as(w, RED, HTTP_GET, "/v1/events", NULL), 200);
    assert_false(body_has(w, flow) || body_has(w, service));
    check(w, 422, ask_as(w, RED, HTTP_POST, FLOWS, "{\"source\":\"red0\",\"service\":\"ids\"}"),
          "there is no tap service");
    (void)snprintf(body, sizeof(body), "{\"source\":\"red0\",\"service\":\"%s\"}", service);
    check(w, 422, ask_as(w, RED, HTTP_POST, FLOWS, body), "there is no tap service");
    assert_int_equal(w->counted.changes, changes);
    /* A name of theirs is no second one. */
    make(w, RED, SERVICES, "{\"name\":\"ids\",\"port\":\"red1\"}", service);
    make_flow(w, flow);
}

static void nobody_and_readers_change_nothing(void **state)
{
    struct world *w = *state;
    char id[256], header[300], secret[256];
    const char *const with[] = {"Authorization", header, NULL};
    make_service(w, id);
    assert_int_equal(ask(w, HTTP_POST, "/v1/tokens?project=local", "{\"name\":\"bob\"}"), 201);
    (void)snprintf(header, sizeof(header), "Bearer %s", text_of(w, "token", secret));
    char path[300];
    (void)snprintf(path, sizeof(path), SERVICES "/%s", id);
    assert_int_equal(ask_with(w, HTTP_GET, path, NULL, &peer_far, with), 200);
    assert_int_equal(ask_with(w, HTTP_DELETE, path, NULL, &peer_far, with), 403);
    assert_int_equal(ask_with(w, HTTP_POST, SERVICES, "{\"port\":\"mon1\"}", &peer_far, with), 403);
    assert_int_equal(ask_with(w, HTTP_GET, path, NULL, &peer_far, NULL), 401);
}

/* ---- circles ---- */

static void circles_are_refused(void **state)
{
    struct world *w = *state;
    char id[256], flow[256];
    make_service(w, id); /* at mon0 */
    make(w, LOCAL, SERVICES, "{\"name\":\"b\",\"port\":\"mon1\"}", id);
    make(w, LOCAL, SERVICES, "{\"name\":\"c\",\"port\":\"web1\"}", id);
    make_flow(w, id);
    make(w, LOCAL, FLOWS, "{\"source\":\"mon0\",\"service\":\"b\"}", id);
    make(w, LOCAL, FLOWS, "{\"source\":\"mon1\",\"service\":\"c\"}", flow);
    static const char closes[] = "{\"source\":\"web1\",\"service\":\"ids\"}";
    check(w, 409, ask_as(w, LOCAL, HTTP_POST, FLOWS, closes), "would come back");
    assert_true(body_has(w, "\"pointer\":\"/service\""));
    make(w, LOCAL, FLOWS, "{\"source\":\"web0\",\"service\":\"b\"}", id); /* a second way is none */
    assert_int_equal(ask_for(w, LOCAL, HTTP_DELETE, FLOWS, flow, NULL), 204);
    make(w, LOCAL, FLOWS, closes, id);
}

/* ---- quotas ---- */

static void a_project_has_as_many_as_it_may(void **state)
{
    struct world *w = *state;
    char id[256];
    for (unsigned i = 0; i < TAPS_SERVICES_MOST; i++) {
        make(w, LOCAL, SERVICES, "{\"name\":\"ids\",\"port\":\"mon0\"}", id);
    }
    check(w, 409, ask_as(w, LOCAL, HTTP_POST, SERVICES, "{\"port\":\"mon0\"}"),
          "the project \\\"local\\\" has 100 tap_services, and may have no more");
    make(w, RED, SERVICES, "{\"name\":\"eye\",\"port\":\"red1\"}", id);
    assert_int_equal(ask_for(w, RED, HTTP_DELETE, SERVICES, id, NULL), 204);
    make(w, RED, SERVICES, "{\"name\":\"eye\",\"port\":\"red1\"}", id);
    for (unsigned i = 0; i < TAPS_FLOWS_MOST; i++) {
        make(w, RED, FLOWS, "{\"source\":\"red0\",\"service\":\"eye\"}", id);
    }
    check(w, 409, ask_as(w, RED, HTTP_POST, FLOWS, "{\"source\":\"red0\",\"service\":\"eye\"}"),
          "has 1000 tap_flows");
}

/* ---- changes ---- */

static void names_change_and_nothing_else(void **state)
{
    struct world *w = *state;
    static const char *const bad[] = {
        "{\"source\":\"web1\"}",   "{\"service\":\"b\"}",   "{\"direction\":\"in\"}",
        "{\"vlans\":\"1\"}",       "{\"vlans\":null}",      "{\"filter\":\"udp\"}",
        "{\"status\":\"ACTIVE\"}", "{\"project\":\"red\"}", "{\"owner\":\"carol\"}",
        "{\"dropped\":0}",         "{\"leaves\":null}",     "{\"name\":null}",
        "{\"name\":\"a\\u0001\"}",
    };
    char service[256], flow[256], buf[256];
    make_service(w, service);
    make_flow(w, flow);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        check(w, 422, ask_for(w, LOCAL, HTTP_PATCH, FLOWS, flow, bad[i]), "pointer");
    }
    check(w, 422, ask_for(w, LOCAL, HTTP_PATCH, SERVICES, service, "{\"port\":\"mon1\"}"), "/port");
    check(w, 422, ask_for(w, LOCAL, HTTP_PATCH, SERVICES, service, "{\"frames\":\"super\"}"),
          "/frames");
    assert_int_equal(
        ask_for(w, LOCAL, HTTP_PATCH, FLOWS, flow, "{\"name\":\"shop\",\"description\":\"till\"}"),
        200);
    assert_string_equal(text_of(w, "name", buf), "shop");
    assert_string_equal(text_of(w, "description", buf), "till");
}

/* ---- the end ---- */

static void a_flow_leaves(void **state)
{
    struct world *w = *state;
    char service[256], flow[256], buf[256];
    make_service(w, service);
    make_flow(w, flow);
    w->changed = 0;
    assert_int_equal(ask_for(w, LOCAL, HTTP_DELETE, FLOWS, flow, NULL), 204);
    assert_int_equal(w->changed, 1);
    assert_int_equal(ask_for(w, LOCAL, HTTP_GET, FLOWS, flow, NULL), 200);
    assert_string_equal(text_of(w, "status", buf), "PENDING_DELETE");
    const unsigned changes = w->counted.changes;
    assert_int_equal(ask_for(w, LOCAL, HTTP_DELETE, FLOWS, flow, NULL), 204);
    assert_int_equal(w->counted.changes, changes + 1); /* that it was asked for, and no more */
    assert_int_equal(ask_as(w, LOCAL, HTTP_GET, "/v1/events", NULL), 200);
    assert_true(body_has(w, "alice has deleted it"));
}

static void a_service_takes_its_flows_along(void **state)
{
    struct world *w = *state;
    char service[256], other[256], flow[256], kept[256], buf[256], body[512];
    make_service(w, service);
    make(w, LOCAL, SERVICES, "{\"name\":\"b\",\"port\":\"mon1\"}", other);
    make_flow(w, flow);
    make(w, LOCAL, FLOWS, "{\"source\":\"web0\",\"service\":\"b\"}", kept);
    assert_int_equal(ask_for(w, LOCAL, HTTP_DELETE, SERVICES, service, NULL), 204);
    assert_int_equal(ask_for(w, LOCAL, HTTP_GET, SERVICES, service, NULL), 200);
    assert_string_equal(text_of(w, "status", buf), "PENDING_DELETE");
    assert_int_equal(ask_for(w, LOCAL, HTTP_GET, FLOWS, flow, NULL), 200);
    assert_string_equal(text_of(w, "status", buf), "PENDING_DELETE");
    assert_int_equal(ask_for(w, LOCAL, HTTP_GET, FLOWS, kept, NULL), 200);
    assert_string_equal(text_of(w, "status", buf), "DOWN");
    check(w, 422, ask_as(w, LOCAL, HTTP_POST, FLOWS, "{\"source\":\"web1\",\"service\":\"ids\"}"),
          "there is no tap service"); /* its name is free */
    (void)snprintf(body, sizeof(body), "{\"source\":\"web1\",\"service\":\"%s\"}", service);
    check(w, 409, ask_as(w, LOCAL, HTTP_POST, FLOWS, body), "is being deleted");
    assert_true(body_has(w, "\"pointer\":\"/service\""));
    make_service(w, service);
    assert_int_equal(ask_for(w, LOCAL, HTTP_DELETE, SERVICES, service, NULL), 204);
    assert_int_equal(ask_for(w, LOCAL, HTTP_GET, SERVICES, service, NULL),
                     404); /* none to wait for */
}

/* ---- a store that fails ---- */

static void nothing_is_half_done(void **state)
{
    struct world *w = *state;
    char service[256], flow[256], buf[256];
    make_service(w, service);
    make_flow(w, flow);
    w->counted.fail_put = -EIO;
    assert_int_equal(ask_for(w, LOCAL, HTTP_DELETE, SERVICES, service, NULL), 503);
    check(w, 503, ask_as(w, LOCAL, HTTP_POST, SERVICES, "{\"port\":\"mon1\"}"), "no put");
    w->counted.fail_put = 0;
    w->counted.fail_list = -EIO;
    check(w, 503, ask_as(w, LOCAL, HTTP_POST, SERVICES, "{\"port\":\"mon1\"}"), "no list");
    w->counted.fail_list = 0;
    w->counted.fail_event = -EIO;
    assert_int_equal(ask_for(w, LOCAL, HTTP_DELETE, SERVICES, service, NULL), 503);
    w->counted.fail_event = 0;
    assert_int_equal(ask_for(w, LOCAL, HTTP_GET, FLOWS, flow, NULL), 200);
    assert_string_equal(text_of(w, "status", buf), "DOWN");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, enter, leave)
        T(names_become_ids),
        T(what_is_wrong_is_told),
        T(ten_kilobytes_of_vlans_are_refused),
        T(a_filter_is_refused_in_libpcaps_words),
        T(a_filter_that_takes_a_while_is_waited_for),
        T(an_admin_acts_for_a_project),
        T(a_member_acts_for_its_own_alone),
        T(others_see_nothing_of_it),
        T(nobody_and_readers_change_nothing),
        T(circles_are_refused),
        T(a_project_has_as_many_as_it_may),
        T(names_change_and_nothing_else),
        T(a_flow_leaves),
        T(a_service_takes_its_flows_along),
        T(nothing_is_half_done),
#undef T
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * The adapter where a transcript of another program (tests/data/taas) says nothing: pages, orders,
 * our own attributes, rights, quotas, circles, and requests that make several.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "control/taps.h"
#include "control/test_taas.h"

/* ---- lists ---- */

static void pages(void **state)
{
    struct fixture *f = *state;
    char id[3][KIND_ID], target[200], want[600];
    make_service(f, "a", id[0]);
    make_service(f, "b", id[1]);
    make_service(f, "c", id[2]);
    assert_int_equal(red(f, HTTP_GET, SERVICES "?limit=2&fields=name", NULL), 200);
    (void)snprintf(want, sizeof(want),
                   "{\"tap_services_links\":[{\"rel\":\"next\",\"href\":\"http://tap" SERVICES
                   "?limit=2&fields=name&marker=%s\"},{\"rel\":\"previous\",\"href\":\"http://"
                   "tap" SERVICES "?limit=2&fields=name&marker=%s&page_reverse=True\"}],"
                   "\"tap_services\":[{\"name\":\"a\"},{\"name\":\"b\"}]}",
                   id[1], id[0]);
    assert_string_equal(body(f), want);
    (void)snprintf(target, sizeof(target), SERVICES "?limit=2&fields=name&marker=%s", id[1]);
    assert_int_equal(red(f, HTTP_GET, target, NULL), 200);
    assert_true(body_has(&f->w, "\"tap_services\":[{\"name\":\"c\"}]"));
    assert_false(body_has(&f->w, "\"next\""));
    (void)snprintf(target, sizeof(target),
                   SERVICES "?limit=1&fields=name&page_reverse=True&marker=%s", id[2]);
    assert_int_equal(red(f, HTTP_GET, target, NULL), 200);
    assert_true(body_has(&f->w, "\"tap_services\":[{\"name\":\"b\"}]"));
    assert_true(body_has(&f->w, "\"next\""));
    assert_true(body_has(&f->w, "\"previous\""));
    assert_int_equal(red(f, HTTP_GET, SERVICES "?limit=1&bogus=a b", NULL), 200);
    assert_true(body_has(&f->w, SERVICES "?limit=1&bogus=a%20b&marker="));
    /* The marker's object goes: the list goes on behind its place. */
    (void)snprintf(target, sizeof(target), SERVICES "/%s", id[1]);
    assert_int_equal(red(f, HTTP_DELETE, target, NULL), 204);
    (void)snprintf(target, sizeof(target), SERVICES "?limit=2&fields=name&marker=%s", id[1]);
    assert_int_equal(red(f, HTTP_GET, target, NULL), 200);
    assert_true(body_has(&f->w, "\"tap_services\":[{\"name\":\"c\"}]"));
}

static void orders(void **state)
{
    struct fixture *f = *state;
    char id[KIND_ID];
    make_service(f, "b", id);
    make_service(f, "c", id);
    make_service(f, "a", id);
    assert_int_equal(red(f, HTTP_GET, SERVICES "?sort_key=name&fields=name", NULL), 200);
    assert_string_equal(body(f),
                        "{\"tap_services\":[{\"name\":\"a\"},{\"name\":\"b\"},{\"name\":\"c\"}]}");
    assert_int_equal(
        red(f, HTTP_GET,
            SERVICES
            "?sort_key=status&sort_key=name&sort_dir=asc&sort_dir=desc&fields=name&limit=2",
            NULL),
        200);
    assert_true(body_has(&f->w, "\"tap_services\":[{\"name\":\"c\"},{\"name\":\"b\"}]"));
    assert_int_equal(red(f, HTTP_GET, SERVICES "?sort_key=bogus", NULL), 400);
    refused(f, "HTTPBadRequest", "['bogus'] is invalid attribute for sort_keys");
    assert_int_equal(red(f, HTTP_GET, SERVICES "?sort_key=name&sort_dir=up", NULL), 400);
    assert_int_equal(red(f, HTTP_GET, SERVICES "?sort_dir=asc", NULL), 400);
    assert_int_equal(red(f, HTTP_GET,
                         SERVICES "?sort_key=name&sort_key=name&sort_key=name&sort_key=name"
                                  "&sort_key=name",
                         NULL),
                     400);
}

static void own_attributes(void **state)
{
    struct fixture *f = *state;
    char service[KIND_ID], flow[KIND_ID], target[200];
    assert_int_equal(red(f, HTTP_POST, SERVICES,
                         "{\"tap_service\":{\"port_id\":\"" PORT(1) "\",\"frames\":\"super\"}}"),
                     201);
    assert_false(body_has(&f->w, "frames"));
    id_of(f, service);
    (void)snprintf(target, sizeof(target), SERVICES "/%s?fields=frames&fields=status_reason",
                   service);
    assert_int_equal(red(f, HTTP_GET, target, NULL), 200);
    assert_string_equal(body(f), "{\"tap_service\":{\"frames\":\"super\",\"status_reason\":null}}");
    assert_int_equal(red(f, HTTP_POST, SERVICES,
                         "{\"tap_service\":{\"port_id\":\"" PORT(1) "\",\"frames\":\"x\"}}"),
                     400);
    refused(f, "HTTPBadRequest", "Invalid input for frames. Reason: x is not in valid_values.");
    assert_int_equal(make_flow(f, service, ",\"filter\":\"not port 22\""), 201);
    assert_string_equal(f->w.filter_asked, "not port 22");
    id_of(f, flow);
    (void)snprintf(target, sizeof(target),
                   FLOWS "/%s?fields=filter&fields=matched_frames&fields=datapath", flow);
    assert_int_equal(red(f, HTTP_GET, target, NULL), 200);
    assert_string_equal(body(f), "{\"tap_flow\":{\"filter\":\"not port 22\",\"datapath\":null,"
                                 "\"matched_frames\":0}}");
    f->w.filter = -EINVAL;
    assert_int_equal(make_flow(f, service, ",\"filter\":\"bogus\""), 400);
    refused(f, "HTTPBadRequest",
            "Invalid input for filter. Reason: syntax error in filter expression");
    f->w.filter = -EAGAIN;
    assert_int_equal(make_flow(f, service, ",\"filter\":\"tcp\""), 0); /* later */
}

/* ---- who may ---- */

static void rights(void **state)
{
    struct fixture *f = *state;
    char id[KIND_ID], target[100];
    make_service(f, "a", id);
    (void)snprintf(target, sizeof(target), SERVICES "/%s", id);
    assert_int_equal(by(f, 1, HTTP_GET, target, NULL), 404);
    assert_int_equal(by(f, 1, HTTP_DELETE, target, NULL), 403); /* he reads */
    refused(f, "PolicyNotAuthorized", "this needs the role capture, and blue has read");
    assert_int_equal(by(f, 1, HTTP_GET, SERVICES "?tenant_id=red", NULL), 200);
    assert_string_equal(body(f), "{\"tap_services\":[]}");
    assert_int_equal(by(f, 1, HTTP_GET, "/v2.0/ports/" PORT(1), NULL), 404);
    assert_int_equal(by(f, 1, HTTP_GET, "/v2.0/ports?fields=id&fields=name", NULL), 200);
    assert_string_equal(body(f), "{\"ports\":[{\"id\":\"" PORT(3) "\",\"name\":\"home:eth3\"}]}");
    assert_int_equal(ask_with(&f->w, HTTP_GET, SERVICES, NULL, &peer_far, NULL), 401);
    refused(f, "HTTPUnauthorized", "this needs a token of the role read");
    assert_non_null(header_of(&f->w, "WWW-Authenticate"));
    const char *const wrong[] = {"X-Auth-Token", "x", NULL};
    assert_int_equal(ask_with(&f->w, HTTP_GET, SERVICES, NULL, &peer_far, wrong), 401);
    const char *const notused[] = {"Host", "localhost", "X-Auth-Token", "notused", NULL};
    assert_int_equal(ask_with(&f->w, HTTP_POST, SERVICES,
                              "{\"tap_service\":{\"port_id\":\"" PORT(4) "\"}}", &peer_loopback,
                              notused),
                     201);
    assert_true(body_has(&f->w, "\"tenant_id\":\"local\""));
    assert_int_equal(ask_with(&f->w, HTTP_GET, "/v1/ports", NULL, &peer_far, wrong), 401);
    assert_int_equal(red(f, HTTP_POST, "/v2.0/ports", "{\"port\":{}}"), 403);
    /* An admin acts for a project that he names. */
    assert_int_equal(
        root(f, HTTP_POST, SERVICES, "{\"tap_service\":{\"port_id\":\"" PORT(3) "\"}}"), 403);
    assert_int_equal(
        root(f, HTTP_POST, SERVICES,
             "{\"tap_service\":{\"port_id\":\"" PORT(3) "\",\"project_id\":\"blue\"}}"),
        201);
    assert_int_equal(by(f, 1, HTTP_GET, "/v1/events", NULL),
                     401); /* the header is no one's there */
}

/* ---- bounds ---- */

static void quota(void **state)
{
    struct fixture *f = *state;
    struct object o;
    for (unsigned i = 0; i < TAPS_SERVICES_MOST - 1; i++) {
        world_object(&o, &kind_tap_service, 1000 + i, "red", "red");
        (void)object_set_text(&o, TAP_SERVICE_F_PORT, PORT(1));
        world_put(&f->w, &o);
        object_done(&o);
    }
    const unsigned changes = f->w.counted.changes;
    assert_int_equal(
        red(f, HTTP_POST, SERVICES,
            "{\"tap_services\":[{\"port_id\":\"" PORT(1) "\"},{\"port_id\":\"" PORT(1) "\"}]}"),
        409);
    refused(f, "OverQuota", "Quota exceeded for resources: ['tap_service'].");
    assert_int_equal(f->w.counted.changes, changes);
    assert_int_equal(red(f, HTTP_POST, SERVICES, "{\"tap_service\":{\"port_id\":\"" PORT(1) "\"}}"),
                     201);
    assert_int_equal(red(f, HTTP_GET, "/v2.0/quotas/red/details.json", NULL), 200);
    assert_string_equal(body(f),
                        "{\"quota\":{\"tap_service\":{\"limit\":100,\"used\":100,\"reserved\":0},"
                        "\"tap_flow\":{\"limit\":1000,\"used\":0,\"reserved\":0}}}");
    assert_int_equal(red(f, HTTP_GET, "/v2.0/quotas/blue/details", NULL), 404);
    assert_int_equal(red(f, HTTP_GET, "/v2.0/quotas/red", NULL), 200);
    assert_string_equal(body(f), "{\"quota\":{\"tap_service\":100,\"tap_flow\":1000}}");
}

/* Two that are each without a circle and together are one. */
static void circles(void **state)
{
    struct fixture *f = *state;
    char at1[KIND_ID], at2[KIND_ID], wish[800];
    make_service(f, "at1", at1);
    assert_int_equal(red(f, HTTP_POST, SERVICES, "{\"tap_service\":{\"port_id\":\"" PORT(2) "\"}}"),
                     201);
    id_of(f, at2);
    const unsigned changes = f->w.counted.changes;
    (void)snprintf(wish, sizeof(wish),
                   "{\"tap_flows\":[{\"source_port\":\"" PORT(
                       2) "\",\"tap_service_id\":\"%s\","
                          "\"direction\":\"IN\"},{\"source_port\":\"" PORT(
                              1) "\","
                                 "\"tap_service_id\":\"%s\",\"direction\":\"IN\"}]}",
                   at1, at2);
    assert_int_equal(red(f, HTTP_POST, FLOWS, wish), 409);
    refused(f, "TapFlowLoop", "copies would come back to the port that they are copied from");
    assert_int_equal(f->w.counted.changes, changes);
    assert_int_equal(make_flow(f, at2, ""), 409); /* to itself */
    (void)snprintf(
        wish, sizeof(wish),
        "{\"tap_flows\":[{\"source_port\":\"" PORT(
            2) "\",\"tap_service_id\":\"%s\","
               "\"direction\":\"IN\",\"filter\":\"tcp\"},{\"source_port\":\"" PORT(
                   2) "\","
                      "\"tap_service_id\":\"%s\",\"direction\":\"IN\",\"filter\":\"udp\"}]}",
        at1, at1);
    assert_int_equal(red(f, HTTP_POST, FLOWS, wish), 400); /* one filter for a request */
    assert_int_equal(f->w.counted.changes, changes);
}

/* Bodies that are none, and several that are made at once. */
static void bodies(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *body, *message;
    } wrong[] = {
        {NULL, "Resource body required"},
        {"[]", "Resource body required"},
        {"{}", "Resource body required"},
        {"{\"tap_flow\":{}}", "Unable to find 'tap_service' in request body"},
        {"{\"tap_service\":null}", "Unable to find 'tap_service' in request body"},
        {"{\"tap_service\":[]}", "Object 'tap_service' contains invalid data"},
        {"{\"tap_services\":[1]}", "Object 'tap_service' contains invalid data"},
        {"{\"tap_services\":[]}", "Resources required"},
        {"{\"tap_services\":{}}", "Resources required"},
        {"{\"tap_service\":{\"name\":{\"a\":[true,null,1.5,\"b\"],\"c\":{}},\"port_id\":\"x\"}}",
         "Invalid input for name. Reason: '{'a': [True, None, 1.5, 'b'], 'c': {}}' is not a valid "
         "string."},
        {"{\"tap_service\":{\"zz\":1,\"bogus\":1}}", "Unrecognized attribute(s) 'zz, bogus'"},
        {"{\"tap_service\":{\"tenant_id\":5}}",
         "Invalid input for tenant_id. Reason: '5' is not a valid string."},
    };
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        assert_int_equal(red(f, HTTP_POST, SERVICES, wrong[i].body), 400);
        refused(f, "HTTPBadRequest", wrong[i].message);
    }
    assert_int_equal(red(f, HTTP_POST, SERVICES, "{\"tap_service\":{},\"tap_service\":{}}"), 400);
    refused(f, "MalformedRequestBody", "Malformed request body: Cannot understand JSON.");
    assert_int_equal(f->w.counted.changes, 0);
    assert_int_equal(red(f, HTTP_POST, SERVICES "?fields=name",
                         "{\"tap_services\":[{\"name\":\"a\",\"port_id\":\"" PORT(
                             1) "\"},{\"name\":\"b\",\"port_id\":\"" PORT(2) "\"}]}"),
                     201);
    assert_string_equal(body(f), "{\"tap_services\":[{\"name\":\"a\"},{\"name\":\"b\"}]}");
    assert_int_equal(f->w.changed, 1);
}

/* The VLANs of a flow, and directions. */
static void flows(void **state)
{
    struct fixture *f = *state;
    static const char *const wrong[] = {"\"\"", "\"9999\"", "\"20-10\"", "\"1,,2\"", "\"x\"", "7"};
    char service[KIND_ID], more[100], target[100], id[KIND_ID];
    make_service(f, "ids", service);
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        (void)snprintf(more, sizeof(more), ",\"vlan_filter\":%s", wrong[i]);
        assert_int_equal(make_flow(f, service, more), 400);
        assert_true(body_has(&f->w, "Invalid input for vlan_filter. Reason: '"));
        assert_true(body_has(&f->w, "is not a valid input."));
    }
    assert_int_equal(make_flow(f, service, ",\"vlan_filter\":\"0,5-4095\""), 201);
    assert_true(body_has(&f->w, "\"vlan_filter\":\"0,5-4095\""));
    id_of(f, id);
    assert_int_equal(make_flow(f, service, ",\"vlan_filter\":null"), 201);
    assert_true(body_has(&f->w, "\"vlan_filter\":null"));
    assert_int_equal(red(f, HTTP_GET, FLOWS "?direction=IN&direction=OUT&fields=direction", NULL),
                     200);
    assert_string_equal(body(f), "{\"tap_flows\":[{\"direction\":\"IN\"},{\"direction\":\"IN\"}]}");
    assert_int_equal(red(f, HTTP_GET, FLOWS "?direction=OUT", NULL), 200);
    assert_string_equal(body(f), "{\"tap_flows\":[]}");
    assert_int_equal(red(f, HTTP_GET, FLOWS "?matched_frames=0&limit=1", NULL), 200);
    assert_true(body_has(&f->w, "?matched_frames=0&limit=1&marker="));
    assert_int_equal(red(f, HTTP_GET, FLOWS "?matched_frames=1&fields=id", NULL), 200);
    assert_string_equal(body(f), "{\"tap_flows\":[]}");
    /* A deleted one is there until it has been let go of; again is as once. */
    (void)snprintf(target, sizeof(target), FLOWS "/%s", id);
    assert_int_equal(red(f, HTTP_PUT, target, "{\"tap_flow\":{\"name\":\"n\"}}"), 200);
    assert_true(body_has(&f->w, "\"name\":\"n\""));
    assert_int_equal(red(f, HTTP_PUT, target, "{\"tap_flow\":{\"direction\":\"OUT\"}}"), 400);
    refused(f, "HTTPBadRequest", "Cannot update read-only attribute direction");
    assert_int_equal(red(f, HTTP_PUT, target, "{\"tap_flow\":{\"tenant_id\":\"blue\"}}"), 400);
    assert_int_equal(red(f, HTTP_DELETE, target, NULL), 204);
    assert_int_equal(red(f, HTTP_GET, target, NULL), 200);
    assert_true(body_has(&f->w, "\"status\":\"PENDING_DELETE\""));
    assert_int_equal(red(f, HTTP_DELETE, target, NULL), 204);
    assert_int_equal(red(f, HTTP_PATCH, target, "{}"), 405);
    assert_string_equal(header_of(&f->w, "Allow"), "GET, HEAD, PUT, DELETE");
    assert_int_equal(red(f, HTTP_GET, FLOWS "/x", NULL), 404);
    refused(f, "TapFlowNotFound", "Tap Flow  x does not exist");
    assert_int_equal(red(f, HTTP_GET, "/v2.0/ports?limit=x", NULL), 400);
    refused(f, "BadRequest",
            "Bad limit request: Limit must be an integer 0 or greater and not 'x'.");
    assert_int_equal(red(f, HTTP_GET, "/v2.0/ports?admin_state_up=True&fields=name", NULL), 200);
    assert_string_equal(body(f), "{\"ports\":[{\"name\":\"home:eth1\"},{\"name\":\"home:eth2\"}]}");
    assert_int_equal(red(f, HTTP_GET, "/v2.0/ports?admin_state_up=0", NULL), 200);
    assert_string_equal(body(f), "{\"ports\":[]}");
    assert_int_equal(red(f, HTTP_GET, "/v2.0/ports?name=eth2&fields=id", NULL), 200);
    assert_string_equal(body(f), "{\"ports\":[{\"id\":\"" PORT(2) "\"}]}");
}

static void names(void **state)
{
    struct fixture *f = *state;
    char wish[500], name[257];
    memset(name, 'x', sizeof(name));
    name[256] = '\0';
    (void)snprintf(wish, sizeof(wish),
                   "{\"tap_service\":{\"name\":\"%s\",\"port_id\":\"" PORT(1) "\"}}", name);
    assert_int_equal(red(f, HTTP_POST, SERVICES, wish), 400);
    assert_true(body_has(&f->w, "exceeds maximum length of 255"));
    name[255] = '\0';
    (void)snprintf(wish, sizeof(wish),
                   "{\"tap_service\":{\"name\":\"%s\",\"port_id\":\"" PORT(1) "\"}}", name);
    assert_int_equal(red(f, HTTP_POST, SERVICES, wish), 201);
    assert_int_equal(red(f, HTTP_POST, SERVICES,
                         "{\"tap_service\":{\"name\":\"a\\nb\",\"port_id\":\"" PORT(1) "\"}}"),
                     400);
    refused(f, "HTTPBadRequest",
            "Invalid input for name. Reason: name: has control characters, or is not UTF-8");
    assert_int_equal(
        red(f, HTTP_POST, SERVICES,
            "{\"tap_service\":{\"name\":\"\xf0\x9f\x90\x8d\",\"port_id\":\"" PORT(1) "\"}}"),
        201);
    assert_int_equal(red(f, HTTP_GET, SERVICES "?name=%F0%9F%90%8D&fields=name", NULL), 200);
    assert_string_equal(body(f), "{\"tap_services\":[{\"name\":\"\xf0\x9f\x90\x8d\"}]}");
    assert_int_equal(red(f, HTTP_GET, "/v2.0/taas/tap_mirrors", NULL), 404);
    refused(f, "HTTPNotFound", "The resource could not be found.");
    assert_int_equal(red(f, HTTP_GET, SERVICES "?limit=%", NULL), 400);
    assert_true(body_has(&f->w, "{\"NeutronError\":{\"type\":\"HTTPBadRequest\""));
}

static void store_fails(void **state)
{
    struct fixture *f = *state;
    f->w.counted.fail_list = -EIO;
    assert_int_equal(red(f, HTTP_GET, SERVICES, NULL), 503);
    assert_true(body_has(&f->w, "\"type\":\"ServiceUnavailable\""));
    f->w.counted.fail_list = 0;
    f->w.counted.fail_commit = -ENOSPC;
    assert_int_equal(red(f, HTTP_POST, SERVICES, "{\"tap_service\":{\"port_id\":\"" PORT(1) "\"}}"),
                     507);
    f->w.counted.fail_commit = 0;
    assert_int_equal(red(f, HTTP_GET, SERVICES, NULL), 200);
    assert_string_equal(body(f), "{\"tap_services\":[]}");
}

static void about(void **state)
{
    struct fixture *f = *state;
    struct text t = {0};
    assert_int_equal(red(f, HTTP_GET, "/v2.0/", NULL), 200);
    assert_true(body_has(&f->w, "\"href\":\"http://tap/v2.0/taas/tap_flows\""));
    assert_int_equal(red(f, HTTP_GET, "/v2.0/extensions.json", NULL), 200);
    assert_true(body_has(&f->w, "\"alias\":\"farspan-tap\""));
    assert_int_equal(red(f, HTTP_GET, "/v2.0/networks?name=farspan&fields=name", NULL), 200);
    assert_string_equal(body(f), "{\"networks\":[{\"name\":\"farspan\"}]}");
    assert_int_equal(red(f, HTTP_GET, "/v2.0/networks?name=x", NULL), 200);
    assert_string_equal(body(f), "{\"networks\":[]}");
    assert_int_equal(red(f, HTTP_GET, "/v2.0/networks/farspan", NULL), 404);
    assert_int_equal(red(f, HTTP_GET, "/v2.0/networks?fields=id", NULL), 200);
    char id[KIND_ID], target[100];
    id_of(f, id);
    (void)snprintf(target, sizeof(target), "/v2.0/networks/%s", id);
    assert_int_equal(red(f, HTTP_GET, target, NULL), 200);
    assert_int_equal(red(f, HTTP_GET, "/v2.0/quotas", NULL), 200);
    assert_string_equal(body(f), "{\"quotas\":[]}");
    const char *const headers[] = {"Host", "tap:80", NULL};
    const struct http_request r = request_of(HTTP_GET, "/", NULL, &peer_far, headers);
    taas_put_versions(&t, &r);
    assert_string_equal(t.p, "\"versions\":[{\"id\":\"v2.0\",\"status\":\"CURRENT\",\"links\":[{"
                             "\"rel\":\"self\",\"href\":\"http://tap:80/v2.0/\"}]}]");
    text_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(pages), TEST(orders),      TEST(own_attributes), TEST(rights),
        TEST(quota), TEST(circles),     TEST(bodies),         TEST(flows),
        TEST(names), TEST(store_fails), TEST(about),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * Ports that are managed elsewhere: claims by name, by id and by address, those that wait, and what
 * goes with them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "control/taas_claim.h"
#include "control/test_taas.h"

static void claimed_by_name(void **state)
{
    struct fixture *f = *state;
    char id[KIND_ID], target[100];
    static const char wish[] =
        "{\"port\":{\"name\":\"web0\",\"project_id\":\"red\",\"device_id\":\"vm\","
        "\"tags\":[\"a\"],\"binding:profile\":{\"farspan\":\"home:eth4\"}}}";
    assert_int_equal(root(f, HTTP_POST, "/v2.0/ports", wish), 201);
    id_of(f, id);
    assert_string_not_equal(id, PORT(4));
    assert_true(body_has(&f->w, "\"status\":\"ACTIVE\""));
    assert_true(body_has(&f->w, "\"tags\":[\"a\"]"));
    assert_true(body_has(&f->w, "\"mac_address\":\"02:00:00:00:00:04\""));
    assert_int_equal(root(f, HTTP_POST, "/v2.0/ports", wish), 409); /* it is taken */
    assert_int_equal(red(f, HTTP_GET, "/v2.0/ports?name=web0&fields=id", NULL), 200);
    assert_true(body_has(&f->w, id));
    (void)snprintf(target, sizeof(target), "/v2.0/ports/%s", id);
    assert_int_equal(red(f, HTTP_GET, target, NULL), 200);
    assert_false(body_has(&f->w, "binding:")); /* which is the operator's to know */
    assert_true(body_has(&f->w, "\"device_id\":\"vm\""));
    assert_int_equal(root(f, HTTP_PUT, target, "{\"port\":{\"name\":\"web1\"}}"), 200);
    assert_true(body_has(&f->w, "\"name\":\"web1\""));
    assert_int_equal(
        root(f, HTTP_PUT, target, "{\"port\":{\"binding:profile\":{\"farspan\":\"home:eth1\"}}}"),
        409);
    assert_int_equal(root(f, HTTP_PUT, target, "{\"port\":{\"id\":\"x\"}}"), 400);
    assert_int_equal(root(f, HTTP_PUT, "/v2.0/ports/" PORT(1), "{\"port\":{\"name\":\"x\"}}"), 409);
    assert_int_equal(root(f, HTTP_DELETE, "/v2.0/ports/" PORT(1), NULL), 409);
    assert_int_equal(root(f, HTTP_DELETE, target, NULL), 204);
    assert_int_equal(red(f, HTTP_GET, target, NULL), 404);
    assert_int_equal(root(f, HTTP_GET, "/v2.0/ports/" PORT(4) "?fields=tenant_id", NULL), 200);
    assert_string_equal(body(f), "{\"port\":{\"tenant_id\":\"local\"}}");
}

static void claims_that_are_wrong(void **state)
{
    struct fixture *f = *state;
    static const char *const wishes[] = {
        "{\"port\":{\"name\":5}}",
        "{\"port\":{\"status\":\"ACTIVE\"}}",
        "{\"port\":{\"mac_address\":[]}}",
        "{\"port\":{\"mac_address\":\"02:00:00:00:00:0\"}}",
        "{\"port\":{\"mac_address\":\"02:00:00:00:00:00:01\"}}",
        "{\"port\":{\"mac_address\":\"02:00:00:00:00:0g\"}}",
        "{\"port\":{\"name\":\"a\\u001bb\"}}",
        "{\"port\":{\"tenant_id\":\"\"}}",
        "{\"port\":{\"tenant_id\":\"a\\u0001\"}}",
        "{\"port\":{\"binding:profile\":5}}",
        "{\"port\":{\"binding:profile\":{\"farspan\":7}}}",
        "{\"port\":{\"binding:profile\":{\"farspan\":\"home:\"}}}",
        "{\"port\":{\"binding:profile\":{\"farspan\":\"\"}}}",
        "{\"port\":{\"binding:host_id\":\"a\\u0001\"}}",
        "{\"port\":{\"tenant_id\":5}}",
        "{\"ports\":[{}]}",
        "{\"port\":[]}",
    };
    for (size_t i = 0; i < ARRAY_SIZE(wishes); i++) {
        assert_int_equal(root(f, HTTP_POST, "/v2.0/ports", wishes[i]), 400);
    }
    assert_int_equal(root(f, HTTP_POST, "/v2.0/ports",
                          "{\"port\":{\"binding:profile\":{\"farspan\":\"home:eth1\"}}}"),
                     409); /* another project's */
    assert_int_equal(f->w.counted.changes, 0);
}

/* A claim waits for "tap" and the beginning of its id; what hangs on it moves. */
static void claimed_before_it_comes(void **state)
{
    struct fixture *f = *state;
    struct store *s = &f->w.counted.store;
    struct error err = {""};
    char id[KIND_ID], service[KIND_ID], wish[300], tap[20], target[100], flow[100];
    assert_int_equal(root(f, HTTP_POST, "/v2.0/ports", "{\"port\":{\"project_id\":\"red\"}}"), 201);
    assert_true(body_has(&f->w, "\"status\":\"DOWN\""));
    id_of(f, id);
    (void)snprintf(wish, sizeof(wish), "{\"tap_service\":{\"port_id\":\"%s\"}}", id);
    assert_int_equal(red(f, HTTP_POST, SERVICES, wish), 201);
    id_of(f, service);
    assert_int_equal(make_flow(f, service, ""), 201);
    id_of(f, flow);
    assert_int_equal(claims_bind(s, WORLD_NOW, &err), 0);
    (void)snprintf(tap, sizeof(tap), "tap%.11s", id);
    put_port(f, 9, tap, "blue"); /* somebody gave it to another project */
    assert_int_equal(claims_bind(s, WORLD_NOW, &err), 0);
    put_port(f, 9, tap, WHO_LOCAL);
    f->w.counted.fail_put = -EIO;
    assert_int_equal(claims_bind(s, WORLD_NOW, &err), -EIO);
    f->w.counted.fail_put = 0;
    assert_int_equal(claims_bind(s, WORLD_NOW, &err), 1);
    assert_int_equal(claims_bind(s, WORLD_NOW, &err), 0);
    (void)snprintf(target, sizeof(target), "/v2.0/ports/%s?fields=status", id);
    assert_int_equal(red(f, HTTP_GET, target, NULL), 200);
    assert_string_equal(body(f), "{\"port\":{\"status\":\"ACTIVE\"}}");
    (void)snprintf(target, sizeof(target), SERVICES "/%s?fields=port_id", service);
    assert_int_equal(red(f, HTTP_GET, target, NULL), 200);
    assert_true(body_has(&f->w, id));
    assert_int_equal(root(f, HTTP_GET, "/v1/tap_services?fields=port", NULL), 200);
    assert_true(body_has(&f->w, PORT(9)));
    /* All goes with the port, at once for its clients. */
    (void)snprintf(target, sizeof(target), "/v2.0/ports/%s", id);
    assert_int_equal(root(f, HTTP_DELETE, target, NULL), 204);
    (void)snprintf(target, sizeof(target), SERVICES "/%s", service);
    assert_int_equal(red(f, HTTP_GET, target, NULL), 404);
    assert_int_equal(red(f, HTTP_GET, SERVICES, NULL), 200);
    assert_string_equal(body(f), "{\"tap_services\":[]}");
}

static void claimed_by_address(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(root(f, HTTP_POST, "/v2.0/ports",
                          "{\"port\":{\"mac_address\":\"02:00:00:00:00:04\",\"binding:host_id\":"
                          "\"compute1\"}}"),
                     201);
    assert_true(body_has(&f->w, "\"status\":\"ACTIVE\""));
    assert_int_equal(
        root(f, HTTP_POST, "/v2.0/ports", "{\"port\":{\"mac_address\":\"02:00:00:00:00:04\"}}"),
        201); /* and waits */
    assert_true(body_has(&f->w, "\"status\":\"DOWN\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(claimed_by_name),
        TEST(claims_that_are_wrong),
        TEST(claimed_before_it_comes),
        TEST(claimed_by_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

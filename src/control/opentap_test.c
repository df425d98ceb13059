/* SPDX-License-Identifier: Apache-2.0
 *
 * OpenTap's calls for captures and capabilities as its client makes them, and as nobody should:
 * each answer byte for byte.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "control/opentap_ports.h"
#include "control/test_opentap.h"

/* ---- what there is ---- */

static void capabilities(void **state)
{
    struct fixture *f = *state;
    static const char want[] = "{\"name\":\"farspan\",\"capture_types\":[\"ethernet\",\"netflow\","
                               "\"packet\"],\"retention\":\"10080\",\"capture_length_limit\":86400,"
                               "\"network_observation_pts\":[\"web\"],"
                               "\"sensor_observation_pts\":[]}\n";
    assert_string_equal(get(f, "/capabilities"), want);
    assert_string_equal(get(f, "/"), want);
    (void)snprintf(f->conf.name, sizeof(f->conf.name), "lab \"3\"");
    f->conf.retention_min = 15;
    world_port(&f->w, 2, "eth1", NULL, true);
    world_port(&f->w, 3, "eth2", "gone", false);
    assert_string_equal(get(f, "/capabilities"),
                        "{\"name\":\"lab \\\"3\\\"\",\"capture_types\":[\"ethernet\",\"netflow\","
                        "\"packet\"],\"retention\":\"15\",\"capture_length_limit\":86400,"
                        "\"network_observation_pts\":[\"web\",\"eth1\"],"
                        "\"sensor_observation_pts\":[]}\n");
    refused(f, "/capabilities?x=1", "there is no parameter \\\"x\\\" here");
    refused(f, "/?x=1", "there is no parameter \\\"x\\\" here");
    f->w.counted.fail_list = -EIO;
    refused(f, "/capabilities", "the store cannot do that now: no list");
    refused(f, "/capture", "the store cannot do that now: no list");
}

static void the_list_of_before(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(get(f, "/capture"),
                        "{\"version\":\"0.1\",\"links\":[\"web\"],\"sessions\":{}}\n");
    (void)get(f, "/capture/netflow?start=1800000000&stop=1800000060&id=mine");
    static const char want[] =
        "{\"version\":\"0.1\",\"links\":[\"web\"],\"sessions\":{\"mine\":{\"filename\":"
        "\"mine.csv\",\"inprogress\":\"yes\"}}}\n";
    assert_string_equal(get(f, "/capture"), want);
    assert_string_equal(get(f, "/capture/netflow"), want);
}

/* ---- capture ---- */

static void scheduled(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(
        get(f, "/capture/netflow?start=1800000060&stop=1800000120&observationPt=web"
               "&id=netflow_web_1800000060_1800000120"),
        "{\"status\":\"success\",\"msg\":\"Capture scheduled.\",\"id\":"
        "\"netflow_web_1800000060_1800000120\",\"startTime\":\"1800000060\",\"stopTime\":"
        "\"1800000120\",\"duration\":60}\n");
    assert_int_equal(f->w.changed, 1);
    assert_int_equal(ask(&f->w, HTTP_GET, "/v1/captures", NULL), 200);
    assert_true(body_has(&f->w, "\"type\":\"netflow\",\"points\":[\"eth0\"]"));
    assert_true(body_has(&f->w, "\"start\":\"2027-01-15T08:01:00Z\""));
    assert_true(body_has(&f->w, "\"stop\":\"2027-01-15T08:02:00Z\""));
    assert_false(body_has(&f->w, "netflow_web")); /* no word of it is there */
    assert_int_equal(ask(&f->w, HTTP_GET, "/v1/audit", NULL), 200);
    assert_true(body_has(&f->w, "\"capture.created\""));
    (void)get(f, "/capture/ethernet?start=1800000060&stop=1800000120&observationpt=eth0&period=10");
    assert_int_equal(ask(&f->w, HTTP_GET, "/v1/captures?type=ethernet", NULL), 200);
    assert_true(body_has(&f->w, "\"period\":10,"));
}

/* The first part of the answer up to its id. */
#define SUCCESS(msg, id, start, stop, duration)                                                    \
    "{\"status\":\"success\",\"msg\":\"" msg "\",\"id\":\"" id "\",\"startTime\":" start           \
    ",\"stopTime\":\"" stop "\",\"duration\":" duration "}\n"
#define LATE "Changed startTime to now because it was in the past."
#define GOOD "Capture scheduled."

static void times(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(get(f, "/capture/packet?start=1&stop=1800000010&id=a"),
                        SUCCESS(LATE, "a", "1800000000", "1800000010", "10"));
    assert_string_equal(get(f, "/capture/packet?start=1800000000&stop=1800000010&id=b"),
                        SUCCESS(GOOD, "b", "\"1800000000\"", "1800000010", "10"));
    assert_string_equal(get(f, "/capture/packet?start=1800000000&stop=1800000000&id=c"),
                        SUCCESS(GOOD, "c", "\"1800000000\"", "1800000000", "0"));
    assert_string_equal(get(f, "/capture/packet?start=5&stop=1800000000&id=d"),
                        SUCCESS(LATE, "d", "1800000000", "1800000000", "0"));
    assert_string_equal(get(f, "/capture/packet?start=1800000009&stop=1800000009&id=e"),
                        SUCCESS(GOOD, "e", "\"1800000009\"", "1800000009", "0"));
    assert_int_equal(ask(&f->w, HTTP_GET, "/v1/captures?fields=start,stop&sort=start", NULL), 200);
    assert_true(body_has(&f->w, "{\"start\":\"2027-01-15T08:00:09Z\",\"stop\":"
                                "\"2027-01-15T08:00:09.001Z\"}"));
    refused(f, "/capture/packet?start=1800000010&stop=1800000009",
            "Start time is later than stop time.");
    refused(f, "/capture/packet?start=20&stop=10", "Start time is later than stop time.");
    refused(f, "/capture/packet?start=10&stop=20", "Stop time is earlier than current time.");
    refused(f, "/capture/packet?start=1799999999&stop=1799999999",
            "Stop time is earlier than current time.");
    refused(f, "/capture/packet?start=1800000000&stop=1800086401",
            "a capture lasts 24 hours at most");
    refused(f, "/capture/packet?start=1832000000&stop=1832000001",
            "a capture starts within 366 days");
}

static void times_that_are_none(void **state)
{
    struct fixture *f = *state;
    static const char *const wrong[] = {
        "1.5",
        "1e99",
        "tomorrow",
        "-1",
        "+5",
        "0x10",
        "9223372036854775808",
        "9999999999999",
        "292278000000",
        "%20180",
        "18000000%3100%20",
    };
    char target[128];
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        (void)snprintf(target, sizeof(target), "/capture/netflow?start=%s&stop=1800000010",
                       wrong[i]);
        refused(f, target, "start is no number of whole seconds since 1970, UTC");
        (void)snprintf(target, sizeof(target), "/capture/netflow?start=1800000000&stop=%s",
                       wrong[i]);
        refused(f, target, "stop is no number of whole seconds since 1970, UTC");
    }
    refused(f, "/capture/netflow?stop=1800000010", "start is missing");
    refused(f, "/capture/netflow?start=1800000010", "stop is missing");
    refused(f, "/capture/netflow?start=&stop=1800000010", "start is missing");
}

#define TIMES "start=1800000000&stop=1800000010"

static void wrong_words(void **state)
{
    struct fixture *f = *state;
    char target[600] = "/capture/netflow?" TIMES "&id=";
    refused(f, "/capture?" TIMES, "the type is missing: /capture/netflow, for example");
    refused(f, "/capture/sensor?" TIMES, "there are no sensors");
    refused(f, "/capture/temperature?" TIMES, "there are no sensors");
    refused(f, "/capture/pcap?" TIMES,
            "there is no type pcap: types are ethernet, netflow, packet");
    refused(f, "/capture/netflow?" TIMES "&observationpt=eth9",
            "there is no observation point eth9; the nearest is eth0");
    refused(f, "/capture/ethernet?" TIMES "&period=0", "period: 0 is not from 10 to 3600000");
    refused(f, "/capture/ethernet?" TIMES "&period=x", "period: \\\"x\\\" is not a whole number");
    refused(f, "/capture/netflow?" TIMES "&filter=ip", "there is no parameter \\\"filter\\\" here");
    memset(target + strlen(target), 'i', 257);
    refused(f, target, "id is no text of up to 256 bytes");
    refused(f, "/capture/netflow?" TIMES "&id=a%0ab",
            "the query has a control character or a zero byte");
    refused(f, "/retrieve?id=a%00", "the query has a control character or a zero byte");
    assert_int_equal(ask(&f->w, HTTP_HEAD, "/capture/netflow?" TIMES, NULL), 200);
    assert_true(body_has(&f->w, "a capture is made by GET"));
    assert_int_equal(f->w.counted.changes, 0);
}

static void points(void **state)
{
    struct fixture *f = *state;
    static const char netflow[] = "/capture/netflow?" TIMES "&id=";
    char target[128];
    world_port(&f->w, 2, "eth1", NULL, true);
    refused(f, "/capture/netflow?" TIMES,
            "observationpt must be given; observation points are eth0, eth1");
    f->conf.alias[f->conf.n_aliases++] = (struct opentap_alias){"eth1", "db"};
    static const struct {
        const char *more, *dflt; /* its port is in the count below */
    } cases[] = {
        {"1&observationpt=0", "eth1"}, {"2&observationPt=", "web"},  {"3", "db"},
        {"4&observationpt=db", "web"}, {"5&observationPt=eth1", ""}, {"6&observationpt=web", "db"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        (void)snprintf(f->conf.default_point, sizeof(f->conf.default_point), "%s", cases[i].dflt);
        (void)snprintf(target, sizeof(target), "%s%s", netflow, cases[i].more);
        assert_non_null(strstr(get(f, target), "success"));
    }
    assert_int_equal(ask(&f->w, HTTP_GET, "/v1/captures?fields=points", NULL), 200);
    char *all = body_of(&f->w);
    unsigned n[2] = {0};
    for (const char *at = all; (at = strstr(at, "[\"eth")); at++) {
        n[at[5] - '0']++;
    }
    free(all);
    assert_int_equal(n[0], 2);
    assert_int_equal(n[1], 4);
}

static void no_points(void **state)
{
    struct fixture *f = *state;
    world_port(&f->w, 1, "eth0", "web", false);
    refused(f, "/capture/netflow?" TIMES, "there are no observation points now");
    refused(f, "/capture/netflow?" TIMES "&observationpt=web", "there is no observation point web");
}

static void ids(void **state)
{
    struct fixture *f = *state;
    char ours[64], want[256];
    static const char call[] = "/capture/netflow?" TIMES "&id=..%2f..%2fetc%2fpasswd%22";
    assert_string_equal(
        get(f, call), SUCCESS(GOOD, "../../etc/passwd\\\"", "\"1800000000\"", "1800000010", "10"));
    const char *clash = strstr(get(f, call), "\"id\":\"");
    assert_non_null(clash);
    (void)snprintf(ours, sizeof(ours), "%.36s", clash + 6);
    assert_non_null(strchr(ours, '-'));
    (void)snprintf(want, sizeof(want),
                   "{\"status\":\"success\",\"msg\":\"" GOOD "\",\"id\":\"%s\",\"startTime\":"
                   "\"1800000000\",\"stopTime\":\"1800000010\",\"duration\":10}\n",
                   ours);
    assert_string_equal(f->body, want);
    /* Ours is taken, too. */
    (void)snprintf(want, sizeof(want), "/capture/netflow?" TIMES "&id=%s", ours);
    assert_null(strstr(get(f, want), ours));
    /* Without one it is ours. */
    assert_non_null(strstr(get(f, "/capture/netflow?" TIMES), "\"id\":\"0"));
}

static void too_many(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < 32; i++) {
        assert_non_null(strstr(get(f, "/capture/netflow?" TIMES), "success"));
    }
    assert_non_null(strstr(get(f, "/capture/netflow?" TIMES), "\"status\":\"error\""));
    assert_non_null(strstr(f->body, "has 32 captures that have not ended, and may have 32"));
}

static void the_store_fails(void **state)
{
    struct fixture *f = *state;
    f->w.counted.fail_commit = -ENOSPC;
    assert_string_equal(
        get(f, "/capture/netflow?" TIMES),
        "{\"status\":\"error\",\"msg\":\"nothing was changed: the disk said no\"}\n");
    f->w.counted.fail_commit = 0;
    f->w.counted.fail_event = -EIO; /* half of it was changed, so that nothing may stay */
    assert_non_null(strstr(get(f, "/capture/netflow?" TIMES), "\"status\":\"error\""));
    f->w.counted.fail_event = 0;
    assert_string_equal(get(f, "/capture"),
                        "{\"version\":\"0.1\",\"links\":[\"web\"],\"sessions\":{}}\n");
    assert_int_equal(f->w.changed, 0);
}

static void who_may(void **state)
{
    struct fixture *f = *state;
    static const char *const foreign[] = {"Host", "127.0.0.1", "Sec-Fetch-Site", "cross-site",
                                          NULL};
    assert_int_equal(ask_with(&f->w, HTTP_GET, "/capture/netflow?" TIMES, NULL, &peer_far, NULL),
                     200);
    assert_string_equal(body(f), "{\"status\":\"error\",\"msg\":\"this needs a token of the role "
                                 "read\"}\n");
    assert_int_equal(
        ask_with(&f->w, HTTP_GET, "/capture/netflow?" TIMES, NULL, &peer_loopback, foreign), 403);
    assert_int_equal(f->w.counted.changes, 0);
}

static void readers_do_not_capture(void **state)
{
    struct world w;
    static const char *const host[] = {"Host", "localhost", NULL};
    static const struct api_route *table[1];
    table[0] = opentap_routes;
    const struct api_conf conf = {.routes = {table, &opentap_n_routes, 1}, .anonymous = API_READ};
    (void)state;
    world_start(&w, kinds, KINDS, &conf);
    world_port(&w, 1, "eth0", NULL, true);
    assert_int_equal(ask_with(&w, HTTP_GET, "/capture", NULL, &peer_loopback, host), 200);
    assert_true(body_has(&w, "\"version\""));
    assert_int_equal(ask_with(&w, HTTP_GET, "/capture/packet?" TIMES, NULL, &peer_loopback, host),
                     200);
    assert_true(body_has(&w, "{\"status\":\"error\",\"msg\":\"this needs the role capture, and "));
    assert_int_equal(w.counted.changes, 0);
    world_done(&w);
}

/* ---- aliases ---- */

static void named(struct fixture *f, const char *want)
{
    assert_int_equal(ask(&f->w, HTTP_GET, "/v1/ports?fields=name,alias&sort=name", NULL), 200);
    assert_true(body_has(&f->w, want));
}

static void ports_are_named(void **state)
{
    struct fixture *f = *state;
    struct store *s = &f->w.counted.store;
    struct error err = {""};
    f->conf.alias[0] = (struct opentap_alias){"eth0", "other"}; /* it has one */
    f->conf.alias[1] = (struct opentap_alias){"eth1", "web"};   /* another has it */
    f->conf.alias[2] = (struct opentap_alias){"eth2", "eth1"};  /* another is called so */
    f->conf.alias[3] = (struct opentap_alias){"eth1", "db"};
    f->conf.alias[4] = (struct opentap_alias){"eth9", "none"};
    f->conf.n_aliases = 5;
    assert_int_equal(opentap_name_ports(s, &f->conf, &err), 0);
    assert_int_equal(f->w.counted.changes, 0);
    world_port(&f->w, 2, "eth1", NULL, true);
    world_port(&f->w, 3, "eth2", NULL, true);
    f->w.counted.fail_put = -EIO;
    assert_int_equal(opentap_name_ports(s, &f->conf, &err), -EIO);
    f->w.counted.fail_put = 0;
    assert_int_equal(opentap_name_ports(s, &f->conf, &err), 1);
    assert_int_equal(opentap_name_ports(s, &f->conf, &err), 0);
    named(f, "[\n{\"name\":\"eth0\",\"alias\":\"web\"},\n{\"name\":\"eth1\",\"alias\":\"db\"},\n"
             "{\"name\":\"eth2\",\"alias\":null}]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(capabilities, enter, leave),
        cmocka_unit_test_setup_teardown(the_list_of_before, enter, leave),
        cmocka_unit_test_setup_teardown(scheduled, enter, leave),
        cmocka_unit_test_setup_teardown(times, enter, leave),
        cmocka_unit_test_setup_teardown(times_that_are_none, enter, leave),
        cmocka_unit_test_setup_teardown(wrong_words, enter, leave),
        cmocka_unit_test_setup_teardown(points, enter, leave),
        cmocka_unit_test_setup_teardown(no_points, enter, leave),
        cmocka_unit_test_setup_teardown(ids, enter, leave),
        cmocka_unit_test_setup_teardown(too_many, enter, leave),
        cmocka_unit_test_setup_teardown(the_store_fails, enter, leave),
        cmocka_unit_test_setup_teardown(who_may, enter, leave),
        cmocka_unit_test_setup_teardown(ports_are_named, enter, leave),
        cmocka_unit_test(readers_do_not_capture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

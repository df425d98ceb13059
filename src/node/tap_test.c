/* SPDX-License-Identifier: Apache-2.0
 *
 * A tap, assembled in an engine with a broker of its own, and taken apart: main splits, and the
 * tests run in the engine. A leak checker, where there is one, looks at its end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "node/tap.h"

static struct tap_conf conf = {
    .select = {.word = {{"no-such-*", "no-such-*", false}}, .n_words = 1},
    .collector_text = "127.0.0.1:4789",
    .backlog_bytes = 4 << 20,
    .name = "here"};
static struct tap_grants grants = {.select = &conf.select, .collector = &conf.collector};
static struct broker *broker;

static void on_tell(void *user, const char *text)
{
    char *told = user;
    size_t used = strlen(told);
    snprintf(told + used, 1024 - used, "%s\n", text);
}

static void on_stopped(void *user)
{
    (void)user;
}

static void waits_for_its_interfaces(void **state)
{
    (void)state;
    char told[1024] = "";
    struct error err = {""};
    const struct teller teller = {on_tell, told};
    const struct handshake_conf handshake = {.method = LINK_PLAIN};
    struct loop *loop = NULL;
    struct tap *tap = NULL;
    assert_int_equal(loop_new(&loop), 0);
    const struct tap_around around = {.conf = &conf,
                                      .handshake = &handshake,
                                      .loop = loop,
                                      .broker = broker,
                                      .teller = &teller,
                                      .host = "a host",
                                      .stopped = on_stopped};
    int r = tap_new(&around, &tap, &err);
    assert_string_equal(err.text, "");
    assert_int_equal(r, 0);
    assert_string_equal(told, "datagrams of farspan links are left out (--take-links)\n"
                              "no interface matches \"no-such-*\" yet: waiting for one\n");
    assert_int_equal(tap_interfaces(tap)->n, 0);
    json_t *doc = tap_document(tap);
    assert_string_equal(json_string_value(json_object_get(doc, "name")), "here");
    assert_int_equal(json_array_size(json_object_get(doc, "interfaces")), 0);
    json_decref(doc);
    tap_free(tap);
    loop_free(loop);
}

int main(void)
{
    static const struct broker_conf bc = {
        .requests = tap_requests, .n_requests = TAP_REQUESTS, .ctx = &grants};
    struct error err = {""};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waits_for_its_interfaces),
    };
    if (parse_host_port(conf.collector_text, &conf.collector, &err) < 0 ||
        broker_start(&bc, &broker, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    broker_free(broker);
    return failed;
}

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
static struct tap_grants grants = {.interfaces.select = &conf.select, .collector = &conf.collector};
static struct broker *broker;

static void on_tell(void *user, const char *text)
{
    char *told = user;
    size_t used = strlen(told);
    snprintf(told + used, 1024 - used, "%s\n", text);
}

static void on_stopped(void *user)
{
    bool *stopped = user;
    *stopped = true;
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

/* The reason stays, whatever is asked for afterwards. */
static void ends_by_itself(void **state)
{
    (void)state;
    for (int asked = 0; asked < 2; asked++) {
        char told[1024] = "";
        const struct teller teller = {on_tell, told};
        const struct handshake_conf handshake = {.method = LINK_PLAIN};
        struct loop *loop = NULL;
        struct tap *tap = NULL;
        bool stopped = false;
        assert_int_equal(loop_new(&loop), 0);
        const struct tap_around around = {.conf = &conf,
                                          .handshake = &handshake,
                                          .loop = loop,
                                          .broker = broker,
                                          .teller = &teller,
                                          .host = "a host",
                                          .stopped = on_stopped,
                                          .user = &stopped};
        assert_int_equal(tap_new(&around, &tap, NULL), 0);
        assert_int_equal(tap_ended(tap), LINK_CLOSE_END);
        told[0] = '\0';
        if (asked) {
            tap_stop(tap);
        }
        tap_end(tap, LINK_CLOSE_LIMIT, "the rate is reached");
        tap_end(tap, LINK_CLOSE_IDLE, "once more");
        tap_stop(tap);
        assert_true(stopped); /* there is no session, and nothing that waits */
        assert_int_equal(tap_ended(tap), asked ? LINK_CLOSE_END : LINK_CLOSE_LIMIT);
        assert_string_equal(told, asked ? "" : "here: the rate is reached\n");
        tap_free(tap);
        loop_free(loop);
    }
}

static void on_limited(void *user)
{
    loop_stop(user, 0);
}

static void on_deadline(struct loop *l, struct mono now, void *user)
{
    (void)now;
    (void)user;
    loop_stop(l, 1);
}

/* The rate is so low that nothing reaches it: the tap ends, and tells why in its history. */
static void ends_at_its_limit(void **state)
{
    (void)state;
    char told[1024] = "";
    struct error err = {""};
    const struct teller teller = {on_tell, told};
    const struct handshake_conf handshake = {.method = LINK_PLAIN};
    struct tap_conf limited = conf;
    struct loop *loop = NULL;
    struct tap *tap = NULL;
    limited.limiter = (struct limiter_conf){.mode = LIMITER_STOP, .check_ms = 50, .breaches = 1};
    limited.limit = (struct budget_conf){.rate = {.bits = 1, .burst_ms = 10}, .queue_ms = 200};
    assert_int_equal(loop_new(&loop), 0);
    const struct tap_around around = {.conf = &limited,
                                      .handshake = &handshake,
                                      .loop = loop,
                                      .broker = broker,
                                      .teller = &teller,
                                      .host = "a host",
                                      .stopped = on_limited,
                                      .user = loop};
    int r = tap_new(&around, &tap, &err);
    assert_string_equal(err.text, "");
    assert_int_equal(r, 0);
    assert_int_equal(
        loop_add_timer(loop, mono_add_ms(mono_now(), 10000), 0, on_deadline, NULL, NULL), 0);
    assert_int_equal(loop_run(loop), 0);
    assert_int_equal(tap_ended(tap), LINK_CLOSE_LIMIT);
    json_t *doc = tap_document(tap);
    const json_t *event = json_array_get(json_object_get(doc, "history"), 0);
    assert_string_equal(json_string_value(json_object_get(event, "kind")), "limit-breach");
    event = json_array_get(json_object_get(doc, "history"), 1);
    assert_string_equal(json_string_value(json_object_get(event, "kind")), "limit-rung");
    assert_string_equal(json_string_value(json_object_get(event, "subject")), "limit");
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
        cmocka_unit_test(ends_by_itself),
        cmocka_unit_test(ends_at_its_limit),
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

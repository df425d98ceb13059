/* SPDX-License-Identifier: Apache-2.0
 *
 * The requests of a collector's engine that was taken over, and the refusals of its broker.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "node/collector_requests.h"

static int ask(struct collector_grants *g, const char *tap, size_t len)
{
    const struct broker_request *q = &collector_requests[COLLECTOR_DEVICE];
    struct broker_reply reply = {.fd = -1};
    assert_in_range(len, q->args_min, q->args_max);
    int r = q->handle(g, tap, len, &reply);
    assert_int_equal(reply.fd, -1);
    assert_string_not_equal(reply.err.text, "");
    return r;
}

/* An engine that was taken over asks for other devices, and gets none. */
static void no_device_but_those_of_the_command_line(void **state)
{
    (void)state;
    static struct collector_grants g;
    assert_int_equal(ask(&g, "", 0), -EINVAL); /* without -i */
    assert_int_equal(ask(&g, "web", 3), -EINVAL);
    g.device = "ntap0";
    assert_int_equal(ask(&g, "web", 3), -EINVAL); /* one device for all */
    g.device = "ntap-%t";
    g.one_each = true;
    const char *bad[] = {"", "a/b", "a b", "../x", "a\nb", "\xff"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        assert_int_equal(ask(&g, bad[i], strlen(bad[i])), -EINVAL);
    }
    assert_int_equal(ask(&g, "a\0b", 3), -EINVAL);
}

static void no_list_but_the_one_that_was_named(void **state)
{
    (void)state;
    const struct broker_request *q = &collector_requests[COLLECTOR_ALLOW];
    struct collector_grants g = {.allow = NULL};
    struct broker_reply reply = {.fd = -1};
    assert_int_equal(q->args_max, 0);
    assert_int_equal(q->handle(&g, "", 0, &reply), -EINVAL);
    g.allow = "/dev/null"; /* as it may have become one */
    assert_int_equal(q->handle(&g, "", 0, &reply), -EINVAL);
    assert_int_equal(reply.fd, -1);
}

static int ask_output(struct collector_grants *g, uint8_t place, struct broker_reply *reply)
{
    const struct broker_request *q = &collector_requests[COLLECTOR_OUTPUT];
    *reply = (struct broker_reply){.fd = -1};
    assert_int_equal(q->args_min, 1);
    return q->handle(g, &place, 1, reply);
}

/* An output is opened again as it was wished for; its host's name is looked up again. */
static void no_output_but_those_of_the_list(void **state)
{
    (void)state;
    struct output_list list = {0};
    struct collector_grants g = {.outputs = &list, .user = "no-such-user"};
    struct broker_reply reply;
    struct error err = {""};
    assert_int_equal(ask_output(&g, 0, &reply), -EINVAL);
    assert_int_equal(output_list_add(&list, "gre://localhost", &err), 0);
    assert_int_equal(output_list_add(&list, "gre://no-such-host.invalid", &err), 0);
    assert_int_equal(ask_output(&g, 2, &reply), -EINVAL);
    assert_string_equal(reply.err.text, "there is no such output");
    if (geteuid() == 0) {
        assert_true(ask_output(&g, 0, &reply) < 0);
        assert_non_null(strstr(reply.err.text, "no-such-user"));
        g.user = "nobody";
        assert_int_equal(ask_output(&g, 0, &reply), 0);
        assert_true(reply.fd >= 0);
        close(reply.fd);
        assert_true(ask_output(&g, 1, &reply) < 0);
        assert_non_null(strstr(reply.err.text, "cannot resolve \"no-such-host.invalid\""));
        assert_int_equal(reply.fd, -1);
    }
    output_list_done(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_device_but_those_of_the_command_line),
        cmocka_unit_test(no_list_but_the_one_that_was_named),
        cmocka_unit_test(no_output_but_those_of_the_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

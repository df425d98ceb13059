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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_device_but_those_of_the_command_line),
        cmocka_unit_test(no_list_but_the_one_that_was_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "cmd/collector.h"

static int ask(struct collector *c, const char *tap, size_t len)
{
    const struct broker_request *q = &collector_requests[COLLECTOR_DEVICE];
    struct broker_reply reply = {.fd = -1};
    assert_in_range(len, q->args_min, q->args_max);
    int r = q->handle(c, tap, len, &reply);
    assert_int_equal(reply.fd, -1);
    assert_string_not_equal(reply.err.text, "");
    return r;
}

/* An engine that was taken over asks for devices, and does not get them. */
static void no_device_but_those_of_the_command_line(void **state)
{
    (void)state;
    static struct collector c;
    assert_int_equal(ask(&c, "", 0), -EINVAL); /* without -i */
    assert_int_equal(ask(&c, "web", 3), -EINVAL);
    c.conf.device = "ntap0";
    assert_int_equal(ask(&c, "web", 3), -EINVAL); /* one device for all */
    c.conf.device = "ntap-%t";
    c.one_each = true;
    const char *bad[] = {"", "a/b", "a b", "../x", "a\nb", "\xff"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        assert_int_equal(ask(&c, bad[i], strlen(bad[i])), -EINVAL);
    }
    assert_int_equal(ask(&c, "a\0b", 3), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_device_but_those_of_the_command_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

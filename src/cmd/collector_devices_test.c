/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "cmd/collector.h"
#include "cmd/tap.h"

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

static void whose_device(void **state)
{
    (void)state;
    struct tap_conf c = {.n_words = 0};
    const struct broker_request *q = &tap_requests[TAP_OWN];
    const uint32_t indexes[] = {0, 1, INT32_MAX, UINT32_MAX};
    assert_int_equal(q->args_min, 4);
    assert_int_equal(q->args_max, 4);
    for (size_t i = 0; i < ARRAY_SIZE(indexes); i++) {
        struct broker_reply reply = {.fd = -1};
        uint8_t arg[4];
        st_u32(arg, indexes[i]);
        assert_int_equal(q->handle(&c, arg, sizeof(arg), &reply), 0);
        assert_int_equal(reply.len, 1);
        assert_int_equal(reply.data[0], 0);
        assert_int_equal(reply.fd, -1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_device_but_those_of_the_command_line),
        cmocka_unit_test(whose_device),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

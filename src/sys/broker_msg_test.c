/* SPDX-License-Identifier: Apache-2.0
 *
 * The bytes of requests and replies, their limits, and replies as an attacker might send them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "sys/broker_msg.h"

static void request_bytes(void **state)
{
    (void)state;
    const uint8_t want[] = {'F', 's', 'B', 'Q', 0, 0, 0, 9, 0, 0, 0, 3, 0, 2, 'h', 'i'};
    uint8_t buf[BROKER_REQUEST_MAX];
    struct broker_msg_request q = {9, 3, (const uint8_t *)"hi", 2}, got;
    assert_int_equal(broker_msg_put_request(buf, sizeof(buf), &q), sizeof(want));
    assert_memory_equal(buf, want, sizeof(want));
    assert_int_equal(broker_msg_get_request(buf, sizeof(want), &got), 0);
    assert_int_equal(got.seq, 9);
    assert_int_equal(got.number, 3);
    assert_int_equal(got.len, 2);
    assert_memory_equal(got.args, "hi", 2);
    for (size_t n = 0; n < sizeof(want); n++) {
        assert_int_equal(broker_msg_get_request(buf, n, &got), -EBADMSG);
        assert_int_equal(broker_msg_put_request(buf, n, &q), -EMSGSIZE);
    }
    assert_int_equal(broker_msg_get_request(buf, sizeof(want) + 1, &got), -EBADMSG);
}

static void request_limits(void **state)
{
    (void)state;
    static uint8_t args[BROKER_ARGS_MAX + 1], buf[BROKER_REQUEST_MAX + 1];
    struct broker_msg_request q = {1, 1, args, BROKER_ARGS_MAX}, got;
    int n = broker_msg_put_request(buf, sizeof(buf), &q);
    assert_int_equal(n, BROKER_REQUEST_MAX);
    assert_int_equal(broker_msg_get_request(buf, (size_t)n, &got), 0);
    q.len++;
    assert_int_equal(broker_msg_put_request(buf, sizeof(buf), &q), -EMSGSIZE);
    buf[13]++; /* a message that is as long as it says, but too long */
    assert_int_equal(broker_msg_get_request(buf, (size_t)n + 1, &got), -EBADMSG);
}

static void reply_round_trip(void **state)
{
    (void)state;
    static uint8_t data[BROKER_DATA_MAX], buf[BROKER_REPLY_MAX];
    struct broker_msg_reply got, p = {.seq = 77, .result = -ENOENT, .has_fd = true, .data = data};
    memset(data, 5, sizeof(data));
    memset(p.err.text, 'e', sizeof(p.err.text) - 1);
    for (size_t len = 0; len <= sizeof(data); len += 1024) {
        p.len = len;
        int n = broker_msg_put_reply(buf, sizeof(buf), &p);
        assert_true(n > 0);
        assert_int_equal(broker_msg_get_reply(buf, (size_t)n, &got), 0);
        assert_int_equal(got.seq, 77);
        assert_int_equal(got.result, -ENOENT);
        assert_true(got.has_fd);
        assert_string_equal(got.err.text, p.err.text);
        assert_int_equal(got.len, len);
        assert_memory_equal(got.data, data, len);
        assert_int_equal(broker_msg_get_reply(buf, (size_t)n - 1, &got), -EBADMSG);
    }
    p.len = sizeof(data) + 1;
    assert_int_equal(broker_msg_put_reply(buf, sizeof(buf), &p), -EMSGSIZE);
    p.len = 0;
    p.result = 1;
    assert_int_equal(broker_msg_put_reply(buf, sizeof(buf), &p), -EMSGSIZE);
}

static void hostile_replies(void **state)
{
    (void)state;
    uint8_t ok[18] = {'F', 's', 'B', 'R', 0, 0, 0, 1}, bad[18];
    struct broker_msg_reply got;
    assert_int_equal(broker_msg_get_reply(ok, sizeof(ok), &got), 0);
    static const struct {
        size_t at;
        uint8_t value;
    } cases[] = {{0, 'f'}, {8, 0x40}, {11, 1}, {13, 2}, {12, 1}, {15, 1}, {17, 1}, {14, 2}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        memcpy(bad, ok, sizeof(ok));
        bad[cases[i].at] = cases[i].value;
        assert_int_equal(broker_msg_get_reply(bad, sizeof(bad), &got), -EBADMSG);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(request_bytes),
        cmocka_unit_test(request_limits),
        cmocka_unit_test(reply_round_trip),
        cmocka_unit_test(hostile_replies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * The list of asks: order, deadlines, and that nothing is left of what is forgotten.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "sys/broker_asks.h"

static void ignore(void *user, int result, const uint8_t *data, size_t len, int fd,
                   const struct error *err)
{
    (void)user, (void)result, (void)data, (void)len, (void)fd, (void)err;
}

static void add(struct broker_asks *a, uint32_t seq, void *user, int64_t deadline)
{
    assert_int_equal(broker_asks_add(a, seq, ignore, user, (struct mono){deadline}), 0);
}

static bool answer(struct broker_asks *a, uint32_t seq, const char *data)
{
    int none = -1;
    const struct broker_msg_reply m = {
        .seq = seq, .data = (const uint8_t *)data, .len = strlen(data)};
    return broker_asks_answer(a, &m, &none);
}

static void answers_are_kept_in_order(void **state)
{
    (void)state;
    struct broker_asks a = {.n = 0};
    struct broker_asked one;
    int users[3];
    assert_int_equal(broker_asks_next(&a).ns, 0);
    add(&a, 1, &users[0], 300);
    add(&a, 2, &users[1], 200);
    add(&a, 3, &users[2], 400);
    assert_int_equal(broker_asks_next(&a).ns, 200);
    assert_false(broker_asks_take(&a, &one));
    assert_false(answer(&a, 4, "x"));
    assert_true(answer(&a, 3, "three"));
    assert_false(answer(&a, 3, "again"));
    assert_true(answer(&a, 1, ""));
    assert_int_equal(broker_asks_next(&a).ns, 1); /* at once */
    assert_true(broker_asks_take(&a, &one));
    assert_ptr_equal(one.user, &users[0]);
    assert_int_equal(one.len, 0);
    broker_asked_done(&one);
    assert_true(broker_asks_take(&a, &one));
    assert_ptr_equal(one.user, &users[2]);
    assert_int_equal(one.len, 5);
    assert_memory_equal(one.data, "three", 5);
    broker_asked_done(&one);
    assert_false(broker_asks_take(&a, &one));
    assert_int_equal(broker_asks_next(&a).ns, 200);
    broker_asks_done(&a);
}

static void time_is_up(void **state)
{
    (void)state;
    struct broker_asks a = {.n = 0};
    struct broker_asked one;
    add(&a, 1, NULL, 100);
    add(&a, 2, NULL, 200);
    add(&a, 3, NULL, 100);
    assert_true(answer(&a, 3, "in time"));
    broker_asks_due(&a, (struct mono){100});
    assert_true(broker_asks_take(&a, &one));
    assert_int_equal(one.seq, 1);
    assert_int_equal(one.result, -ETIMEDOUT);
    assert_string_equal(one.err.text, "no answer from the privileged broker in time");
    assert_true(broker_asks_take(&a, &one));
    assert_int_equal(one.seq, 3);
    assert_int_equal(one.result, 0);
    broker_asked_done(&one);
    assert_false(broker_asks_take(&a, &one));
    broker_asks_fail(&a, EPIPE, "gone");
    assert_true(broker_asks_take(&a, &one));
    assert_int_equal(one.result, -EPIPE);
    assert_int_equal(a.n, 0);
}

static void forgotten_ones_leave_nothing(void **state)
{
    (void)state;
    struct broker_asks a = {.n = 0};
    struct broker_asked one;
    int users[2], fd = open("/dev/null", O_RDONLY | O_CLOEXEC), kept = fd;
    const struct broker_msg_reply m = {.seq = 2, .has_fd = true};
    add(&a, 1, &users[0], 100);
    add(&a, 2, &users[1], 100);
    add(&a, 3, &users[1], 100);
    assert_true(broker_asks_answer(&a, &m, &fd));
    assert_int_equal(fd, -1);
    broker_asks_forget(&a, &users[1]);
    assert_int_equal(fcntl(kept, F_GETFD), -1); /* closed */
    assert_false(answer(&a, 3, "late"));
    assert_int_equal(a.n, 1);
    assert_true(answer(&a, 1, "is the other's"));
    assert_true(broker_asks_take(&a, &one));
    broker_asked_done(&one);
}

static void descriptor_that_did_not_come(void **state)
{
    (void)state;
    struct broker_asks a = {.n = 0};
    struct broker_asked one;
    int none = -1;
    const struct broker_msg_reply m = {.seq = 1, .has_fd = true};
    add(&a, 1, NULL, 100);
    assert_true(broker_asks_answer(&a, &m, &none));
    assert_true(broker_asks_take(&a, &one));
    assert_int_equal(one.result, -EMFILE);
    assert_int_equal(one.fd, -1);
}

static void number_is_bounded(void **state)
{
    (void)state;
    struct broker_asks a = {.n = 0};
    for (uint32_t i = 0; i < BROKER_ASKS_MAX; i++) {
        add(&a, i, NULL, 100);
        assert_true(answer(&a, i, "freed at the end"));
    }
    assert_int_equal(broker_asks_add(&a, 1000, ignore, NULL, (struct mono){1}), -EAGAIN);
    broker_asks_done(&a);
    assert_int_equal(a.n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_kept_in_order),
        cmocka_unit_test(time_is_up),
        cmocka_unit_test(forgotten_ones_leave_nothing),
        cmocka_unit_test(descriptor_that_did_not_come),
        cmocka_unit_test(number_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

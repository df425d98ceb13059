/* SPDX-License-Identifier: Apache-2.0
 *
 * Captures go by age and by size, and some never go.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "model/retention.h"

#define HOUR (INT64_C(3600) * 1000000000)
#define NOW (1000 * HOUR)

static void by_age(void **state)
{
    (void)state;
    struct retention_item items[] = {
        {.number = 0, .ended_ns = NOW - 2 * HOUR - 1}, {.number = 1, .ended_ns = NOW - 2 * HOUR},
        {.number = 2, .ended_ns = NOW - 90 * HOUR},    {.number = 3, .ended_ns = NOW + HOUR},
        {.number = 4, .ended_ns = INT64_MIN},
    };
    const struct retention_conf conf = {.age_ns = 2 * HOUR};
    assert_int_equal(retention_choose(&conf, NOW, items, ARRAY_SIZE(items)), 2);
    static const size_t order[] = {4, 2, 0, 1, 3};
    static const bool removed[] = {false, true, true, false, false}; /* an age beyond all numbers */
    for (size_t i = 0; i < ARRAY_SIZE(items); i++) {
        assert_int_equal(items[i].number, order[i]);
        assert_int_equal(items[i].remove, removed[i]);
    }
    assert_int_equal(retention_choose(&(struct retention_conf){0}, NOW, items, 5), 0);
    assert_false(items[1].remove);
    assert_int_equal(retention_choose(&conf, NOW, NULL, 0), 0);
}

static void by_size(void **state)
{
    (void)state;
    struct retention_item items[] = {
        {.number = 0, .ended_ns = 30, .bytes = 5},
        {.number = 1, .ended_ns = 10, .bytes = 5, .kept = true},
        {.number = 2, .ended_ns = 20, .bytes = 1},
        {.number = 3, .ended_ns = 20, .bytes = 4},
        {.number = 4, .ended_ns = 40, .bytes = 5},
    };
    struct retention_conf conf = {.most_bytes = 20};
    assert_int_equal(retention_choose(&conf, NOW, items, 5), 0);
    conf.most_bytes = 19;
    assert_int_equal(retention_choose(&conf, NOW, items, 5), 1);
    assert_true(items[1].number == 2 && items[1].remove);
    conf.most_bytes = 18;
    assert_int_equal(retention_choose(&conf, NOW, items, 5), 2);
    assert_true(items[2].number == 3 && items[2].remove && !items[3].remove);
    conf.most_bytes = 1; /* more than that is kept, whatever goes */
    assert_int_equal(retention_choose(&conf, NOW, items, 5), 4);
    assert_true(items[0].kept && !items[0].remove);
}

static void by_both(void **state)
{
    (void)state;
    struct retention_item items[] = {
        {.number = 0, .ended_ns = NOW - 3 * HOUR, .bytes = UINT64_MAX},
        {.number = 1, .ended_ns = NOW - 2 * HOUR, .bytes = UINT64_MAX},
        {.number = 2, .ended_ns = NOW, .bytes = 5},
    };
    const struct retention_conf conf = {.age_ns = HOUR, .most_bytes = 4};
    assert_int_equal(retention_choose(&conf, NOW, items, 3), 2);
    assert_false(items[2].remove); /* more than all that can be counted has gone */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_age),
        cmocka_unit_test(by_size),
        cmocka_unit_test(by_both),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

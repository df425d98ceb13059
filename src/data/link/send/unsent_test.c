/* SPDX-License-Identifier: Apache-2.0
 *
 * Sealed datagrams that wait (unsent.h): they keep their order and their boundaries.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "data/link/send/unsent.h"

static uint8_t data[4096];

static void assert_front(const struct unsent *u, const uint8_t *from, size_t len, uint32_t datagram)
{
    size_t got = 0;
    uint32_t size = 0;
    const uint8_t *p = unsent_front(u, &got, &size);
    assert_int_equal(got, len);
    assert_int_equal(size, datagram);
    assert_memory_equal(p, from, len);
}

static void keeps_order_and_boundaries(void **state)
{
    (void)state;
    struct unsent *u = unsent_new(1000);
    for (unsigned i = 0; i < sizeof(data); i++) {
        data[i] = (uint8_t)(i * 7 >> 2);
    }
    assert_true(unsent_empty(u));
    size_t none = 1;
    uint32_t size = 0;
    (void)unsent_front(u, &none, &size);
    assert_int_equal(none, 0);
    assert_true(unsent_put(u, data, 200, 100));
    assert_true(unsent_put(u, data + 200, 150, 100)); /* goes on with the same */
    assert_true(unsent_put(u, data + 350, 100, 100)); /* behind a short one, not */
    assert_true(unsent_put(u, data + 450, 90, 80));
    assert_true(unsent_put(u, data, 0, 100));
    assert_int_equal(unsent_bytes(u), 540);
    assert_int_equal(unsent_datagrams(u), 4 + 1 + 2);
    assert_front(u, data, 350, 100);
    unsent_pop(u, 300);
    assert_front(u, data + 300, 50, 100);
    unsent_pop(u, 0);
    unsent_pop(u, 50);
    assert_front(u, data + 350, 100, 100);
    unsent_pop(u, 100);
    assert_front(u, data + 450, 90, 80);
    assert_false(unsent_put(u, data, 461, 80)); /* no room */
    assert_int_equal(unsent_clear(u), 2);
    assert_true(unsent_empty(u));
    assert_true(unsent_put(u, data, 1000, 80));
    unsent_pop(u, 1000);
    assert_true(unsent_empty(u));
    assert_true(unsent_put(u, data, 1000, 80)); /* all the room again */
    unsent_free(u);
}

static void runs_are_bounded(void **state)
{
    (void)state;
    struct unsent *u = unsent_new(4096);
    unsigned n = 0;
    while (unsent_put(u, data, 10, 20 + n)) {
        n++;
    }
    assert_int_equal(n, 8);
    unsent_pop(u, 10);
    assert_true(unsent_put(u, data, 10, 100));
    assert_int_equal(unsent_clear(u), 8);
    unsent_free(u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_order_and_boundaries),
        cmocka_unit_test(runs_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

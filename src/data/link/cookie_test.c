/* SPDX-License-Identifier: Apache-2.0
 *
 * A cookie holds for its address and its time, and for no other.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "data/link/cookie.h"

static const struct mono t0 = {1000 * NSEC_PER_SEC};

/* A cookie is good for its address and port alone, for two to four minutes. */
static void proves_an_address(void **state)
{
    (void)state;
    struct cookie_jar j, other;
    uint8_t a[16] = {0x20, 1}, b[16] = {0x20, 2}, c[LINK_COOKIE_LEN];
    assert_int_equal(cookie_init(&j, t0), 0);
    assert_int_equal(cookie_init(&other, t0), 0);
    cookie_make(&j, a, 1234, c);
    assert_true(cookie_holds(&j, a, 1234, c));
    assert_false(cookie_holds(&j, a, 1235, c));
    assert_false(cookie_holds(&j, b, 1234, c));
    assert_false(cookie_holds(&other, a, 1234, c));
    assert_false(cookie_holds(&j, a, 1234, NULL));
    for (unsigned i = 0; i < LINK_COOKIE_LEN * 8; i++) {
        c[i / 8] ^= (uint8_t)(1u << i % 8);
        assert_false(cookie_holds(&j, a, 1234, c));
        c[i / 8] ^= (uint8_t)(1u << i % 8);
    }
    assert_int_equal(cookie_turn(&j, mono_add_ms(t0, COOKIE_ROTATE_MS - 1)), 0);
    struct cookie_jar before = j;
    assert_int_equal(cookie_turn(&j, mono_add_ms(t0, COOKIE_ROTATE_MS)), 0);
    assert_memory_not_equal(j.secret[0], before.secret[0], 32);
    assert_true(cookie_holds(&j, a, 1234, c)); /* the secret before the last still counts */
    assert_int_equal(cookie_turn(&j, mono_add_ms(t0, 2 * COOKIE_ROTATE_MS)), 0);
    assert_false(cookie_holds(&j, a, 1234, c));
    static const struct cookie_jar zero;
    cookie_done(&j);
    assert_memory_equal(&j, &zero, sizeof(j));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(proves_an_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

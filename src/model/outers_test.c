/* SPDX-License-Identifier: Apache-2.0
 *
 * Surroundings that are held and let go, in places that others have had, up to the last place.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "model/outers.h"

static struct outer what(uint32_t n)
{
    struct outer p = {.addr = {{10, 0, 0, 1}}, .version = 4, .label = n & 1};
    memcpy(p.addr[1], &n, sizeof(n));
    return p;
}

/* All in four chains. */
static uint16_t hold(struct outers *o, uint32_t n)
{
    const struct outer p = what(n);
    return outers_hold(o, &p, n & 3);
}

static void check(const struct outers *o, uint16_t number, uint32_t n)
{
    const struct outer p = what(n);
    assert_true(number > 0);
    assert_memory_equal(outers_get(o, number), &p, sizeof(p));
}

static void what_is_the_same_is_kept_once(void **state)
{
    (void)state;
    struct outers *o;
    uint16_t number[100];
    assert_int_equal(outers_new(&o), 0);
    for (uint32_t i = 0; i < 100; i++) {
        number[i] = hold(o, i);
        check(o, number[i], i);
        assert_int_equal(hold(o, i), number[i]);
    }
    for (uint32_t i = 0; i < 100; i += 3) {
        outers_drop(o, number[i]);
        assert_int_equal(hold(o, i), number[i]); /* it was still held */
        outers_drop(o, number[i]);
        outers_drop(o, number[i]);
    }
    for (uint32_t i = 0; i < 100; i++) { /* the places of those that are gone are used again */
        const uint16_t again = hold(o, 1000 + i);
        check(o, again, 1000 + i);
        assert_true(i < 34 ? again <= 100 : again > 100);
        if (i % 3 != 0) {
            check(o, number[i], i);
            assert_int_equal(hold(o, i), number[i]);
        }
    }
    outers_free(o);
    outers_free(NULL);
}

static void without_a_place_nothing_is_kept(void **state)
{
    (void)state;
    struct outers *o;
    assert_int_equal(outers_new(&o), 0);
    for (uint32_t i = 0; i < OUTERS_MAX; i++) {
        const struct outer p = what(i);
        assert_true(outers_hold(o, &p, i * 7) > 0);
    }
    const struct outer first = what(0), more = what(OUTERS_MAX);
    assert_int_equal(outers_hold(o, &more, 1), 0);
    const uint16_t number = outers_hold(o, &first, 0);
    check(o, number, 0);
    outers_drop(o, number);
    outers_drop(o, number);
    assert_int_equal(outers_hold(o, &more, 1), number);
    assert_int_equal(outers_hold(o, &first, 0), 0);
    check(o, number, OUTERS_MAX);
    outers_free(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_the_same_is_kept_once),
        cmocka_unit_test(without_a_place_nothing_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

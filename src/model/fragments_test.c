/* SPDX-License-Identifier: Apache-2.0
 *
 * Fragments by hand, and two packets in one place.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "model/fragments.h"

static const uint16_t ports[2] = {4000, 53};

static void ports_are_remembered(void **state)
{
    (void)state;
    static struct fragments f;
    const struct fragments_key key = {.ident = 7, .proto = 17, .version = 4};
    struct fragments_key other = key;
    uint16_t port[2] = {1, 2};
    other.ident = 8;
    memset(&f, 0, sizeof(f));
    assert_false(fragments_later(&f, &key, 5, 0, port));
    fragments_first(&f, &key, 5, ports, 1000);
    assert_false(fragments_later(&f, &other, 5, 1000, port));
    assert_false(fragments_later(&f, &key, 6, 1000, port));
    assert_false(fragments_later(&f, &key, 5, 1001 + FRAGMENTS_NS, port));
    assert_true(port[0] == 1 && port[1] == 2);
    assert_true(fragments_later(&f, &key, 5, 1000 + FRAGMENTS_NS, port));
    assert_memory_equal(port, ports, sizeof(ports));
    assert_true(fragments_later(&f, &key, 5, 999, port)); /* overtaken */
}

/* A place has one packet, the last. */
static void a_place_is_taken_over(void **state)
{
    (void)state;
    static struct fragments f;
    const struct fragments_key key = {.ident = 7};
    const struct fragments_key other = {.ident = 8};
    uint16_t port[2];
    memset(&f, 0, sizeof(f));
    fragments_first(&f, &key, 5, ports, 0);
    fragments_first(&f, &other, 5 + FRAGMENTS, ports, 0);
    assert_false(fragments_later(&f, &key, 5, 0, port));
    assert_true(fragments_later(&f, &other, 5 + FRAGMENTS, 0, port));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ports_are_remembered),
        cmocka_unit_test(a_place_is_taken_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

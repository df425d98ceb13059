/* SPDX-License-Identifier: Apache-2.0
 *
 * The speeds that real drivers tell, in a namespace of the test's own: ip(8) and ethtool(8) set
 * them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sched.h>
#include <stdlib.h>

#include "sys/linkspeed.h"
#include "sys/test_net.h"

static void drivers_tell(void **state)
{
    (void)state;
    assert_true(linkspeed_read("va") == UINT64_C(10000000000));
    sh("ip tuntap add dev ta mode tap && ethtool -s ta speed 2500 duplex full");
    assert_true(linkspeed_read("ta") == UINT64_C(2500000000));
}

static void there_is_none(void **state)
{
    (void)state;
    static const char *const names[] = {"none9", "", "lo", "a-name-that-no-interface-can-have"};
    for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
        assert_true(linkspeed_read(names[i]) == 0);
    }
    sh("ip link add name wb type bridge"); /* without a port it has no speed */
    assert_true(linkspeed_read("wb") == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(drivers_tell),
        cmocka_unit_test(there_is_none),
    };
    return cmocka_run_group_tests(tests, own_namespace, NULL);
}

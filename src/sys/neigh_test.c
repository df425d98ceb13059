/* SPDX-License-Identifier: Apache-2.0
 *
 * Neighbours that the kernel is made to look for, in a namespace of the test's own in which none
 * answers: it has an entry for each that a packet would have asked for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>

#include "sys/neigh.h"
#include "sys/test_net.h"

static int look(const char *address)
{
    struct udp_addr a;
    assert_int_equal(udp_addr_parse(address, &a), 0);
    return neigh_look(&a, 7);
}

/* Whether the kernel looks for it, or has done so. */
static bool is_asked(const char *address)
{
    char command[128];
    snprintf(command, sizeof(command),
             "ip neigh show to %s dev va | grep -Eq 'INCOMPLETE|FAILED|REACHABLE|PROBE'", address);
    return system(command) == 0;
}

static int set_up(void **state)
{
    if (own_namespace(state) < 0) {
        return -1;
    }
    sh("sysctl -qw net.ipv6.conf.va.disable_ipv6=0 && ip link set va arp on");
    sh("ip addr add 10.1.2.1/24 dev va && ip -6 addr add fd00::1/64 dev va nodad");
    sh("ip route add 10.5.0.0/16 via 10.1.2.9 && ip -6 route add fd05::/16 via fd00::9");
    return 0;
}

static void those_on_the_way_are_asked(void **state)
{
    (void)state;
    static const struct {
        const char *to, *neighbour;
    } cases[] = {{"10.1.2.2", "10.1.2.2"},
                 {"10.5.6.7", "10.1.2.9"},
                 {"fd00::2", "fd00::2"},
                 {"fd05::1", "fd00::9"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_false(is_asked(cases[i].neighbour));
        assert_int_equal(look(cases[i].to), 0);
        assert_true(is_asked(cases[i].neighbour));
    }
    assert_false(is_asked("10.5.6.7"));
}

static void there_is_none_to_be_asked(void **state)
{
    (void)state;
    assert_int_equal(look("127.0.0.1"), 0);
    assert_int_equal(look("10.1.2.1"), 0); /* our own */
    assert_int_equal(look("192.0.2.1"), -ENETUNREACH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(those_on_the_way_are_asked),
        cmocka_unit_test(there_is_none_to_be_asked),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}

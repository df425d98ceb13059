/* SPDX-License-Identifier: Apache-2.0
 *
 * The socket on which the kernel tells of interfaces: only one that fails has lost something.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/socket.h>
#include <unistd.h>

#include "node/interface_edges.h"

static void asks_again_only_after_a_failure(void **state)
{
    (void)state;
    static const struct selection select;
    static struct interface_edges e;
    static const struct interfaces_ops ops = {.ask = interface_edges_ask};
    const struct interfaces_conf conf = {"tapped", &select, NULL, &ops, &e};
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair), 0);
    interface_edges_init(&e, &conf);
    e.watch = pair[0];
    interface_edges_read(&e); /* nothing has been told */
    assert_true(interfaces_settled(&e.interfaces));
    assert_false(e.interfaces.lost);
    e.watch = -1;
    interface_edges_read(&e);
    assert_false(interfaces_settled(&e.interfaces)); /* all were asked for */
    interface_edges_done(&e);
    close(pair[0]);
    close(pair[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asks_again_only_after_a_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

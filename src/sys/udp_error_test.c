/* SPDX-License-Identifier: Apache-2.0
 *
 * The peer's host's answer, read from a socket that is told other things too. Each answer by
 * itself is in sys/udp_test.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sys/test_net.h"
#include "sys/udp.h"

/* A socket to a port where nobody is. */
static int to_nobody(const char *address)
{
    struct error err = {""};
    struct udp_addr a;
    int fd = -1;
    assert_int_equal(udp_addr_parse(address, &a), 0);
    a.v4.sin_port = htons(1234); /* at the same place in both families */
    if (udp_connect(&a, &fd, &err) < 0) {
        fail_msg("%s", err.text);
    }
    return fd;
}

/* Other words that the kernel is asked for beside datagrams stand before the answer, may be as long
 * as one, and are none. */
static void an_answer_among_other_words(void **state)
{
    (void)state;
    static const struct {
        const char *to;
        int level, name;
    } asks[] = {{"::1", IPPROTO_IPV6, IPV6_RECVPKTINFO},
                {"::1", IPPROTO_IPV6, IPV6_RECVORIGDSTADDR},
                {"127.0.0.1", IPPROTO_IP, IP_PKTINFO},
                {"127.0.0.1", IPPROTO_IP, IP_RECVORIGDSTADDR}};
    for (size_t i = 0; i < sizeof(asks) / sizeof(asks[0]); i++) {
        const int fd = to_nobody(asks[i].to), on = 1;
        struct pollfd p = {fd, 0, 0};
        assert_int_equal(setsockopt(fd, asks[i].level, asks[i].name, &on, sizeof(on)), 0);
        assert_int_equal(send(fd, "some bytes", 10, 0), 10);
        assert_int_equal(poll(&p, 1, 5000), 1);
        assert_int_equal(udp_answered(fd), UDP_ANSWER_PORT);
        assert_int_equal(udp_answered(fd), UDP_ANSWER_NONE);
        close(fd);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_among_other_words),
    };
    return cmocka_run_group_tests(tests, own_namespace, NULL);
}

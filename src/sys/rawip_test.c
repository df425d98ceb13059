/* SPDX-License-Identifier: Apache-2.0
 *
 * A raw socket of the kind that outputs send on: its mark, its buffers, and that it receives
 * nothing. Packets on the wire are judged in tests/net.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/sockmark.h"
#include "sys/rawip.h"
#include "sys/test_net.h"

static int option(int fd, int name)
{
    int value = -1;
    socklen_t len = sizeof(value);
    assert_int_equal(getsockopt(fd, SOL_SOCKET, name, &value, &len), 0);
    return value;
}

static int open_to(const char *address)
{
    struct udp_addr to;
    struct error err = {""};
    int fd = -1;
    assert_int_equal(udp_addr_parse(address, &to), 0);
    if (rawip_open(&to, IPPROTO_GRE, false, &fd, &err) < 0) {
        fail_msg("%s", err.text);
    }
    return fd;
}

/* With the mark taps leave alone what outputs send; bursts need room on the way out. */
static void marked_and_with_room(void **state)
{
    (void)state;
    static const char *const address[] = {"127.0.0.1", "::1"};
    for (size_t i = 0; i < 2; i++) {
        int fd = open_to(address[i]);
        int plain = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        assert_int_equal(option(fd, SO_MARK), SOCKMARK_OUTPUT);
        assert_true(option(fd, SO_SNDBUF) > option(plain, SO_SNDBUF));
        assert_true(option(fd, SO_RCVBUF) < option(plain, SO_RCVBUF));
        assert_int_equal(rawip_is_six(fd), i == 1);
        close(plain);
        close(fd);
    }
}

/* A packet that is sent on lo comes back to it: to a socket that would read it, and not to this. */
static void receives_nothing(void **state)
{
    (void)state;
    char bytes[] = "\0\0\x88\xbe"
                   "bytes",
         got[100];
    const struct iovec part = {bytes, sizeof(bytes)};
    int other = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_GRE);
    int fd = open_to("127.0.0.1");
    struct pollfd p = {other, POLLIN, 0};
    assert_true(other >= 0);
    assert_int_equal(rawip_send(fd, &part, 1), 0);
    assert_int_equal(poll(&p, 1, 5000), 1);
    assert_int_equal(recv(other, got, sizeof(got), 0), 20 + sizeof(bytes));
    assert_memory_equal(got + 20, bytes, sizeof(bytes));
    assert_int_equal(recv(fd, got, sizeof(got), MSG_DONTWAIT), -1);
    assert_int_equal(errno, EAGAIN);
    close(other);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(marked_and_with_room),
        cmocka_unit_test(receives_nothing),
    };
    return cmocka_run_group_tests(tests, own_namespace, NULL);
}

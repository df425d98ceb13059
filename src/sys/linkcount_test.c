/* SPDX-License-Identifier: Apache-2.0
 *
 * Counters of the loopback interface, which is everywhere.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sys/linkcount.h"

static void they_count(void **state)
{
    (void)state;
    int fd = -1;
    struct linkcount before = {.rx_bytes = 0}, now;
    assert_int_equal(linkcount_open(&fd, NULL), 0);
    assert_int_equal(linkcount_read(fd, "lo", &before), 0);
    const struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(9), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    const int out = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(out >= 0);
    if (sendto(out, "count", 5, 0, (const struct sockaddr *)&to, sizeof(to)) == 5) {
        assert_int_equal(linkcount_read(fd, "lo", &now), 0);
        assert_true(now.up);
        assert_true(now.tx_packets > before.tx_packets && now.rx_packets > before.rx_packets);
        assert_true(now.tx_bytes >= before.tx_bytes + 33);
    }
    close(out);
    close(fd);
}

/* Names that no interface has, and what is no name, leave the socket as it is for the next. */
static void there_is_none(void **state)
{
    (void)state;
    static const char *const names[] = {"none9", "", "a-name-that-no-interface-can-have"};
    int fd = -1;
    struct linkcount c = {.rx_bytes = 7};
    assert_int_equal(linkcount_open(&fd, NULL), 0);
    for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
        assert_true(linkcount_read(fd, names[i], &c) < 0);
        assert_int_equal(c.rx_bytes, 7);
    }
    assert_int_equal(linkcount_read(fd, "none9", &c), -ENODEV);
    assert_int_equal(linkcount_read(fd, "lo", &c), 0);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_count),
        cmocka_unit_test(there_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * `farspan tap --list`: what it prints, and that it leaves nothing behind.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ifaddrs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "cmd/tap_line.h"

/* The list of this namespace, as standard output had it. */
static char *listed(void)
{
    static char text[1 << 16];
    char path[] = "/tmp/tap-list-test-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(unlink(path), 0);
    fflush(stdout);
    int before = dup(STDOUT_FILENO);
    assert_true(before >= 0 && dup2(fd, STDOUT_FILENO) >= 0);
    int status = tap_list(NULL);
    fflush(stdout);
    assert_true(dup2(before, STDOUT_FILENO) >= 0);
    close(before);
    assert_int_equal(status, EXIT_SUCCESS);
    ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
    close(fd);
    assert_true(n > 0);
    text[n] = '\0';
    return text;
}

/* Every namespace has a loopback. A leak checker, where there is one, looks after this. */
static void lists_what_is_there(void **state)
{
    (void)state;
    const char *text = listed();
    assert_non_null(strstr(text, "lo  "));
    assert_non_null(strstr(text, " mtu "));
    const char *last = strstr(text, "any              all of them\n");
    assert_non_null(last);
    assert_string_equal(last, "any              all of them\n");
}

/* Addresses stand behind the interface, as far as there are any. */
static void lists_addresses(void **state)
{
    (void)state;
    struct ifaddrs *all = NULL;
    bool up = false;
    assert_int_equal(getifaddrs(&all), 0);
    for (const struct ifaddrs *a = all; a; a = a->ifa_next) {
        up |= strcmp(a->ifa_name, "lo") == 0 && a->ifa_addr && a->ifa_addr->sa_family == AF_INET;
    }
    freeifaddrs(all);
    if (!up) {
        skip();
    }
    assert_non_null(strstr(listed(), " 127.0.0.1/8"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_what_is_there),
        cmocka_unit_test(lists_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

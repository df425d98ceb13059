/* SPDX-License-Identifier: Apache-2.0
 *
 * Peers of the test's own on the loopback interface, and ports where nobody is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "sys/peer.h"

enum {
    DEADLINE_MS = 10000,
};

/* A socket on a free port of an address; *at becomes where it is. */
static int bound(bool tcp, const char *address, struct udp_addr *at)
{
    assert_int_equal(udp_addr_parse(address, at), 0);
    const int fd = socket(at->sa.sa_family, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, &at->sa, at->len), 0);
    assert_int_equal(getsockname(fd, &at->sa, &at->len), 0);
    return fd;
}

static int opened(bool tcp, const struct udp_addr *at)
{
    struct error err = {""};
    int fd = -1;
    if (peer_open(tcp, at, 0, &fd, &err) < 0) {
        fail_msg("%s", err.text);
    }
    return fd;
}

static void datagrams_are_whole(void **state)
{
    (void)state;
    static const char *const addresses[] = {"127.0.0.1", "::1"};
    for (size_t i = 0; i < 2; i++) {
        struct udp_addr at;
        uint8_t got[2000], sent[1400];
        const int there = bound(false, addresses[i], &at), here = opened(false, &at);
        memset(sent, 0x5a, sizeof(sent));
        assert_int_equal(peer_send(here, sent, sizeof(sent)), 0);
        assert_int_equal(recv(there, got, sizeof(got), 0), sizeof(sent));
        assert_memory_equal(got, sent, sizeof(sent));
        assert_int_equal(peer_answer(here), 0);
        close(here);
        close(there);
    }
}

/* One without a byte is sent too, whatever went wrong before. */
static void an_empty_datagram(void **state)
{
    (void)state;
    struct udp_addr at;
    uint8_t got[8];
    const int there = bound(false, "127.0.0.1", &at), here = opened(false, &at);
    struct pollfd p = {there, POLLIN, 0};
    errno = EIO;
    assert_int_equal(peer_send(here, NULL, 0), 0);
    assert_int_equal(poll(&p, 1, DEADLINE_MS), 1);
    assert_int_equal(recv(there, got, sizeof(got), 0), 0);
    close(here);
    close(there);
}

/* The message that a datagram was refused is told once: by the next, or by asking. */
static void a_refusal_is_told(void **state)
{
    (void)state;
    struct udp_addr at;
    int there = bound(false, "127.0.0.1", &at);
    const int here = opened(false, &at);
    close(there);
    assert_int_equal(peer_send(here, "x", 1), 0);
    assert_int_equal(peer_send(here, "x", 1), -ECONNREFUSED);
    assert_int_equal(peer_send(here, "x", 1), 0);
    assert_int_equal(peer_answer(here), -ECONNREFUSED);
    assert_int_equal(peer_answer(here), 0);
    close(here);
}

static short events_of(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    assert_int_equal(poll(&p, 1, DEADLINE_MS), 1);
    return p.revents;
}

static void a_connection_comes_about(void **state)
{
    (void)state;
    struct udp_addr at;
    char got[3];
    const int there = bound(true, "127.0.0.1", &at);
    assert_int_equal(listen(there, 1), 0);
    const int here = opened(true, &at);
    assert_true(events_of(here) & POLLOUT);
    assert_int_equal(peer_answer(here), 0);
    const int accepted = accept(there, NULL, NULL);
    assert_int_equal(peer_send(here, "abc", 3), 0);
    assert_int_equal(recv(accepted, got, 3, MSG_WAITALL), 3);
    close(here);
    close(accepted);
    close(there);
}

static void a_connection_is_refused(void **state)
{
    (void)state;
    struct udp_addr at;
    const int there = bound(true, "127.0.0.1", &at); /* nobody listens on it */
    const int here = opened(true, &at);
    assert_true(events_of(here) & POLLERR);
    assert_int_equal(peer_answer(here), -ECONNREFUSED);
    close(here);
    close(there);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(datagrams_are_whole),     cmocka_unit_test(an_empty_datagram),
        cmocka_unit_test(a_refusal_is_told),       cmocka_unit_test(a_connection_comes_about),
        cmocka_unit_test(a_connection_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

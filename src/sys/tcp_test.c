/* SPDX-License-Identifier: Apache-2.0
 *
 * Connections of the test's own on the loopback interface: what is sent comes, a full buffer does
 * not make the sender wait, and an end that has gone is noticed without sending.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/tcp.h"

enum {
    DEADLINE_MS = 10000,
};

struct pair {
    int listening, here, there;
    struct udp_addr at;
};

static void until_readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&p, 1, DEADLINE_MS), 1);
}

static void begin(struct pair *p, const char *address)
{
    struct error err = {""};
    assert_int_equal(udp_addr_parse(address, &p->at), 0);
    if (tcp_listen(&p->at, 0, &p->listening, &err) < 0) {
        fail_msg("%s", err.text);
    }
    assert_int_equal(getsockname(p->listening, &p->at.sa, &p->at.len), 0);
    assert_int_equal(tcp_accept(p->listening), -EAGAIN);
    p->there = socket(p->at.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(p->there, &p->at.sa, p->at.len), 0);
    until_readable(p->listening);
    p->here = tcp_accept(p->listening);
    assert_true(p->here >= 0);
}

static void end(const struct pair *p)
{
    close(p->here);
    close(p->there);
    close(p->listening);
}

static void bytes_arrive(void **state)
{
    (void)state;
    static const char *const addresses[] = {"127.0.0.1", "::1"};
    for (unsigned i = 0; i < 2; i++) {
        struct pair p;
        char got[8] = "";
        size_t taken = 0;
        begin(&p, addresses[i]);
        assert_int_equal(tcp_send(p.here, "hello", 5, &taken), 0);
        assert_int_equal(taken, 5);
        until_readable(p.there);
        assert_int_equal(read(p.there, got, sizeof(got)), 5);
        assert_string_equal(got, "hello");
        assert_false(tcp_is_over(p.here));
        end(&p);
    }
}

static void a_full_buffer_takes_no_more(void **state)
{
    (void)state;
    enum { PIECE = 1 << 20, MOST = 1 << 10 };
    struct pair p;
    size_t taken = PIECE;
    uint8_t *bytes = calloc(1, PIECE);
    begin(&p, "127.0.0.1");
    for (unsigned i = 0; i < MOST && taken == PIECE; i++) {
        assert_int_equal(tcp_send(p.here, bytes, PIECE, &taken), 0);
    }
    assert_true(taken < PIECE);
    for (unsigned i = 0; i < MOST && taken > 0; i++) {
        assert_int_equal(tcp_send(p.here, bytes, PIECE, &taken), 0);
        assert_true(taken < PIECE);
    }
    assert_int_equal(taken, 0);
    assert_true(tcp_unsent(p.here) > 0);
    free(bytes);
    end(&p);
}

/* Nothing to send is no failure, whatever went wrong before. */
static void nothing_is_sent(void **state)
{
    (void)state;
    struct pair p;
    size_t taken = 1;
    begin(&p, "127.0.0.1");
    errno = EIO;
    assert_int_equal(tcp_send(p.here, "", 0, &taken), 0);
    assert_int_equal(taken, 0);
    assert_int_equal(tcp_unsent(p.here), 0);
    end(&p);
}

/* It closes, or it ends its half only; what it said before is nothing to us. */
static void an_end_that_goes_is_noticed(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct pair p;
        size_t taken = 0;
        begin(&p, "127.0.0.1");
        assert_int_equal(write(p.there, "who are you?", 12), 12);
        until_readable(p.here);
        assert_false(tcp_is_over(p.here));
        if (i == 0) {
            close(p.there);
            p.there = -1;
        } else {
            shutdown(p.there, SHUT_WR);
        }
        until_readable(p.here);
        assert_true(tcp_is_over(p.here));
        int r = 0;
        for (unsigned k = 0; i == 0 && k < 100 && r == 0; k++) {
            r = tcp_send(p.here, "x", 1, &taken);
            poll(NULL, 0, 1);
        }
        assert_true(i == 1 || r == -EPIPE || r == -ECONNRESET);
        end(&p);
    }
}

static void two_cannot_have_one_port(void **state)
{
    (void)state;
    struct pair p;
    struct error err = {""};
    int fd = -1;
    char says[128];
    begin(&p, "127.0.0.1");
    const uint16_t port = ntohs(udp_addr_port(&p.at));
    assert_int_equal(tcp_listen(&p.at, port, &fd, &err), -EADDRINUSE);
    snprintf(says, sizeof(says), "cannot listen at 127.0.0.1:%u: Address already in use", port);
    assert_string_equal(err.text, says);
    end(&p);
}

/* A program without its standard files: a socket gets the first of their numbers. */
static void the_lowest_descriptor(void **state)
{
    (void)state;
    struct udp_addr at;
    assert_int_equal(udp_addr_parse("127.0.0.1", &at), 0);
    pid_t child = fork();
    if (child == 0) {
        int fd = -1;
        close(0);
        _exit(tcp_listen(&at, 0, &fd, NULL) == 0 && fd == 0 ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_arrive),
        cmocka_unit_test(a_full_buffer_takes_no_more),
        cmocka_unit_test(nothing_is_sent),
        cmocka_unit_test(an_end_that_goes_is_noticed),
        cmocka_unit_test(two_cannot_have_one_port),
        cmocka_unit_test(the_lowest_descriptor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

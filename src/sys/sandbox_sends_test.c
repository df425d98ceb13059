/* SPDX-License-Identifier: Apache-2.0
 *
 * Where an engine may send to (enum sandbox_sends), tried from behind the walls.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "base/cleanup.h"
#include "sys/sandbox_testing.h"

enum { WITNESSES = 2 };

/* UDP sockets of the loopback interface: what is to be reached, and what is not; and one connected
 * to the first. */
static struct udp_world {
    int witness[WITNESSES], link;
    int stray; /* of no address */
    unsigned firm_from;
    struct sockaddr_in addr[WITNESSES];
} udp_world;

static int send_null(void)
{
    return said(send(udp_world.link, "null", 4, MSG_DONTWAIT));
}

static int send_by_write(void)
{
    return said(write(udp_world.link, "null", 4));
}

static int send_segments(void)
{
    int seg = 2;
    return setsockopt(udp_world.link, SOL_UDP, UDP_SEGMENT, &seg, sizeof(seg)) < 0 ? OTHER
                                                                                   : send_null();
}

static int try_sendto(void)
{
    return said(sendto(udp_world.link, "x", 1, 0, (struct sockaddr *)&udp_world.addr[1],
                       sizeof(udp_world.addr[1])));
}

static int try_sendto_half(void)
{
    return said(syscall(SYS_sendto, udp_world.link, "x", 1, 0, NULL, sizeof(struct sockaddr_in)));
}

static int try_sendto_other_half(void)
{
    return said(syscall(SYS_sendto, udp_world.link, "x", 1, 0, &udp_world.addr[1], 0));
}

static int try_sendmsg(void)
{
    struct iovec iov = {(char[]){"x"}, 1};
    struct msghdr m = {.msg_name = &udp_world.addr[1],
                       .msg_namelen = sizeof(udp_world.addr[1]),
                       .msg_iov = &iov,
                       .msg_iovlen = 1};
    return said(sendmsg(udp_world.link, &m, 0));
}

static int try_sendmmsg(void)
{
    struct iovec iov = {(char[]){"x"}, 1};
    struct mmsghdr m = {.msg_hdr = {.msg_name = &udp_world.addr[1],
                                    .msg_namelen = sizeof(udp_world.addr[1]),
                                    .msg_iov = &iov,
                                    .msg_iovlen = 1}};
    return said(sendmmsg(udp_world.link, &m, 1, 0));
}

static int try_reconnect(void)
{
    return said(
        connect(udp_world.link, (struct sockaddr *)&udp_world.addr[1], sizeof(udp_world.addr[1])));
}

static int run_sending(enum sandbox_sends sends, int (*what)(void))
{
    int status = 0;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        enter_with(AS_ROOT, sends);
        _exit(what());
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void udp_world_open(void)
{
    struct udp_world *w = &udp_world;
    for (int i = 0; i < WITNESSES; i++) {
        socklen_t len = sizeof(w->addr[i]);
        w->addr[i] =
            (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
        w->witness[i] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(w->witness[i], (struct sockaddr *)&w->addr[i], len), 0);
        assert_int_equal(getsockname(w->witness[i], (struct sockaddr *)&w->addr[i], &len), 0);
    }
    w->link = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(w->link, (struct sockaddr *)&w->addr[0], sizeof(w->addr[0])), 0);
}

static unsigned arrived(int i)
{
    char d[16];
    unsigned n = 0;
    while (recv(udp_world.witness[i], d, sizeof(d), MSG_DONTWAIT) > 0) {
        n++;
    }
    return n;
}

/* An engine that needs no addresses can send to whom its sockets were connected, segments too, and
 * to nobody else by any call. One that needs them reaches the stranger: the tests would see it. */
static void sending_without_addresses(void **state)
{
    (void)state;
    static int (*const may[])(void) = {send_null, send_by_write, send_segments};
    static int (*const may_not[])(void) = {try_sendto,  try_sendto_half, try_sendto_other_half,
                                           try_sendmsg, try_sendmmsg,    try_reconnect};
    udp_world_open();
    for (size_t i = 0; i < ARRAY_SIZE(may); i++) {
        int status = run_sending(SANDBOX_SENDS_CONNECTED, may[i]);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), DID_IT);
    }
    assert_int_equal(arrived(0), 4);
    for (size_t i = 0; i < ARRAY_SIZE(may_not); i++) {
        int status = run_sending(SANDBOX_SENDS_CONNECTED, may_not[i]);
        if (!stopped(status) || (!SANDBOX_LENIENT && !WIFSIGNALED(status))) {
            fail_msg("case %zu: status %#x", i, status);
        }
    }
    assert_int_equal(arrived(0) + arrived(1), 0);
    assert_int_equal(WEXITSTATUS(run_sending(SANDBOX_SENDS_ANYWHERE, try_sendto)), DID_IT);
    assert_int_equal(WEXITSTATUS(run_sending(SANDBOX_SENDS_ANYWHERE, try_sendmsg)), DID_IT);
    assert_int_equal(WEXITSTATUS(run_sending(SANDBOX_SENDS_ANYWHERE, try_sendmmsg)), DID_IT);
    assert_int_equal(arrived(1), 3);
    close(udp_world.link);
    close(udp_world.witness[0]);
    close(udp_world.witness[1]);
}

/* By another descriptor than the firm one: as it is, and in the firm one's place. */
static int send_by_stray(void)
{
    return said(sendto(udp_world.stray, "x", 1, 0, (struct sockaddr *)&udp_world.addr[1],
                       sizeof(udp_world.addr[1])));
}

static int send_by_msg_stray(void)
{
    udp_world.link = udp_world.stray;
    return try_sendmsg();
}

static int send_by_mmsg_stray(void)
{
    udp_world.link = udp_world.stray;
    return try_sendmmsg();
}

static int close_firm(void)
{
    return said(close(udp_world.link));
}

static int close_firm_oddly(void)
{
    return said(syscall(SYS_close, UINT64_C(1) << 32 | (uint64_t)udp_world.link));
}

static int replace_firm(void)
{
    return said(dup2(udp_world.stray, udp_world.link));
}

static int replace_firm_oddly(void)
{
    return said(syscall(SYS_dup3, udp_world.stray, UINT64_C(1) << 32 | (uint64_t)udp_world.link,
                        O_CLOEXEC));
}

static int make_another_firm(void)
{
    return fcntl(udp_world.stray, F_DUPFD_CLOEXEC, (int)udp_world.firm_from + 8) < 0 ? REFUSED
                                                                                     : DID_IT;
}

static int close_and_replace_others(void)
{
    int other = dup(udp_world.stray);
    return other >= 0 && dup2(udp_world.witness[0], other) == other && close(other) == 0 ? DID_IT
                                                                                         : OTHER;
}

/* A firm descriptor reaches any address, no other one does, and none takes its place. */
static void sending_by_firm_descriptors(void **state)
{
    (void)state;
    static int (*const may[])(void) = {try_sendto, try_sendmsg, try_sendmmsg,
                                       close_and_replace_others};
    static int (*const may_not[])(void) = {
        send_by_stray,    send_by_msg_stray, send_by_mmsg_stray, close_firm,
        close_firm_oddly, replace_firm,      replace_firm_oddly, make_another_firm};
    struct error err = {""};
    udp_world_open();
    udp_world.stray = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(sandbox_firm(&udp_world.link, &err), 0);
    udp_world.firm_from = sandbox_firm_from();
    assert_in_range(udp_world.link, udp_world.firm_from, 2 * udp_world.firm_from - 1);
    for (size_t i = 0; i < ARRAY_SIZE(may); i++) {
        int status = run_sending(SANDBOX_SENDS_FIRM, may[i]);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), DID_IT);
    }
    assert_int_equal(arrived(1), 3);
    for (size_t i = 0; i < ARRAY_SIZE(may_not); i++) {
        int status = run_sending(SANDBOX_SENDS_FIRM, may_not[i]);
        if (!stopped(status)) {
            fail_msg("case %zu: status %#x", i, status);
        }
    }
    assert_int_equal(arrived(0) + arrived(1), 0);
    close(udp_world.link);
    close(udp_world.stray);
    close(udp_world.witness[0]);
    close(udp_world.witness[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sending_without_addresses),
        cmocka_unit_test(sending_by_firm_descriptors),
    };
    if (geteuid() != 0) {
        printf("needs root\n");
        return 77; /* meson's "skipped" */
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests only: somebody to talk to. ga and gb are a veth pair of which gb is in the namespace of
 * a process of the test's own, so that TCP and UDP go over it: 10.8.0.1 and fd08::1 are here, and
 * 10.8.0.2 and fd08::2 there. The interfaces of node/test_taps.h are here as well.
 */
#pragma once

#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "node/test_taps.h"

enum {
    BYTES = 1 << 19, /* less than 1000 frames, so that no queue behind the destination is full */
    PORT = 7000,
};

static inline struct sockaddr_in6 address(const char *text)
{
    struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = htons(PORT)};
    assert_int_equal(inet_pton(AF_INET6, text, &a.sin6_addr), 1);
    return a;
}

static inline int tcp_listener(void)
{
    struct sockaddr_in6 any = address("::");
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&any, sizeof(any)), 0);
    assert_int_equal(listen(fd, 8), 0);
    return fd;
}

/* In the other namespace: for each connection, BYTES in and then BYTES out. */
static inline void peer(int told)
{
    static uint8_t buf[65536];
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (unshare(CLONE_NEWNET) < 0 || write(told, "", 1) != 1) {
        _exit(1);
    }
    int listener = tcp_listener();
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        for (size_t got = 0; got < BYTES;) {
            ssize_t n = recv(fd, buf, sizeof(buf), 0);
            if (n <= 0) {
                _exit(1);
            }
            got += (size_t)n;
        }
        for (size_t sent = 0; sent < BYTES;) {
            ssize_t n = send(fd, buf, sizeof(buf), 0);
            if (n <= 0) {
                _exit(1);
            }
            sent += (size_t)n;
        }
        close(fd);
    }
}

static inline void inside(pid_t pid, const char *command)
{
    char line[512];
    snprintf(line, sizeof(line), "nsenter -t %d -n sh -c '%s'", (int)pid, command);
    sh(line);
}

/* The namespace of the peer, with which `*state` is. */
static inline int make_peer(void **state)
{
    char line[64], told;
    int wait[2];
    pid_t *pid = malloc(sizeof(*pid));
    if (!pid || taps_namespace(state) < 0 || pipe(wait) < 0) {
        return -1;
    }
    *pid = fork();
    if (*pid == 0) {
        peer(wait[1]);
    }
    assert_int_equal(read(wait[0], &told, 1), 1);
    sh("ip link add ga type veth peer name gb");
    snprintf(line, sizeof(line), "ip link set gb netns %d", (int)*pid);
    sh(line);
    sh("ip link set ga up && ip addr add 10.8.0.1/24 dev ga && "
       "ip addr add fd08::1/64 dev ga nodad");
    inside(*pid, "ip link set gb up && ip addr add 10.8.0.2/24 dev gb && "
                 "ip addr add fd08::2/64 dev gb nodad");
    *state = pid;
    return 0;
}

static inline int end_peer(void **state)
{
    pid_t *pid = *state;
    kill(*pid, SIGKILL);
    waitpid(*pid, NULL, 0);
    free(pid);
    return 0;
}

static inline void transfer(const char *to)
{
    static uint8_t buf[65536];
    struct sockaddr_in6 there = address(to);
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&there, sizeof(there)), 0);
    for (size_t sent = 0; sent < BYTES; sent += sizeof(buf)) {
        assert_int_equal(send(fd, buf, sizeof(buf), 0), sizeof(buf));
    }
    for (size_t got = 0; got < BYTES;) {
        ssize_t n = recv(fd, buf, sizeof(buf), 0);
        assert_true(n > 0);
        got += (size_t)n;
    }
    close(fd);
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * Interfaces that come, change and go in a network namespace of the test's own, as the watch tells
 * them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/netlink.h>
#include <sys/wait.h>

#include "sys/ifwatch.h"
#include "sys/test_net.h"

struct heard {
    char text[8192];
    unsigned all, lost;
};

static void hear(void *user, enum ifwatch_kind kind, const struct netif *link)
{
    struct heard *h = user;
    size_t used = strlen(h->text);
    switch (kind) {
    case IFWATCH_IS:
        snprintf(h->text + used, sizeof(h->text) - used, "%s:%s:%u:%s ", link->name, link->kind,
                 link->mtu, link->flags & IFF_UP ? "up" : "down");
        break;
    case IFWATCH_GONE:
        snprintf(h->text + used, sizeof(h->text) - used, "-%s ", link->name);
        break;
    case IFWATCH_ALL:
        h->all++;
        break;
    case IFWATCH_LOST:
        h->lost++;
        break;
    }
}

/* Reads until the text is there. */
static void until(int fd, struct heard *h, const char *text)
{
    struct mono end = deadline_s(5);
    while (!strstr(h->text, text)) {
        struct pollfd p = {fd, POLLIN, 0};
        poll(&p, 1, 10);
        assert_int_equal(ifwatch_read(fd, hear, h), 0);
        if (mono_due(mono_now(), end)) {
            fail_msg("\"%s\" was not heard in \"%s\"", text, h->text);
        }
    }
    h->text[0] = '\0';
}

static void tells_what_there_is(void **state)
{
    (void)state;
    _cleanup_(closep) int fd = -1;
    struct heard h = {""};
    assert_int_equal(ifwatch_open(&fd, NULL), 0);
    assert_int_equal(ifwatch_read(fd, hear, &h), 0);
    assert_string_equal(h.text, "");
    assert_int_equal(ifwatch_ask(fd), 0);
    struct mono end = deadline_s(5);
    while (h.all == 0) {
        assert_int_equal(ifwatch_read(fd, hear, &h), 0);
        not_after(end);
    }
    assert_int_equal(h.lost, 0);
    assert_non_null(strstr(h.text, "lo::65536:up"));
    assert_non_null(strstr(h.text, "va:veth:9000:up"));
    assert_non_null(strstr(h.text, "vb:veth:9000:up"));
}

static void tells_what_happens(void **state)
{
    (void)state;
    _cleanup_(closep) int fd = -1;
    struct heard h = {""};
    assert_int_equal(ifwatch_open(&fd, NULL), 0);
    sh("ip link add vx type veth peer name vy");
    until(fd, &h, "vx:veth:1500:down");
    sh("ip link set vx mtu 1400 up");
    until(fd, &h, "vx:veth:1400:up");
    sh("ip link set vx down");
    until(fd, &h, "vx:veth:1400:down");
    sh("ip link set vx name vz");
    until(fd, &h, "vz:veth:1400:down");
    sh("ip link del vz");
    until(fd, &h, "-vz ");
    assert_int_equal(h.lost, 0);
}

/* A bridge tells of a port that leaves it in words that sound as if the interface went. */
static void bridge_ports_do_not_go(void **state)
{
    (void)state;
    _cleanup_(closep) int fd = -1;
    struct heard h = {""};
    if (system("ip link add br0 type bridge 2>/dev/null") != 0) {
        skip(); /* a kernel without bridges */
    }
    sh("ip link set va master br0");
    assert_int_equal(ifwatch_open(&fd, NULL), 0);
    sh("ip link set va nomaster && ip link add last0 type veth peer name last1");
    struct mono end = deadline_s(5);
    while (!strstr(h.text, "last0")) {
        assert_int_equal(ifwatch_read(fd, hear, &h), 0);
        not_after(end);
    }
    assert_null(strstr(h.text, "-va"));
    sh("ip link del br0 && ip link del last0");
}

/* More than the socket holds: that is told, and what there is can be asked for. */
static void says_when_it_missed_something(void **state)
{
    (void)state;
    _cleanup_(closep) int fd = -1;
    struct heard h = {""};
    int small = 4096;
    assert_int_equal(ifwatch_open(&fd, NULL), 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
    for (int i = 0; i < 40; i++) {
        sh(i % 2 ? "ip link set va down" : "ip link set va up");
    }
    struct mono end = deadline_s(5);
    while (h.lost == 0) {
        assert_int_equal(ifwatch_read(fd, hear, &h), 0);
        not_after(end);
    }
    sh("ip link set va up");
}

/* The sysctl's value. */
static int sysctl_of(const char *path)
{
    char text[32] = "";
    _cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0 && read(fd, text, sizeof(text) - 1) > 0);
    return (int)strtol(text, NULL, 10);
}

/* The socket's buffer as the kernel counts it: twice what was asked for. */
static int room_of(void)
{
    _cleanup_(closep) int fd = -1;
    int n = 0;
    socklen_t size = sizeof(n);
    return ifwatch_open(&fd, NULL) == 0 && getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &n, &size) == 0
               ? n
               : -1;
}

/* 8 MiB where the watch may have them, beyond the sysctl's limit, else as much as that allows. */
static void has_room(void **state)
{
    (void)state;
    const int room = 8 << 20, limit = sysctl_of("/proc/sys/net/core/rmem_max");
    assert_int_equal(room_of(), 2 * room);
    pid_t child = fork();
    if (child == 0) {
        bool unprivileged = setgroups(0, NULL) == 0 && setgid(65534) == 0 && setuid(65534) == 0;
        _exit(unprivileged && room_of() == 2 * MIN(room, limit) ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/* Messages that the kernel sends seldom, in one go: an empty one, a list that changed while it was
 * told, an error, and the end of a list. */
static void rare_messages(void **state)
{
    (void)state;
    static const struct nlmsghdr messages[] = {
        {.nlmsg_len = NLMSG_HDRLEN, .nlmsg_type = NLMSG_NOOP, .nlmsg_flags = NLM_F_DUMP_INTR},
        {.nlmsg_len = NLMSG_HDRLEN, .nlmsg_type = NLMSG_ERROR},
        {.nlmsg_len = NLMSG_HDRLEN, .nlmsg_type = NLMSG_DONE},
    };
    const unsigned lost[] = {1, 2, 2}, all[] = {0, 0, 1};
    int fd[2];
    struct heard h = {""};
    assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fd), 0);
    for (size_t i = 0; i < ARRAY_SIZE(messages); i++) {
        assert_int_equal(send(fd[1], "", 0, 0), 0);
        assert_int_equal(send(fd[1], &messages[i], sizeof(messages[i]), 0), sizeof(messages[i]));
        errno = EIO; /* of whatever was before */
        assert_int_equal(ifwatch_read(fd[0], hear, &h), 0);
        assert_int_equal(h.lost, lost[i]);
        assert_int_equal(h.all, all[i]);
    }
    assert_string_equal(h.text, "");
    close(fd[0]);
    close(fd[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_what_there_is),
        cmocka_unit_test(tells_what_happens),
        cmocka_unit_test(bridge_ports_do_not_go),
        cmocka_unit_test(says_when_it_missed_something),
        cmocka_unit_test(has_room),
        cmocka_unit_test(rare_messages),
    };
    return cmocka_run_group_tests(tests, own_namespace, NULL);
}

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_what_there_is),
        cmocka_unit_test(tells_what_happens),
        cmocka_unit_test(bridge_ports_do_not_go),
        cmocka_unit_test(says_when_it_missed_something),
    };
    return cmocka_run_group_tests(tests, own_namespace, NULL);
}

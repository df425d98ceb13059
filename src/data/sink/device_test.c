/* SPDX-License-Identifier: Apache-2.0
 *
 * The device sink on TAP devices in a network namespace of the test's own, so it needs root.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "data/sink/device.h"
#include "sys/tapdev.h"
#include "sys/test_net.h"

static const uint8_t bytes[60] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 0x88, 0xb5};

static struct sink *new_sink(int fd)
{
    struct sink *s = NULL;
    assert_int_equal(device_sink_new("ntap", fd, &s), 0);
    return s;
}

static void add_point(struct sink *s, uint32_t index, const char *tap, int fd)
{
    struct error err = {""};
    const struct point_offer point = {.index = index, .tap = tap, .ifname = "eth0", .device = fd};
    if (s->ops->point_add(s, &point, &err) < 0) {
        fail_msg("%s", err.text);
    }
}

/* A frame for that point: 1 if it was written, else 0, and it is counted as `drop`. */
static uint64_t written(struct sink *s, uint32_t index, enum ledger_id drop)
{
    const struct ledger *l = sink_ledger(s, index);
    struct batch b = {.n = 1};
    b.f[0] = (struct frame){.data = bytes,
                            .datalen = sizeof(bytes),
                            .caplen = sizeof(bytes),
                            .origlen = sizeof(bytes),
                            .point = index};
    uint64_t before = ledger_get(l, LEDGER_SINK_OUT), dropped = ledger_get(l, drop);
    s->ops->write(s, &b);
    uint64_t out = ledger_get(l, LEDGER_SINK_OUT) - before;
    assert_int_equal(out + ledger_get(l, drop) - dropped, 1);
    assert_int_equal(ledger_sum(l, NULL, LEDGER_SINK).in_flight, 0);
    return out;
}

static void a_device_comes_back_under_its_number(void **state)
{
    (void)state;
    int web = tun_device("web", IFF_TAP), copy = fcntl(web, F_DUPFD_CLOEXEC, 3);
    int db = tun_device("db", IFF_TAP);
    struct sink *s = new_sink(-1);
    add_point(s, 1, "web", web);
    add_point(s, 2, "web", copy);
    add_point(s, 3, "db", db);
    assert_int_equal(written(s, 1, LEDGER_SINK_CLOSED) + written(s, 3, LEDGER_SINK_CLOSED), 2);
    assert_false(device_sink_missed(s));
    sh("ip link del web");
    assert_int_equal(written(s, 1, LEDGER_SINK_CLOSED), 0);
    assert_true(device_sink_missed(s));
    assert_false(device_sink_missed(s));
    int again = tun_device("web", IFF_TAP);
    device_sink_renew(s, "db", again); /* not of this tap */
    assert_int_equal(written(s, 2, LEDGER_SINK_CLOSED), 0);
    device_sink_renew(s, "web", again);
    assert_int_equal(written(s, 1, LEDGER_SINK_CLOSED), 1);
    assert_int_equal(written(s, 2, LEDGER_SINK_CLOSED), 1);
    close(again); /* each point has one of its own */
    assert_int_equal(written(s, 1, LEDGER_SINK_CLOSED), 1);
    assert_int_equal(fcntl(web, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    s->ops->point_remove(s, 2);
    sh("ip link del web");
    again = tun_device("web", IFF_TAP);
    device_sink_renew(s, "web", again);
    assert_int_equal(tapdev_state(web), TAPDEV_UP);
    assert_int_equal(tapdev_state(copy), TAPDEV_GONE); /* it was its owner's again */
    assert_int_equal(written(s, 3, LEDGER_SINK_CLOSED), 1);
    assert_true(device_sink_missed(s));
    sh("ip link set db down");
    assert_int_equal(written(s, 3, LEDGER_SINK_ERROR), 0);
    assert_false(device_sink_missed(s));
    sink_free(s);
    const int fds[] = {web, copy, db, again};
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
        close(fds[i]);
    }
}

static void trouble_is_told(void **state)
{
    (void)state;
    struct error err = {""};
    int fd = tun_device("ntap", IFF_TAP);
    struct sink *s = new_sink(fd);
    assert_int_equal(s->ops->check(s, &err), 0);
    device_sink_trouble(s, "ntap is down", false);
    assert_int_equal(s->ops->check(s, &err), -ENETDOWN);
    assert_string_equal(err.text, "ntap is down");
    device_sink_trouble(s, "ntap was removed", true);
    assert_int_equal(s->ops->check(s, &err), -ENODEV);
    assert_string_equal(err.text, "ntap was removed");
    device_sink_trouble(s, NULL, false);
    assert_int_equal(s->ops->check(s, &err), 0);
    sink_free(s);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_device_comes_back_under_its_number),
        cmocka_unit_test(trouble_is_told),
    };
    return cmocka_run_group_tests(tests, own_namespace, NULL);
}

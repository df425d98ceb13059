/* SPDX-License-Identifier: Apache-2.0
 *
 * A deaf interface in a network namespace of the test's own: those who capture see its frames, and
 * the host takes none.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/mount.h>

#include "sys/deaf.h"
#include "sys/test_net.h"

enum { PORT = 9999 };

/* Ethernet to everybody, IPv4 from 10.9.0.2 to everybody, UDP to PORT. */
static const uint8_t datagram[60] = {
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2,  0,  0,    0,    0,   2,   8,   0,  0x45, 0,
    0,    32,   0,    1,    0,    0,    64, 17, 0x70, 0xc2, 10,  9,   0,   2,  0xff, 0xff,
    0xff, 0xff, 0x03, 0xe8, 0x27, 0x0f, 0,  12, 0,    0,    'h', 'e', 'a', 'r'};

static int make_device(void **state)
{
    int *fd = malloc(sizeof(*fd));
    assert_non_null(fd);
    *fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
    struct ifreq ifr = {.ifr_name = "ntap0", .ifr_flags = IFF_TAP | IFF_NO_PI};
    assert_int_equal(ioctl(*fd, TUNSETIFF, &ifr), 0);
    *state = fd;
    return 0;
}

static int drop_device(void **state)
{
    close(*(int *)*state);
    free(*state);
    return 0;
}

static int listener(void)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(PORT)};
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    return fd;
}

static int capture(void)
{
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(ETH_P_ALL));
    struct sockaddr_ll to = {.sll_family = AF_PACKET,
                             .sll_protocol = htons(ETH_P_ALL),
                             .sll_ifindex = index_of("ntap0")};
    assert_int_equal(bind(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    return fd;
}

/* Is the datagram heard by a program of the host's, and seen by one that captures? */
static bool heard(int tap, bool *ret_seen)
{
    uint8_t buf[128];
    int udp = listener(), cap = capture();
    assert_int_equal(write(tap, datagram, sizeof(datagram)), sizeof(datagram));
    bool got = recv(udp, buf, sizeof(buf), 0) > 0; /* the write has delivered it, or nobody will */
    *ret_seen = recv(cap, buf, sizeof(buf), 0) == sizeof(datagram);
    close(udp);
    close(cap);
    return got;
}

static void setting_is(const char *path, const char *value)
{
    char got[16] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_true(read(fd, got, sizeof(got) - 1) > 0);
    assert_int_equal(strncmp(got, value, strlen(value)), 0);
    close(fd);
}

static void frames_are_seen_and_not_heard(void **state)
{
    int tap = *(int *)*state;
    bool seen = false;
    struct error err = {""};
    quiet_and_up("ntap0");
    sh("cd /proc/sys/net/ipv4/conf && echo 0 > all/rp_filter && echo 0 > ntap0/rp_filter");
    assert_true(heard(tap, &seen)); /* the test can hear */
    assert_true(seen);
    assert_int_equal(deaf_make(index_of("ntap0"), "ntap0", &err), 0);
    assert_string_equal(err.text, "");
    sh("echo 0 > /proc/sys/net/ipv4/conf/ntap0/rp_filter"); /* the filter alone */
    assert_false(heard(tap, &seen));
    assert_true(seen);
    sh("tc filter del dev ntap0 ingress && echo 1 > /proc/sys/net/ipv4/conf/ntap0/rp_filter");
    assert_false(heard(tap, &seen)); /* the settings alone */
    assert_true(seen);
}

static void settings(void **state)
{
    (void)state;
    sh("cd /proc/sys/net && echo 1 > ipv4/conf/ntap0/forwarding && "
       "echo 2 > ipv6/conf/ntap0/accept_ra");
    assert_int_equal(deaf_make(index_of("ntap0"), "ntap0", NULL), 0);
    setting_is("/proc/sys/net/ipv4/conf/ntap0/rp_filter", "1");
    setting_is("/proc/sys/net/ipv4/conf/ntap0/forwarding", "0");
    setting_is("/proc/sys/net/ipv6/conf/ntap0/disable_ipv6", "1");
    setting_is("/proc/sys/net/ipv6/conf/ntap0/accept_ra", "0");
    /* Twice is as good, also where filters hang on a queue of the user's own making. */
    assert_int_equal(deaf_make(index_of("ntap0"), "ntap0", NULL), 0);
    sh("test $(tc filter show dev ntap0 ingress | grep -c 'pref 65535 bpf.*handle') = 1");
    sh("tc qdisc del dev ntap0 clsact && tc qdisc add dev ntap0 ingress");
    assert_int_equal(deaf_make(index_of("ntap0"), "ntap0", NULL), 0);
    sh("test $(tc filter show dev ntap0 ingress | grep -c 'pref 65535 bpf.*handle') = 1");
}

static void a_users_own_filter_comes_first(void **state)
{
    int tap = *(int *)*state;
    uint8_t buf[128];
    assert_int_equal(deaf_make(index_of("ntap0"), "ntap0", NULL), 0);
    quiet_and_up("ntap0");
    sh("tc filter add dev ntap0 ingress protocol all u32 match u32 0 0 "
       "action mirred egress redirect dev va");
    int cap = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));
    struct sockaddr_ll to = {
        .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = index_of("vb")};
    assert_int_equal(bind(cap, (struct sockaddr *)&to, sizeof(to)), 0);
    assert_int_equal(write(tap, datagram, sizeof(datagram)), sizeof(datagram));
    assert_int_equal(poll(&(struct pollfd){cap, POLLIN, 0}, 1, 5000), 1);
    assert_int_equal(recv(cap, buf, sizeof(buf), 0), sizeof(datagram));
    close(cap);
}

/* In a mount namespace whose /proc/sys cannot be written, as most containers have. */
static void a_read_only_proc(void **state)
{
    (void)state;
    struct error err = {""};
    assert_int_equal(unshare(CLONE_NEWNS), 0);
    assert_int_equal(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
    assert_int_equal(mount("/proc/sys", "/proc/sys", NULL, MS_BIND, NULL), 0);
    assert_int_equal(mount(NULL, "/proc/sys", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL), 0);
    assert_int_equal(deaf_make(index_of("ntap0"), "ntap0", &err), 0);
    assert_int_equal(deaf_make(1 << 30, "ntap0", &err), -ENODEV); /* as where there is no filter */
    assert_non_null(strstr(err.text, "also reaches this host's own network stack"));
    assert_non_null(strstr(err.text, "Read-only file system"));
    assert_int_equal(umount2("/proc/sys", MNT_DETACH), 0);
    assert_int_equal(deaf_make(1 << 30, "ntap0", &err), -ENODEV);
    assert_non_null(strstr(err.text, "DHCP and other IPv4 packets without a source address"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(frames_are_seen_and_not_heard, make_device, drop_device),
        cmocka_unit_test_setup_teardown(settings, make_device, drop_device),
        cmocka_unit_test_setup_teardown(a_users_own_filter_comes_first, make_device, drop_device),
        cmocka_unit_test_setup_teardown(a_read_only_proc, make_device, drop_device),
    };
    return cmocka_run_group_tests(tests, own_namespace, NULL);
}

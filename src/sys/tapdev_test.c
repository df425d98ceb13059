/* SPDX-License-Identifier: Apache-2.0
 *
 * TAP devices in a network namespace of the test's own: made, taken, kept and written to.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cap-ng.h>
#include <cmocka.h>
#include <net/if_arp.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "sys/tapdev.h"
#include "sys/test_net.h"

static int open_tap(const char *name)
{
    struct error err = {""}, heard = {""};
    struct tapdev d = {.fd = -1};
    if (tapdev_open(name, false, &d, &err) < 0 || tapdev_set_up(&d, &heard, &err) < 0) {
        fail_msg("%s", err.text);
    }
    assert_string_equal(heard.text, "");
    assert_string_equal(d.name, name);
    assert_int_equal(d.ifindex, index_of(name));
    return d.fd;
}

/* Captures by plain recvmsg(2), independently of sys/ring. */
static int capture_on(const char *name)
{
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL)), on = 1, size = 8 << 20;
    struct sockaddr_ll to = {
        .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = index_of(name)};
    assert_int_equal(bind(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    assert_int_equal(setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &on, sizeof(on)), 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)), 0);
    return fd;
}

/* The next frame with its tag put back, or 0. */
static uint32_t captured(int fd, uint8_t *to, size_t size, bool *ret_outgoing)
{
    union {
        char buf[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
        struct cmsghdr align;
    } control;
    struct sockaddr_ll from;
    struct iovec iov = {to, size};
    struct msghdr m = {.msg_name = &from,
                       .msg_namelen = sizeof(from),
                       .msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = &control,
                       .msg_controllen = sizeof(control)};
    ssize_t n = recvmsg(fd, &m, MSG_DONTWAIT);
    if (n < 0) {
        return 0;
    }
    struct tpacket_auxdata aux = {0};
    if (CMSG_FIRSTHDR(&m)) {
        memcpy(&aux, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(aux));
    }
    *ret_outgoing = from.sll_pkttype == PACKET_OUTGOING;
    if (aux.tp_status & TP_STATUS_VLAN_VALID) {
        memmove(to + 16, to + 12, (size_t)n - 12);
        const uint16_t tag[2] = {htons(aux.tp_vlan_tpid), htons(aux.tp_vlan_tci)};
        memcpy(to + 12, tag, 4);
        n += 4;
    }
    return (uint32_t)n;
}

static struct frame whole(const uint8_t *data, uint32_t len)
{
    return (struct frame){.data = data, .datalen = len, .caplen = len, .origlen = len};
}

/* The same bytes in pieces: `n` of them from `off` on are in `ins`. */
static struct frame split(const uint8_t *bytes, uint32_t len, uint16_t off, uint8_t n,
                          uint8_t *room)
{
    struct frame f = {
        .data = room, .datalen = len - n, .caplen = len, .ins_off = off, .ins_len = n};
    memcpy(room, bytes, off);
    memcpy(room + off, bytes + off + n, len - off - n);
    memcpy(f.ins, bytes + off, n);
    return f;
}

static void frames_come_out_as_written(void **state)
{
    (void)state;
    static uint8_t buf[70000], room[70000], got[70000];
    int tap = open_tap("ntap0"), cap = capture_on("ntap0");
    const uint32_t lens[] = {60, 64, 65, 128, 1514, 1518, 9014, 32000, 65000, 65535};
    bool outgoing;
    for (uint32_t i = 0; i < 4 * ARRAY_SIZE(lens); i++) {
        uint32_t len = lens[i / 4];
        mixed_frame(buf, i);
        for (uint32_t k = 26; k < len; k++) {
            buf[k] = (uint8_t)(k * 31 + i);
        }
        for (int form = 0; form < 4; form++) {
            struct frame f = form == 0   ? whole(buf, len)
                             : form == 1 ? split(buf, len, 12, 4, room)
                             : form == 2 ? split(buf, len, 0, 14, room)
                                         : split(buf, len, (uint16_t)(len - 4), 4, room);
            assert_int_equal(tapdev_write(tap, &f), 0);
            assert_int_equal(captured(cap, got, sizeof(got), &outgoing), len);
            assert_memory_equal(got, buf, len);
            assert_false(outgoing);
        }
    }
    struct frame f = split(buf, 1000, 12, 4, room); /* cut before, in and after the insertion */
    for (f.caplen = 14; f.caplen < 40; f.caplen++) {
        if (buf[12] == 0x88 && buf[13] == 0xb5) {
            assert_int_equal(tapdev_write(tap, &f), 0);
            assert_int_equal(captured(cap, got, sizeof(got), &outgoing), f.caplen);
            assert_memory_equal(got, buf, f.caplen);
        }
    }
    close(cap);
    close(tap);
}

static void bad_frames_are_told(void **state)
{
    (void)state;
    static uint8_t big[1 << 20];
    int tap = open_tap("ntap0");
    struct frame f = whole(big, 0);
    assert_int_equal(tapdev_write(tap, &f), -EINVAL);
    f = whole(big, 13);
    assert_int_equal(tapdev_write(tap, &f), -EINVAL);
    f = whole(big, TAPDEV_FRAME_MAX);
    assert_int_equal(tapdev_write(tap, &f), 0);
    f = whole(big, TAPDEV_FRAME_MAX + 1);
    assert_int_equal(tapdev_write(tap, &f), -EMSGSIZE);
    f = whole(big, 60);
    sh("ip link set ntap0 down");
    assert_int_equal(tapdev_write(tap, &f), -EIO);
    sh("ip link set ntap0 up");
    assert_int_equal(tapdev_write(tap, &f), 0);
    sh("ip link del ntap0");
    assert_int_equal(tapdev_write(tap, &f), -EBADFD);
    close(tap);
}

static void settings(void **state)
{
    (void)state;
    int tap = open_tap("ntap0");
    struct netif l;
    assert_int_equal(netif_find("ntap0", &l, NULL), 0);
    assert_int_equal(l.mtu, 65521);
    assert_string_equal(l.alias, "farspan collector");
    assert_int_equal(l.flags & (IFF_UP | IFF_NOARP | IFF_MULTICAST), IFF_UP | IFF_NOARP);
    assert_int_equal(l.n_addrs, 0); /* no link-local one either */
    sh("ip -d link show ntap0 | grep -q 'qlen 1000.*' && ip -d link show ntap0 | grep -q "
       "'addrgenmode none'");
    assert_int_equal(fcntl(tap, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    assert_int_equal(fcntl(tap, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    close(tap);
    assert_int_equal(if_nametoindex("ntap0"), 0); /* it went with its descriptor */
}

/* The host answers no ARP and no MLD question on the device, and sends nothing of its own there. */
static void the_host_stays_silent(void **state)
{
    (void)state;
    static uint8_t got[2048];
    int cap_all = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));
    int tap = open_tap("ntap0"), cap = capture_on("ntap0");
    static const uint8_t arp[60] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0,   9, 8, 6,
                                    0,    1,    8,    0,    6,    4,    0, 1, 2, 0, 0,   0, 0, 9,
                                    10,   9,    9,    9,    0,    0,    0, 0, 0, 0, 127, 0, 0, 1};
    static const uint8_t mld[86] = {0x33, 0x33, 0,        0,    0, 1,        2,    0, 0,  0, 0,
                                    9,    0x86, 0xdd,     0x60, 0, 0,        0,    0, 32, 0, 1,
                                    0xfe, 0x80, [37] = 9, 0xff, 2, [53] = 1, 0x3a, 0, 5,  2, 0,
                                    0,    1,    0,        130,  0, 0x7f,     0xff};
    struct frame f[2] = {whole(arp, 60), whole(mld, 86)};
    bool outgoing;
    for (int i = 0; i < 10; i++) {
        assert_int_equal(tapdev_write(tap, &f[i % 2]), 0);
        assert_true(captured(cap, got, sizeof(got), &outgoing) > 0);
        assert_false(outgoing);
    }
    /* A second for what the kernel sends on its own when a device comes up; the descriptor would
     * become readable by it. */
    assert_int_equal(poll(&(struct pollfd){tap, POLLIN, 0}, 1, 1200), 0);
    assert_int_equal(captured(cap, got, sizeof(got), &outgoing), 0);
    while (captured(cap_all, got, sizeof(got), &outgoing)) {
        assert_false(outgoing);
    }
    close(cap);
    close(cap_all);
    close(tap);
}

static void is_refused(const char *name, const char *why)
{
    struct error err = {""};
    struct tapdev d = {.fd = -1};
    assert_int_equal(tapdev_open(name, false, &d, &err), -EEXIST);
    if (!strstr(err.text, why) || strstr(err.text, "ip link del")) {
        fail_msg("%s: %s", name, err.text);
    }
    assert_int_equal(d.fd, -1);
}

static void taken_names_are_refused(void **state)
{
    (void)state;
    struct error err = {""};
    struct tapdev d = {.fd = -1};
    int tap = open_tap("ntap0");
    is_refused("ntap0", "ntap0 is in use by another program");
    close(tap);
    is_refused("va", "va is an interface of this host, and no TAP device");
    is_refused("lo", "lo is an interface of this host, and no TAP device");
    sh("ip tuntap add dev ntun0 mode tun");
    is_refused("ntun0", "ntun0 is a TUN device");
    sh("ip link del ntun0 && ip tuntap add dev ntap0 mode tap multi_queue");
    is_refused("ntap0", "ntap0 is a TAP device with several queues");
    sh("ip link del ntap0");
    assert_int_equal(tapdev_open("a/b", false, &d, &err), -EINVAL);
    assert_string_equal(err.text, "\"a/b\" is no name for an interface: at most 15 characters, no "
                                  "blank, '/', ':' or '%'");
    assert_int_equal(d.fd, -1);
}

/* Somebody's own, with a name that he gave it. */
static void a_persistent_device_is_taken(void **state)
{
    (void)state;
    struct error err = {""}, heard = {""};
    struct tapdev d = {.fd = -1};
    struct netif l;
    sh("ip tuntap add dev ntap0 mode tap && ip link set ntap0 alias 'to the IDS' up && "
       "ip addr add 10.1.1.1/24 dev ntap0");
    int index = index_of("ntap0");
    assert_int_equal(tapdev_open("ntap0", false, &d, &err), 0);
    assert_true(d.taken);
    assert_int_equal(tapdev_set_up(&d, &heard, &err), 0);
    assert_string_equal(heard.text, "");
    sh("tc filter show dev ntap0 ingress | grep -q 'pref 65535 bpf' && "
       "grep -q 1 /proc/sys/net/ipv6/conf/ntap0/disable_ipv6");
    is_refused("ntap0", "ntap0 is in use by another program");
    close(d.fd);
    assert_int_equal(netif_find("ntap0", &l, NULL), 0); /* it stays, as it was */
    assert_int_equal(l.index, index);
    assert_string_equal(l.alias, "to the IDS");
    sh("ip link del ntap0");
}

static void a_device_is_kept(void **state)
{
    (void)state;
    struct error heard = {""}, err = {""};
    struct tapdev d = {.fd = -1};
    assert_int_equal(tapdev_open("ntap0", true, &d, NULL), 0);
    assert_false(d.taken);
    errno = EIO; /* of whatever was before */
    assert_int_equal(tapdev_set_up(&d, &heard, &err), 0);
    assert_string_equal(err.text, "");
    int index = index_of("ntap0");
    close(d.fd);
    assert_int_equal(index_of("ntap0"), index);
    assert_int_equal(tapdev_open("ntap0", false, &d, NULL), 0);
    assert_true(d.taken);
    assert_int_equal(tapdev_set_up(&d, &heard, NULL), 0);
    close(d.fd);
    assert_int_equal(index_of("ntap0"), index);
    sh("ip link del ntap0");
}

static void states(void **state)
{
    (void)state;
    int tap = open_tap("ntap0");
    assert_int_equal(tapdev_state(tap), TAPDEV_UP);
    sh("ip link set ntap0 down");
    assert_int_equal(tapdev_state(tap), TAPDEV_DOWN);
    sh("ip link set ntap0 up");
    assert_int_equal(tapdev_state(tap), TAPDEV_UP);
    sh("ip link del ntap0");
    assert_int_equal(tapdev_state(tap), TAPDEV_GONE);
    close(tap);
}

static void keep_cap(int cap)
{
    capng_get_caps_process();
    capng_clear(CAPNG_SELECT_CAPS);
    if (cap >= 0) {
        capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, (unsigned)cap);
    }
    assert_int_equal(capng_apply(CAPNG_SELECT_CAPS), 0);
}

/* Tries to open a device as a user who has that capability (-1: none); -errno and the sentence go
 * to `to`. */
static _Noreturn void try_as_user(int cap, int to)
{
    struct error err = {""};
    struct tapdev d = {.fd = -1};
    struct stat was;
    assert_int_equal(stat("/dev/net/tun", &was), 0);
    assert_int_equal(unshare(CLONE_NEWNS), 0);
    assert_int_equal(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
    assert_int_equal(mount("none", "/dev/net", "tmpfs", 0, NULL), 0);
    assert_int_equal(mknod("/dev/net/tun", S_IFCHR | 0600, was.st_rdev), 0);
    assert_int_equal(prctl(PR_SET_KEEPCAPS, 1), 0);
    assert_int_equal(setresuid(65534, 65534, 65534), 0);
    keep_cap(cap);
    dprintf(to, "%d %s", tapdev_open("ntap0", false, &d, &err), err.text);
    _exit(0);
}

static void the_user_is_told(int cap, int code, const char *why)
{
    char got[512] = "", want[16];
    int p[2];
    assert_int_equal(pipe(p), 0);
    pid_t pid = fork();
    if (pid == 0) {
        try_as_user(cap, p[1]);
    }
    close(p[1]);
    assert_true(read(p[0], got, sizeof(got) - 1) > 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    close(p[0]);
    snprintf(want, sizeof(want), "%d ", code);
    if (strncmp(got, want, strlen(want)) != 0 || !strstr(got, why)) {
        fail_msg("%s", got);
    }
}

static void closed_doors(void **state)
{
    (void)state;
    the_user_is_told(CAP_NET_ADMIN, -EACCES, "although the capability CAP_NET_ADMIN is there");
    the_user_is_told(-1, -EPERM, "needs root, or the capability CAP_NET_ADMIN");
}

static void names(void **state)
{
    (void)state;
    const char *bad[] = {
        "",    ".",   "..",     "a/b", "a b", "a\tb", "a:b", "tap%d", "1234567890123456",
        "any", "all", "default"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        assert_false(tapdev_name_valid(bad[i]));
    }
    assert_true(tapdev_name_valid("123456789012345"));
    assert_true(tapdev_name_valid("n.tap-0_"));
}

static void expand(const char *pattern, const char *tap, char ret[IFNAMSIZ])
{
    struct error err = {""};
    if (tapdev_name_expand(pattern, tap, ret, NULL, &err) < 0) {
        fail_msg("%s", err.text);
    }
    assert_true(tapdev_name_valid(ret));
}

static void names_from_a_pattern(void **state)
{
    (void)state;
    char a[IFNAMSIZ], b[IFNAMSIZ];
    expand("ntap-%t", "web1", a);
    assert_string_equal(a, "ntap-web1");
    expand("ntap0", "web1", a);
    assert_string_equal(a, "ntap0");
    expand("%t", "a.b-c_D9", a);
    assert_string_equal(a, "a.b-c_D9");
    expand("%t.tap", "db", a);
    assert_string_equal(a, "db.tap");
    expand("ntap-%t", "0123456789", a); /* fits exactly */
    assert_string_equal(a, "ntap-0123456789");
    const char *close_ones[][2] = {{"frankfurt-web-1", "frankfurt-web-2"},
                                   {"a b", "a_b"},
                                   {"a/b", "a b"},
                                   {"\xc3\xa4", "\xc3\xb6"},
                                   {"", "_"}};
    for (size_t i = 0; i < ARRAY_SIZE(close_ones); i++) {
        expand("ntap-%t", close_ones[i][0], a);
        expand("ntap-%t", close_ones[i][1], b);
        assert_string_not_equal(a, b);
        expand("ntap-%t", close_ones[i][0], b);
        assert_string_equal(a, b); /* and always the same */
    }
    struct error err = {""};
    assert_int_equal(tapdev_name_expand("%t-%t", "x", a, NULL, &err), -EINVAL);
    assert_int_equal(tapdev_name_expand("tap%d", "x", a, NULL, &err), -EINVAL);
    assert_int_equal(tapdev_name_expand("0123456789-%t", "far too long", a, NULL, &err), -EINVAL);
    assert_int_equal(tapdev_name_expand("01234567890123456", "x", a, NULL, &err), -EINVAL);
    assert_int_equal(tapdev_name_expand("%t", "..", a, NULL, &err), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_come_out_as_written),
        cmocka_unit_test(bad_frames_are_told),
        cmocka_unit_test(settings),
        cmocka_unit_test(the_host_stays_silent),
        cmocka_unit_test(taken_names_are_refused),
        cmocka_unit_test(a_persistent_device_is_taken),
        cmocka_unit_test(a_device_is_kept),
        cmocka_unit_test(states),
        cmocka_unit_test(names),
        cmocka_unit_test(names_from_a_pattern),
        cmocka_unit_test(closed_doors),
    };
    return cmocka_run_group_tests(tests, own_namespace, NULL);
}

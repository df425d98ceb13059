/* SPDX-License-Identifier: Apache-2.0
 *
 * Copies that are frames as on a cable, and what becomes of the destination's features: TCP goes
 * over ga (node/test_peer.h), and is copied to da, behind which it is looked at on db.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/stat.h>

#include "base/batch.h"
#include "node/mirror.h"
#include "node/mirror_note.h"
#include "node/test_peer.h"
#include "sys/ethtool.h"

enum { FRAME_OF_CABLE = 1514 };

struct place {
    char path[40];
    int fd;
};

/* ---- the features ---- */

static struct ethtool_features features(const char *ifname)
{
    struct ethtool_features f;
    struct error err = {""};
    if (ethtool_get(ifname, &f, &err) < 0) {
        fail_msg("%s", err.text);
    }
    return f;
}

/* Features that cut are off, and all others as they were. */
static bool is_wire(const char *ifname, const struct ethtool_features *before)
{
    const struct ethtool_features now = features(ifname);
    for (unsigned i = 0; i < now.n; i++) {
        if (now.at[i].active != (before->at[i].active && !ethtool_cuts(now.at[i].name))) {
            return false;
        }
    }
    return true;
}

static bool is_as(const char *ifname, const struct ethtool_features *before)
{
    const struct ethtool_features now = features(ifname);
    return memcmp(&now, before, sizeof(now)) == 0;
}

/* ---- the note ---- */

static struct place make_place(void)
{
    struct place p;
    (void)snprintf(p.path, sizeof(p.path), "/tmp/farspan-wire-XXXXXX");
    assert_non_null(mkdtemp(p.path));
    p.fd = open(p.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(p.fd >= 0);
    return p;
}

static bool is_noted(const struct place *p)
{
    struct stat st;
    return fstatat(p->fd, MIRROR_NOTE, &st, 0) == 0;
}

/* Nothing is left in it. */
static void end_place(struct place *p)
{
    close(p->fd);
    assert_int_equal(rmdir(p->path), 0);
}

static void write_note(const struct place *p, const char *text)
{
    int fd = openat(p->fd, MIRROR_NOTE, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

/* ---- flows ---- */

static struct mirror *make(int notes)
{
    struct mirror *m = NULL;
    assert_int_equal(mirror_new(notes, &m), 0);
    return m;
}

static void put(struct mirror *m, uint8_t id, const char *to, bool super)
{
    struct mirror_flow f = {.id = {id}, .service = {id}, .source = "ga", .super = super};
    struct error err = {""};
    (void)snprintf(f.destination, sizeof(f.destination), "%s", to);
    if (mirror_put(m, &f, &err) < 0) {
        fail_msg("%s", err.text);
    }
}

static void drop(struct mirror *m, uint8_t id)
{
    const uint8_t whole[WANTED_ID] = {id};
    mirror_drop(m, whole);
}

static void apply(struct mirror *m)
{
    while (mirror_apply(m, mono_now())) {
    }
}

static struct mirror_is state_of(const struct mirror *m, uint8_t id)
{
    const uint8_t whole[WANTED_ID] = {id};
    struct mirror_is is;
    assert_int_equal(mirror_read(m, whole, &is), 0);
    return is;
}

static void flows(struct mirror *m, uint8_t id)
{
    apply(m);
    const struct mirror_is is = state_of(m, id);
    if (is.state != TAP_IS_FLOWING) {
        fail_msg("it does not flow: %s", is.words);
    }
}

/* ---- frames ---- */

static uint32_t add(uint32_t sum, const uint8_t *p, size_t n)
{
    for (size_t i = 0; i + 1 < n; i += 2) {
        sum += ld_u16(p + i);
    }
    sum += n % 2 ? (uint32_t)p[n - 1] << 8 : 0;
    return sum;
}

/* RFC 9293, section 3.1: over a pseudo-header and all of the segment. */
static bool has_good_checksum(const struct seen *s)
{
    const uint8_t *ip = s->data + 14;
    const bool v6 = ld_u16(s->data + 12) == 0x86dd;
    const size_t head = v6 ? 40 : (size_t)(ip[0] & 15) * 4,
                 len = v6 ? ld_u16(ip + 4) : ld_u16(ip + 2) - head;
    uint32_t sum = add(IPPROTO_TCP + (uint32_t)len, v6 ? ip + 8 : ip + 12, v6 ? 32 : 8);
    sum = add(sum, ip + head, len);
    sum = (sum & 0xffff) + (sum >> 16);
    return (sum & 0xffff) + (sum >> 16) == 0xffff;
}

static bool is_tcp(const struct seen *s)
{
    const uint16_t type = ld_u16(s->data + 12);
    return (type == 0x0800 && s->data[23] == IPPROTO_TCP) ||
           (type == 0x86dd && s->data[20] == IPPROTO_TCP);
}

struct tally {
    unsigned tcp, large, bad;
};

/* The copies of a transfer each way, over IPv4 and IPv6, on the other side of the destination. */
static struct tally copies_on(const char *name)
{
    static struct seen s;
    struct tally t = {0};
    int fd = watch(name, false, NULL, 0);
    transfer("::ffff:10.8.0.2");
    transfer("fd08::2");
    while (see(fd, &s, 200)) { /* the last ones may still be under way */
        const bool tcp = is_tcp(&s);
        t.tcp += tcp;
        t.large += s.len > FRAME_OF_CABLE;
        t.bad += tcp && !has_good_checksum(&s);
    }
    close(fd);
    print_message("%u copies of TCP: %u above 1514 bytes, %u checksums that are not finished\n",
                  t.tcp, t.large, t.bad);
    return t;
}

static void copies_are_as_on_a_cable(void **state)
{
    (void)state;
    const struct ethtool_features before = features("da");
    struct mirror *m = make(-1);
    put(m, 1, "da", false);
    flows(m, 1);
    assert_true(is_wire("da", &before));
    const struct tally t = copies_on("db");
    assert_true(t.tcp > 4 * BYTES / 1500);
    assert_int_equal(t.large, 0);
    assert_int_equal(t.bad, 0);
    assert_int_equal(state_of(m, 1).counts.failed_other, 0);
    mirror_free(m);
    assert_true(is_as("da", &before));
}

static void super_packets_stay_whole(void **state)
{
    (void)state;
    const struct ethtool_features before = features("da");
    struct mirror *m = make(-1);
    put(m, 1, "da", true);
    flows(m, 1);
    assert_true(is_as("da", &before));
    const struct tally t = copies_on("db");
    assert_true(t.large > 10);
    assert_true(t.bad > 10); /* super-packets' checksums are left to the interface too */
    mirror_free(m);
    assert_true(is_as("da", &before));
}

/* Those of two services at one destination. */
static void one_that_wants_wire_wins(void **state)
{
    (void)state;
    const struct ethtool_features before = features("da");
    struct place p = make_place();
    struct mirror *m = make(p.fd);
    put(m, 1, "da", true);
    flows(m, 1);
    assert_false(is_noted(&p));
    put(m, 2, "da", false);
    flows(m, 2);
    assert_true(is_wire("da", &before));
    assert_true(is_noted(&p));
    put(m, 2, "da", true);
    flows(m, 2);
    assert_true(is_as("da", &before));
    assert_false(is_noted(&p));
    put(m, 2, "da", false);
    flows(m, 2);
    assert_true(is_wire("da", &before));
    drop(m, 2);
    flows(m, 1);
    assert_true(is_as("da", &before));
    assert_false(is_noted(&p));
    mirror_free(m);
    end_place(&p);
}

/* A user of ethtool, or the program behind a TAP device, which says what it takes. */
static void what_others_switch_on_goes_off_again(void **state)
{
    (void)state;
    int tap = tun_device("tap0", IFF_TAP);
    struct place p = make_place();
    assert_int_equal(ioctl(tap, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4), 0);
    const struct ethtool_features before = features("tap0");
    sh("ethtool -K da tso off >/dev/null");
    const struct ethtool_features da = features("da");
    struct mirror *m = make(p.fd);
    put(m, 1, "tap0", false);
    put(m, 2, "da", false);
    flows(m, 1);
    flows(m, 2);
    assert_true(is_wire("tap0", &before));
    assert_true(is_wire("da", &da));
    assert_int_equal(ioctl(tap, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4), 0);
    sh("ethtool -K da tx on tso on >/dev/null");
    assert_false(is_wire("tap0", &before));
    flows(m, 1);
    flows(m, 2);
    assert_true(is_wire("tap0", &before));
    assert_true(is_wire("da", &da));
    mirror_free(m);
    assert_true(is_as("tap0", &before));
    assert_false(is_as("da", &da)); /* tso is on, as it was set last */
    close(tap);
    end_place(&p);
}

/* ---- killed ---- */

/* A process that has wire there, killed; all is as it left it. */
static void kill_one_that_has(const struct place *p, const char *to)
{
    char told;
    int wait[2];
    assert_int_equal(pipe(wait), 0);
    const pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        struct mirror *m = make(p->fd);
        put(m, 1, to, false);
        apply(m);
        told = state_of(m, 1).state == TAP_IS_FLOWING ? 'y' : 'n';
        if (write(wait[1], &told, 1) == 1) {
            pause();
        }
        _exit(1);
    }
    assert_int_equal(read(wait[0], &told, 1), 1);
    assert_int_equal(told, 'y');
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    close(wait[0]);
    close(wait[1]);
    assert_true(is_noted(p));
}

static void after_a_kill_the_next_one_puts_it_back(void **state)
{
    (void)state;
    sh("ethtool -K da tx-tcp6-segmentation off >/dev/null");
    const struct ethtool_features before = features("da");
    struct place p = make_place();
    struct error err = {""};
    for (int wants_again = 0; wants_again < 2; wants_again++) {
        kill_one_that_has(&p, "da");
        assert_true(is_wire("da", &before));
        struct mirror *m = make(p.fd);
        if (wants_again) {
            put(m, 1, "da", false);
            flows(m, 1);
            assert_true(is_wire("da", &before));
        } else {
            assert_int_equal(mirror_recover(m, &err), 0);
            assert_true(is_as("da", &before));
            assert_false(is_noted(&p));
        }
        mirror_free(m);
        assert_true(is_as("da", &before));
        assert_false(is_noted(&p));
    }
    sh("ethtool -K da tx-tcp6-segmentation on >/dev/null");
    end_place(&p);
}

/* The killed one's interface of that name is no more; another one has other settings. */
static void another_interface_is_left_alone(void **state)
{
    (void)state;
    static const char *const others[] = {
        "ip link del xa && "
        "ip link add xa index 777 address 02:00:00:00:00:77 type veth peer name xb",
        "ip link del xa && ip link add xa index 776 address 02:00:00:00:00:78 type veth peer name "
        "xb",
        "ip link del xa",
    };
    struct place p = make_place();
    struct error err = {""};
    for (unsigned i = 0; i < ARRAY_SIZE(others); i++) {
        sh("ip link add xa index 776 address 02:00:00:00:00:77 type veth peer name xb");
        sh("ip link set xa up && ip link set xb up");
        wait_for_carrier("xa", true);
        kill_one_that_has(&p, "xa");
        sh(others[i]);
        const bool there = if_nametoindex("xa") > 0;
        if (there) {
            sh("ethtool -K xa tso off >/dev/null");
        }
        const struct ethtool_features set = features(there ? "xa" : "da");
        struct mirror *m = make(p.fd);
        assert_int_equal(mirror_recover(m, &err), 0);
        assert_true(is_as(there ? "xa" : "da", &set));
        assert_false(is_noted(&p));
        mirror_free(m);
        if (there) {
            sh("ip link del xa");
        }
    }
    end_place(&p);
}

static void an_address_that_changes_is_noted(void **state)
{
    (void)state;
    const struct ethtool_features before = features("da");
    struct place p = make_place();
    struct mirror *m = make(p.fd);
    put(m, 1, "da", false);
    flows(m, 1);
    sh("ip link set da address 02:00:00:00:00:79");
    flows(m, 1);
    char text[OFFNOTE_LINE * 2] = "";
    int fd = openat(p.fd, MIRROR_NOTE, O_RDONLY | O_CLOEXEC);
    assert_true(read(fd, text, sizeof(text) - 1) > 0);
    close(fd);
    assert_non_null(strstr(text, " 02:00:00:00:00:79 da "));
    mirror_free(m);
    assert_true(is_as("da", &before));
    assert_false(is_noted(&p));
    end_place(&p);
}

/* ---- the note of somebody else ---- */

static void a_note_is_read_as_far_as_it_is_one(void **state)
{
    (void)state;
    char boot[OFFNOTE_BOOT + 1], line[256];
    struct place p = make_place();
    struct error err = {""};
    assert_int_equal(mirror_note_boot(boot, &err), 0);
    sh("ethtool -K da tx-udp-segmentation off tx-sctp-segmentation off >/dev/null");
    write_note(&p, "nonsense\n\n");
    struct netif da;
    assert_int_equal(netif_get("da", &da, &err), 0);
    (void)snprintf(line, sizeof(line),
                   "%s %d %02x:%02x:%02x:%02x:%02x:%02x da tx-udp-segmentation,no-such\n", boot,
                   da.index, da.mac[0], da.mac[1], da.mac[2], da.mac[3], da.mac[4], da.mac[5]);
    write_note(&p, line);
    memset(line, '0', 8); /* before the host was started */
    memcpy(strstr(line, "tx-"), "tx-sctp-segmentation\n", sizeof("tx-sctp-segmentation\n"));
    write_note(&p, line);
    write_note(&p, "torn");
    struct mirror *m = make(p.fd);
    assert_int_equal(mirror_recover(m, &err), -EBADMSG);
    assert_non_null(strstr(err.text, "2 lines"));
    struct ethtool_features f = features("da");
    for (unsigned i = 0; i < f.n; i++) {
        if (strcmp(f.at[i].name, "tx-udp-segmentation") == 0) {
            assert_true(f.at[i].active);
        } else if (strcmp(f.at[i].name, "tx-sctp-segmentation") == 0) {
            assert_false(f.at[i].active);
        }
    }
    assert_false(is_noted(&p));
    mirror_free(m);
    sh("ethtool -K da tx-sctp-segmentation on >/dev/null");
    end_place(&p);
}

/* ---- failures ---- */

/* The program that is there goes on until another one can take its place. */
static void wire_stays_while_something_else_fails(void **state)
{
    (void)state;
    const struct ethtool_features before = features("da");
    struct mirror *m = make(-1);
    put(m, 1, "da", false);
    flows(m, 1);
    sh("ip addr add 10.9.0.1/24 dev da"); /* a new program is refused now */
    const struct mirror_flow out = {
        .id = {1}, .service = {1}, .source = "ga", .destination = "da", .dir = FRAME_DIR_OUT};
    assert_int_equal(mirror_put(m, &out, NULL), 0);
    for (int round = 0; round < 3; round++) { /* it is not tried again before its time */
        apply(m);
        assert_int_equal(state_of(m, 1).state, TAP_IS_FAILED);
        assert_true(is_wire("da", &before));
    }
    sh("ip addr del 10.9.0.1/24 dev da");
    mirror_free(m);
    assert_true(is_as("da", &before));
}

static void one_that_cannot_be_set_is_an_error(void **state)
{
    (void)state;
    const struct ethtool_features before = features("lo");
    struct place p = make_place();
    sh("ip link set lo down && ip addr flush dev lo");
    struct mirror *m = make(p.fd);
    put(m, 1, "lo", false);
    apply(m);
    struct mirror_is is = state_of(m, 1);
    print_message("%s\n", is.words);
    assert_int_equal(is.state, TAP_IS_FAILED);
    assert_non_null(strstr(is.words, "tx-checksum-ip-generic cannot be switched off at lo"));
    assert_true(is_as("lo", &before));
    assert_false(is_noted(&p));
    mirror_free(m);
    sh("ip link set lo up");
    end_place(&p);
}

static void without_a_note_nothing_is_changed(void **state)
{
    (void)state;
    const struct ethtool_features before = features("da");
    struct place p = make_place();
    assert_int_equal(rmdir(p.path), 0); /* no file can be made in it */
    struct mirror *m = make(p.fd);
    put(m, 1, "da", false);
    put(m, 2, "da", true);
    apply(m);
    struct mirror_is is = state_of(m, 1);
    print_message("%s\n", is.words);
    assert_int_equal(is.state, TAP_IS_FAILED);
    assert_non_null(strstr(is.words, "cannot note which offloads are to be put back"));
    assert_int_equal(is.counts.frames, 0);
    assert_int_equal(state_of(m, 2).state, TAP_IS_FLOWING);
    assert_true(is_as("da", &before));
    mirror_free(m);
    assert_true(is_as("da", &before));
    close(p.fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copies_are_as_on_a_cable),
        cmocka_unit_test(super_packets_stay_whole),
        cmocka_unit_test(one_that_wants_wire_wins),
        cmocka_unit_test(what_others_switch_on_goes_off_again),
        cmocka_unit_test(after_a_kill_the_next_one_puts_it_back),
        cmocka_unit_test(another_interface_is_left_alone),
        cmocka_unit_test(an_address_that_changes_is_noted),
        cmocka_unit_test(a_note_is_read_as_far_as_it_is_one),
        cmocka_unit_test(wire_stays_while_something_else_fails),
        cmocka_unit_test(one_that_cannot_be_set_is_an_error),
        cmocka_unit_test(without_a_note_nothing_is_changed),
    };
    return cmocka_run_group_tests(tests, make_peer, end_peer);
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * Filter programs as tcpdump makes them, on interfaces of a network namespace of the test's own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <grp.h>
#include <sys/wait.h>

#include "sys/filter.h"
#include "sys/test_net.h"

static char *text_of(const struct filter_prog *p)
{
    static char text[1 << 16];
    size_t at = (size_t)snprintf(text, sizeof(text), "%u\n", p->n);
    for (unsigned i = 0; i < p->n; i++) {
        at += (size_t)snprintf(text + at, sizeof(text) - at, "%u %u %u %u\n", p->insns[i].code,
                               p->insns[i].jt, p->insns[i].jf, p->insns[i].k);
    }
    return text;
}

/* The program that tcpdump would attach on the interface, as it prints it. */
static char *by_tcpdump(const char *ifname, const char *expr, unsigned snaplen)
{
    static char text[1 << 16];
    char command[512];
    snprintf(command, sizeof(command), "tcpdump -ddd -i %s -s %u '%s' 2>/dev/null", ifname, snaplen,
             expr);
    FILE *f = popen(command, "re");
    assert_non_null(f);
    text[fread(text, 1, sizeof(text) - 1, f)] = 0;
    assert_int_equal(pclose(f), 0);
    return text;
}

static const char *const exprs[] = {
    "",
    "tcp port 80",
    "vlan 5 and tcp port 3389",
    "vlan",
    "vlan 5 and vlan 6 and ip6",
    "inbound",
    "outbound and udp",
    "ip broadcast",
    "host 10.0.0.1 and not port 22",
    "greater 100",
    "tcp[tcpflags] & tcp-syn != 0",
    "ip6 proto 17 or arp",
    "ether host 02:00:00:00:00:01",
};

static void as_tcpdump_would(void **state)
{
    (void)state;
    sh("ip addr add 10.0.0.1/24 dev va");
    const char *names[] = {"va", "lo"};
    for (unsigned i = 0; i < 2 * ARRAY_SIZE(exprs); i++) {
        struct error err = {""};
        struct filter_prog p = {0};
        const char *name = names[i % 2], *expr = exprs[i / 2];
        if (filter_compile(expr, name, NETIF_ETHERNET, i % 3 * 96, &p, &err) < 0) {
            fail_msg("%s", err.text);
        }
        assert_string_equal(text_of(&p), by_tcpdump(name, expr, i % 3 * 96));
        filter_done(&p);
    }
}

/* Down, absent and none: the same code as for an interface that is there. */
static void for_an_interface_that_cannot_be_opened(void **state)
{
    (void)state;
    sh("ip link add down0 type veth peer name down1");
    const char *names[] = {"down0", "nowhere9", NULL};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        struct filter_prog p = {0};
        struct error err = {""};
        const char *expr = "outbound and vlan 7 and udp";
        assert_int_equal(filter_compile(expr, names[i], NETIF_ETHERNET, 0, &p, &err), 0);
        assert_string_equal(text_of(&p), by_tcpdump("lo", expr, 0));
        filter_done(&p);
    }
    sh("ip link del down0");
}

static void on_raw_ip(void **state)
{
    (void)state;
    int tun = tun_device("u0", IFF_TUN);
    struct filter_prog p = {0};
    assert_int_equal(filter_compile("tcp port 80 and inbound", "u0", NETIF_RAW_IP, 0, &p, NULL), 0);
    assert_string_equal(text_of(&p), by_tcpdump("u0", "tcp port 80 and inbound", 0));
    filter_done(&p);
    close(tun);
    assert_int_equal(filter_compile("udp", "u0", NETIF_RAW_IP, 0, &p, NULL), 0);
    filter_done(&p);
    assert_null(p.insns); /* as if nothing had been compiled, … */
    assert_int_equal(p.n, 0);
    filter_done(&p); /* … and once more does no harm */
}

static void passes_the_message_on(void **state)
{
    (void)state;
    struct filter_prog p = {0};
    struct error err = {""};
    assert_int_equal(filter_compile("tcp prot 80", "va", NETIF_ETHERNET, 0, &p, &err), -EINVAL);
    assert_memory_equal(err.text, "filter \"tcp prot 80\": ", 22);
    assert_non_null(strstr(err.text, "syntax error"));
    assert_null(strchr(err.text, '\n'));
    assert_int_equal(filter_compile("ip and arp", "va", NETIF_ETHERNET, 0, &p, &err), -EINVAL);
    assert_non_null(strstr(err.text, "rejects all packets"));
    assert_null(p.insns);
    filter_done(&p);
    sh("ip link set lo down && ip link set va down && ip link set vb down");
    assert_int_equal(filter_compile("udp", "va", NETIF_ETHERNET, 0, &p, &err), -ENETDOWN);
}

/* The program that tcpdump would use for an empty file of that link type. */
static char *by_tcpdump_on_file(uint16_t linktype, const char *expr)
{
    static char text[1 << 16];
    char command[512];
    snprintf(command, sizeof(command),
             "printf "
             "'\\324\\303\\262\\241\\2\\0\\4\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\4\\0\\%o\\%o\\0\\0' "
             "| tcpdump -ddd -r - '%s' 2>/dev/null",
             linktype & 0xff, linktype >> 8, expr);
    FILE *f = popen(command, "re");
    assert_non_null(f);
    text[fread(text, 1, sizeof(text) - 1, f)] = 0;
    (void)pclose(f);
    return text;
}

/* By the numbers of files: 101 is raw IP there, and 12 to libpcap itself. */
static void of_link_types(void **state)
{
    (void)state;
    static const struct {
        uint16_t linktype;
        const char *expr;
    } cases[] = {{1, "vlan 5 and udp"}, {101, "tcp port 80"}, {113, "udp or inbound"}, {276, "ip6"},
                 {0, "tcp port 80"},    {147, "link[3] = 7"}, {9, "host 10.0.0.1"}};
    struct filter_prog p = {0};
    struct error err = {""};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        if (filter_compile_linktype(cases[i].expr, cases[i].linktype, &p, &err) < 0) {
            fail_msg("%s", err.text);
        }
        assert_string_equal(text_of(&p), by_tcpdump_on_file(cases[i].linktype, cases[i].expr));
        filter_done(&p);
    }
    assert_int_equal(filter_compile_linktype("udp", 147, &p, &err), -EINVAL);
    assert_memory_equal(err.text, "filter \"udp\": ", 14);
    assert_int_equal(filter_compile_linktype("inbound", 1, &p, &err), -EINVAL);
    assert_int_equal(filter_compile_linktype("", 60000, &p, &err), -EINVAL);
    assert_null(p.insns);
}

static void joins_words(void **state)
{
    (void)state;
    char tcp[] = "tcp", port[] = "port", rest[] = "80 or 443";
    char *words[] = {tcp, port, rest};
    _cleanup_(freep) char *three = filter_join(words, 3), *none = filter_join(words, 0),
                          *one = filter_join(words, 1);
    assert_string_equal(three, "tcp port 80 or 443");
    assert_string_equal(none, "");
    assert_string_equal(one, "tcp");
}

/* One process compiles, and another that cannot gets the same, failures too; a tape that is cut
 * anywhere gives no program that is not whole. */
static void tapes(void **state)
{
    (void)state;
    struct filter_tape t = {.mode = FILTER_TAPE_RECORD};
    struct filter_prog made[2] = {{0}}, played[2] = {{0}};
    struct error err = {""}, words = {""};
    filter_tape_use(&t);
    assert_int_equal(filter_compile("udp port 53", "va", NETIF_RAW_IP, 60, &made[0], NULL), 0);
    assert_int_equal(filter_compile_plain("no such thing", &made[1], &err), -EINVAL);
    assert_int_equal(filter_compile_plain("vlan 5", &made[1], NULL), 0);
    t.mode = FILTER_TAPE_PLAY;
    assert_int_equal(filter_compile("udp port 53", "va", NETIF_RAW_IP, 60, &played[0], NULL), 0);
    assert_int_equal(filter_compile_plain("no such thing", &played[1], &words), -EINVAL);
    assert_string_equal(words.text, err.text);
    assert_int_equal(filter_compile_plain("vlan 5", &played[1], NULL), 0);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(played[i].n, made[i].n);
        assert_memory_equal(played[i].insns, made[i].insns, made[i].n * sizeof(*made[i].insns));
        filter_done(&made[i]);
        filter_done(&played[i]);
    }
    assert_int_equal(filter_compile_plain("tcp", &played[0], &err),
                     -EBADMSG); /* it is at its end */
    for (size_t len = 0; len < t.len; len++) {
        _cleanup_(freep) uint8_t *part = malloc(len + 1);
        memcpy(part, t.bytes, len);
        struct filter_tape cut = {.mode = FILTER_TAPE_PLAY, .bytes = part, .len = len};
        filter_tape_use(&cut);
        bool whole = true;
        for (unsigned i = 0; i < 3 && whole; i++) {
            int r = filter_compile_plain("", &played[0], NULL);
            whole = r == 0 || r == -EINVAL;
            filter_done(&played[0]);
        }
        assert_false(whole);
    }
    filter_tape_use(NULL);
    filter_tape_done(&t);
}

/* The programs of a child that has no right left are those that root gets of a live interface. */
static int compile_all_kept(void)
{
    struct error err = {""};
    if (setgroups(0, NULL) < 0 || setresgid(65534, 65534, 65534) < 0 ||
        setresuid(65534, 65534, 65534) < 0) {
        return 100;
    }
    for (size_t i = 0; i < ARRAY_SIZE(exprs); i++) {
        struct filter_prog live = {0}, now = {0};
        if (filter_compile_kept(exprs[i], &now, &err) < 0 ||
            filter_compile(exprs[i], "lo", NETIF_ETHERNET, 0, &live, NULL) >= 0) {
            return 1 + (int)i; /* it has rights */
        }
        filter_done(&now);
    }
    return filter_compile_kept("nonsense here", &(struct filter_prog){0}, &err) == -EINVAL ? 0 : 99;
}

static void kept_for_those_without_rights(void **state)
{
    (void)state;
    struct error err = {""};
    struct filter_prog none;
    int status = 1;
    assert_int_equal(filter_compile_kept("tcp", &none, &err), -ENETDOWN); /* not kept yet */
    assert_int_equal(filter_keep(&err), 0);
    assert_int_equal(filter_keep(&err), 0);
    for (size_t i = 0; i < ARRAY_SIZE(exprs); i++) {
        struct filter_prog live, kept;
        assert_int_equal(filter_compile(exprs[i], "va", NETIF_ETHERNET, 0, &live, &err), 0);
        assert_int_equal(filter_compile_kept(exprs[i], &kept, &err), 0);
        if (live.n != kept.n ||
            (live.n > 0 && memcmp(live.insns, kept.insns, live.n * sizeof(*live.insns)) != 0)) {
            fail_msg("%s", exprs[i]);
        }
        filter_done(&live);
        filter_done(&kept);
    }
    const pid_t pid = fork();
    if (pid == 0) {
        _exit(compile_all_kept());
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_tcpdump_would),
        cmocka_unit_test(for_an_interface_that_cannot_be_opened),
        cmocka_unit_test(on_raw_ip),
        cmocka_unit_test(of_link_types),
        cmocka_unit_test(tapes),
        cmocka_unit_test(kept_for_those_without_rights),
        cmocka_unit_test(passes_the_message_on),
        cmocka_unit_test(joins_words),
    };
    return cmocka_run_group_tests(tests, own_namespace, NULL);
}

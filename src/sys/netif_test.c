/* SPDX-License-Identifier: Apache-2.0
 *
 * Interfaces of a network namespace of the test's own: their list, their settings, and how their
 * frames begin.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <net/if_arp.h>
#include <sys/wait.h>

#include "sys/test_net.h"

static void lists_what_there_is(void **state)
{
    (void)state;
    sh("ip link set va alias 'to the lab' && ip addr add 10.1.2.3/24 dev va && "
       "ip addr add fd00::7/64 dev va nodad && ip link set vb address 02:00:00:00:00:99");
    _cleanup_(freep) struct netif *l = NULL;
    size_t n = 0;
    assert_int_equal(netif_list(&l, &n, NULL), 0);
    assert_int_equal(n, 3);
    assert_string_equal(l[0].name, "lo");
    assert_int_equal(l[0].arphrd, ARPHRD_LOOPBACK);
    assert_int_equal(l[0].index, 1);
    assert_int_equal(l[0].n_addrs, 2);
    struct netif va, vb;
    assert_int_equal(netif_find("va", &va, NULL), 0);
    assert_int_equal(va.index, index_of("va"));
    assert_string_equal(va.alias, "to the lab");
    assert_int_equal(va.mtu, 9000);
    assert_int_equal(va.arphrd, ARPHRD_ETHER);
    assert_true(va.flags & IFF_UP);
    assert_int_equal(va.n_addrs, 2);
    assert_int_equal(va.addrs[0].family, AF_INET);
    assert_int_equal(va.addrs[0].prefix, 24);
    assert_memory_equal(va.addrs[0].addr, "\x0a\1\2\3", 4);
    assert_int_equal(va.addrs[1].family, AF_INET6);
    assert_memory_equal(va.addrs[1].addr, "\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\7", 16);
    assert_int_equal(netif_find("vb", &vb, NULL), 0);
    assert_int_equal(vb.mac_len, 6);
    assert_memory_equal(vb.mac, "\2\0\0\0\0\x99", 6);
    assert_int_equal(vb.n_addrs, 0);
    assert_string_equal(vb.alias, "");
    sh("ip addr flush dev va && ip link set va alias ''");
}

static void names_the_choices(void **state)
{
    (void)state;
    struct netif l;
    struct error err = {""};
    assert_int_equal(netif_find("eth7", &l, &err), -ENODEV);
    const char want[] = "no interface \"eth7\": choose from lo, v";
    assert_memory_equal(err.text, want, sizeof(want) - 1);
    assert_non_null(strstr(err.text, "va"));
    assert_non_null(strstr(err.text, "vb"));
    for (int i = 0; i < 60; i++) { /* more than fit a sentence, and than fit one netlink answer */
        char command[96];
        snprintf(command, sizeof(command), "ip link add many-long-n%02d type veth peer p%02d", i,
                 i);
        sh(command);
    }
    assert_int_equal(netif_find("eth7", &l, &err), -ENODEV);
    assert_string_equal(err.text + strlen(err.text) - strlen(", …"), ", …");
    assert_int_equal(netif_find("many-long-n59", &l, &err), 0);
    assert_int_equal(netif_find("p00", &l, &err), 0);
    sh("for i in $(seq -w 0 59); do echo link del p$i; done | ip -batch -");
}

static void sets(void **state)
{
    (void)state;
    sh("ip link add s0 type veth peer name s1");
    struct netif_set set = {
        .mtu = 1400, .txqueuelen = 77, .alias = "hello", .silent = true, .up = true};
    assert_int_equal(netif_set(index_of("s0"), &set, NULL), 0);
    assert_int_equal(netif_set(index_of("s1"), &(struct netif_set){.up = true}, NULL), 0);
    struct netif l;
    assert_int_equal(netif_find("s0", &l, NULL), 0);
    assert_int_equal(l.mtu, 1400);
    assert_string_equal(l.alias, "hello");
    assert_int_equal(l.flags & (IFF_UP | IFF_NOARP | IFF_MULTICAST), IFF_UP | IFF_NOARP);
    assert_int_equal(l.n_addrs, 0);
    sh("ip link show s0 | grep -q 'qlen 77' && ip -d link show s0 | grep -q 'addrgenmode none'");
    assert_int_equal(netif_find("s1", &l, NULL), 0); /* an ordinary one has its own address */
    assert_int_equal(l.flags & (IFF_UP | IFF_NOARP | IFF_MULTICAST), IFF_UP | IFF_MULTICAST);
    assert_int_equal(l.n_addrs, 1);
    struct error err = {""};
    set = (struct netif_set){.mtu = 1 << 30};
    assert_int_equal(netif_set(index_of("s0"), &set, &err), -EINVAL);
    assert_string_equal(err.text, "cannot set up interface s0: Invalid argument");
    assert_int_equal(netif_set(9999, &set, &err), -ENODEV);
    sh("ip link del s0");
}

/* A cable to another namespace, also where this one has never had the other's number. */
static void cables_lead_elsewhere(void **state)
{
    (void)state;
    struct netif l;
    int to[2], from[2];
    char byte = 0, command[128];
    assert_int_equal(pipe2(to, O_CLOEXEC), 0);
    assert_int_equal(pipe2(from, O_CLOEXEC), 0);
    const pid_t pid = fork();
    if (pid == 0) { /* a namespace that lasts as long as this process */
        _exit(unshare(CLONE_NEWNET) < 0 || write(from[1], "x", 1) != 1 ||
              read(to[0], &byte, 1) != 1);
    }
    assert_int_equal(read(from[0], &byte, 1), 1);
    sh("ip link add c0 type veth peer name c1");
    assert_int_equal(netif_find("c0", &l, NULL), 0);
    assert_string_equal(l.kind, "veth");
    assert_false(l.leads_elsewhere);
    (void)snprintf(command, sizeof(command), "ip link set c1 netns %d", pid);
    sh(command);
    assert_int_equal(netif_find("c0", &l, NULL), 0);
    assert_true(l.leads_elsewhere);
    assert_int_equal(netif_find("va", &l, NULL), 0);
    assert_false(l.leads_elsewhere);
    assert_int_equal(netif_find("lo", &l, NULL), 0);
    assert_false(l.leads_elsewhere);
    sh("ip link del c0");
    int status = 1;
    assert_int_equal(write(to[1], "x", 1), 1);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    for (size_t i = 0; i < 2; i++) {
        close(to[i]);
        close(from[i]);
    }
}

static void addresses_of_the_link(void **state)
{
    (void)state;
    static const struct {
        const char *cidr;
        bool is;
    } addrs[] = {{"fe80::7/64", true},  {"febf::1/64", true},   {"fec0::1/64", false},
                 {"fd00::1/64", false}, {"10.0.0.1/24", false}, {"169.254.7.7/16", false}};
    struct netif l;
    char command[128];
    for (size_t i = 0; i < ARRAY_SIZE(addrs); i++) {
        (void)snprintf(command, sizeof(command), "ip addr flush dev vb && ip addr add %s dev vb%s",
                       addrs[i].cidr, strchr(addrs[i].cidr, ':') ? " nodad" : "");
        sh(command);
        assert_int_equal(netif_find("vb", &l, NULL), 0);
        assert_int_equal(l.n_addrs, 1);
        if (netif_addr_is_link_local(&l.addrs[0]) != addrs[i].is) {
            fail_msg("%s", addrs[i].cidr);
        }
    }
    sh("ip addr flush dev vb");
}

static void default_routes(void **state)
{
    (void)state;
    char name[IFNAMSIZ] = "";
    struct error err = {""};
    assert_int_equal(netif_default_route(name, &err), -ENOENT);
    assert_string_equal(err.text, "there is no default route: name an interface with -i");
    sh("ip -6 addr add fd00::1/64 dev vb nodad && ip -6 route add default via fd00::2 dev vb");
    assert_int_equal(netif_default_route(name, &err), 0);
    assert_string_equal(name, "vb");
    sh("ip addr add 10.0.0.1/24 dev va && ip addr add 10.7.0.1/24 dev vb && "
       "ip route add default via 10.7.0.2 metric 50 && ip route add default via 10.0.0.2 metric 9 "
       "&& ip route add 10.8.0.0/16 via 10.7.0.2 && ip route add default dev vb table 77");
    assert_int_equal(netif_default_route(name, &err), 0);
    assert_string_equal(name, "va"); /* IPv4's, and the one with the lower metric */
    sh("ip route flush 0/0 && ip route add default nexthop via 10.7.0.2 nexthop via 10.0.0.2");
    assert_int_equal(netif_default_route(name, &err), 0);
    assert_string_equal(name, "vb");
}

static void framings(void **state)
{
    (void)state;
    static const struct {
        uint16_t arphrd;
        unsigned flags;
        enum netif_framing framing;
    } kinds[] = {
        {ARPHRD_ETHER, IFF_BROADCAST, NETIF_ETHERNET},
        {ARPHRD_LOOPBACK, IFF_LOOPBACK, NETIF_ETHERNET},
        {ARPHRD_NONE, IFF_POINTOPOINT, NETIF_RAW_IP},
        {ARPHRD_TUNNEL, IFF_POINTOPOINT, NETIF_RAW_IP},
        {ARPHRD_SIT, 0, NETIF_RAW_IP},
        {ARPHRD_IPGRE, IFF_POINTOPOINT, NETIF_RAW_IP},
        {823, IFF_POINTOPOINT, NETIF_RAW_IP}, /* ARPHRD_IP6GRE of linux/if_arp.h */
        {ARPHRD_IPGRE, 0, NETIF_COOKED},
        {ARPHRD_IPGRE, IFF_POINTOPOINT | IFF_BROADCAST, NETIF_COOKED},
        {ARPHRD_PPP, IFF_POINTOPOINT, NETIF_COOKED},
        {60000, 0, NETIF_COOKED},
        {ARPHRD_IEEE80211, 0, NETIF_OTHER},
        {ARPHRD_IEEE80211_RADIOTAP, 0, NETIF_OTHER},
        {ARPHRD_CAN, 0, NETIF_OTHER},
    };
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        assert_int_equal(netif_framing(kinds[i].arphrd, kinds[i].flags), kinds[i].framing);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_what_there_is),
        cmocka_unit_test(names_the_choices),
        cmocka_unit_test(sets),
        cmocka_unit_test(cables_lead_elsewhere),
        cmocka_unit_test(addresses_of_the_link),
        cmocka_unit_test(default_routes),
        cmocka_unit_test(framings),
    };
    return cmocka_run_group_tests(tests, own_namespace, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/netif.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <string.h>

enum {
    BUF = 32768, /* what the kernel may send in one go (libmnl's advice: 8 KiB or a page) */
};

static void mnl_closep(struct mnl_socket **s)
{
    if (*s) {
        mnl_socket_close(*s);
    }
}

/* Sends one request and feeds the answers to `each`. 0 or -errno, the kernel's own among them. */
static int talk(struct nlmsghdr *req, mnl_cb_t each, void *arg)
{
    _cleanup_(mnl_closep) struct mnl_socket *s = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
    if (!s || mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) < 0) {
        return -errno;
    }
    unsigned port = mnl_socket_get_portid(s);
    req->nlmsg_seq = 1;
    if (mnl_socket_sendto(s, req, req->nlmsg_len) < 0) {
        return -errno;
    }
    _cleanup_(freep) char *buf = malloc(BUF);
    if (!buf) {
        return -ENOMEM;
    }
    for (;;) {
        ssize_t n = mnl_socket_recvfrom(s, buf, BUF);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        int r = n < 0 ? -1 : mnl_cb_run(buf, (size_t)n, 1, port, each, arg);
        if (r < 0) {
            return -errno;
        }
        if (r == MNL_CB_STOP) {
            return 0;
        }
    }
}

int netif_ask(struct nlmsghdr *req)
{
    return talk(req, NULL, NULL);
}

int netif_ask_for(struct nlmsghdr *req, int (*each)(const struct nlmsghdr *m, void *user),
                  void *user)
{
    return talk(req, each, user);
}

/* A dump that changed under way is marked and must be asked for again (EINTR of mnl_cb_run). */
static int dump(uint16_t type, uint8_t family, size_t header, mnl_cb_t each, void *arg,
                void (*restart)(void *arg))
{
    int r;
    for (int tries = 0; tries < 10; tries++) {
        char buf[256];
        struct nlmsghdr *req = mnl_nlmsg_put_header(buf);
        req->nlmsg_type = type;
        req->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
        uint8_t *extra = mnl_nlmsg_put_extra_header(req, header);
        *extra = family; /* the first byte of each of rtnetlink's headers */
        restart(arg);
        r = talk(req, each, arg);
        if (r != -EINTR) {
            return r;
        }
    }
    return r;
}

enum {
    ATTRS = 80,        /* every attribute that is read here has a lower number */
    GRO_MAX_SIZE = 58, /* IFLA_GRO_MAX_SIZE and so on, of Linux 5.19 and 6.3 */
    GSO_IPV4_MAX_SIZE = 63,
    GRO_IPV4_MAX_SIZE = 64,
};

struct attrs {
    const struct nlattr *at[ATTRS];
};

static int each_attr(const struct nlattr *attr, void *arg)
{
    struct attrs *a = arg;
    uint16_t type = mnl_attr_get_type(attr);
    if (type < ATTRS) {
        a->at[type] = attr;
    }
    return MNL_CB_OK;
}

static struct attrs attrs_of(const struct nlmsghdr *h, unsigned header)
{
    struct attrs a = {0};
    mnl_attr_parse(h, header, each_attr, &a);
    return a;
}

struct links {
    struct netif *at;
    size_t n, room;
};

static void copy_text(char *to, size_t size, const struct nlattr *attr)
{
    size_t n = attr ? mnl_attr_get_payload_len(attr) : 0;
    n = n < size - 1 ? n : size - 1;
    if (n) {
        memcpy(to, mnl_attr_get_payload(attr), n);
    }
    to[n] = 0;
}

/* The longest super-packet by the limits that the kernel tells of: one each for sending and for
 * receiving, later kernels have one more each for IPv4. */
static uint32_t longest_of(const struct attrs *a)
{
    const unsigned limits[] = {IFLA_GSO_MAX_SIZE, GRO_MAX_SIZE, GSO_IPV4_MAX_SIZE,
                               GRO_IPV4_MAX_SIZE};
    uint32_t longest = 0;
    for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
        const struct nlattr *attr = a->at[limits[i]];
        longest = attr ? MAX(longest, mnl_attr_get_u32(attr)) : longest;
    }
    return longest;
}

static int each_link(const struct nlmsghdr *h, void *arg)
{
    struct links *l = arg;
    if (h->nlmsg_type != RTM_NEWLINK) {
        return MNL_CB_OK;
    }
    if (l->n == l->room) {
        size_t room = l->room ? l->room * 2 : 16;
        struct netif *at = reallocarray(l->at, room, sizeof(*at));
        if (!at) {
            return MNL_CB_ERROR; /* errno is ENOMEM */
        }
        l->at = at;
        l->room = room;
    }
    netif_decode(h, &l->at[l->n++]);
    return MNL_CB_OK;
}

void netif_decode(const struct nlmsghdr *h, struct netif *link)
{
    const struct ifinfomsg *info = mnl_nlmsg_get_payload(h);
    *link = (struct netif){
        .index = info->ifi_index, .flags = info->ifi_flags, .arphrd = info->ifi_type};
    struct attrs a = attrs_of(h, sizeof(*info));
    copy_text(link->name, sizeof(link->name), a.at[IFLA_IFNAME]);
    copy_text(link->alias, sizeof(link->alias), a.at[IFLA_IFALIAS]);
    link->leads_elsewhere = a.at[IFLA_LINK_NETNSID] != NULL;
    link->mtu = a.at[IFLA_MTU] ? mnl_attr_get_u32(a.at[IFLA_MTU]) : 0;
    link->longest = longest_of(&a);
    if (a.at[IFLA_ADDRESS]) {
        uint16_t n = mnl_attr_get_payload_len(a.at[IFLA_ADDRESS]);
        link->mac_len = (uint8_t)MIN(n, sizeof(link->mac));
        memcpy(link->mac, mnl_attr_get_payload(a.at[IFLA_ADDRESS]), link->mac_len);
    }
    if (a.at[IFLA_LINKINFO]) {
        struct attrs in = {0};
        mnl_attr_parse_nested(a.at[IFLA_LINKINFO], each_attr, &in);
        copy_text(link->kind, sizeof(link->kind), in.at[IFLA_INFO_KIND]);
    }
}

static int each_addr(const struct nlmsghdr *h, void *arg)
{
    struct links *l = arg;
    const struct ifaddrmsg *info = mnl_nlmsg_get_payload(h);
    struct netif *link = NULL;
    for (size_t i = 0; i < l->n && h->nlmsg_type == RTM_NEWADDR; i++) {
        if (l->at[i].index == (int)info->ifa_index) {
            link = &l->at[i];
        }
    }
    if (!link || link->n_addrs == NETIF_ADDRS) {
        return MNL_CB_OK;
    }
    /* On a point-to-point link IFA_ADDRESS is the other end and IFA_LOCAL is ours. */
    struct attrs attrs = attrs_of(h, sizeof(*info));
    const struct nlattr *best = attrs.at[attrs.at[IFA_LOCAL] ? IFA_LOCAL : IFA_ADDRESS];
    if (best) {
        struct netif_addr *a = &link->addrs[link->n_addrs++];
        a->family = info->ifa_family;
        a->prefix = info->ifa_prefixlen;
        memcpy(a->addr, mnl_attr_get_payload(best), MIN(mnl_attr_get_payload_len(best), 16));
    }
    return MNL_CB_OK;
}

static void restart_links(void *arg)
{
    ((struct links *)arg)->n = 0;
}

static void restart_addrs(void *arg)
{
    struct links *l = arg;
    for (size_t i = 0; i < l->n; i++) {
        l->at[i].n_addrs = 0;
    }
}

int netif_list(struct netif **ret, size_t *ret_n, struct error *err)
{
    struct links l = {0};
    int r = dump(RTM_GETLINK, AF_UNSPEC, sizeof(struct ifinfomsg), each_link, &l, restart_links);
    if (r == 0) {
        r = dump(RTM_GETADDR, AF_UNSPEC, sizeof(struct ifaddrmsg), each_addr, &l, restart_addrs);
    }
    if (r < 0) {
        free(l.at);
        return error_sys(err, -r, "cannot list the interfaces");
    }
    *ret = l.at;
    *ret_n = l.n;
    return 0;
}

static int no_such_link(const char *name, const struct netif *links, size_t n, struct error *err)
{
    char names[200] = "";
    size_t used = 0;
    for (size_t i = 0; i < n; i++) {
        const char *next = links[i].name;
        if (used + 2 + strlen(next) + sizeof(", …") > sizeof(names)) {
            snprintf(names + used, sizeof(names) - used, ", …");
            break;
        }
        used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s", i ? ", " : "", next);
    }
    return error_set(err, ENODEV, "no interface \"%.32s\": choose from %s", name, names);
}

int netif_find(const char *name, struct netif *ret, struct error *err)
{
    _cleanup_(freep) struct netif *links = NULL;
    size_t n = 0;
    int r = netif_list(&links, &n, err);
    if (r < 0) {
        return r;
    }
    for (size_t i = 0; i < n; i++) {
        if (strcmp(links[i].name, name) == 0) {
            *ret = links[i];
            return 0;
        }
    }
    return no_such_link(name, links, n, err);
}

int netif_get(const char *name, struct netif *ret, struct error *err)
{
    char buf[256] = "";
    struct links l = {0};
    struct nlmsghdr *req = mnl_nlmsg_put_header(buf);
    req->nlmsg_type = RTM_GETLINK;
    req->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
    mnl_nlmsg_put_extra_header(req, sizeof(struct ifinfomsg));
    mnl_attr_put_strz(req, IFLA_IFNAME, name);
    int r = strlen(name) < IFNAMSIZ ? talk(req, each_link, &l) : -ENODEV;
    if (r == 0 && l.n > 0) {
        *ret = l.at[0];
    }
    r = r == 0 && l.n == 0 ? -ENODEV : r;
    free(l.at);
    return r < 0 ? error_set(err, -r, "no interface \"%.32s\"", name) : 0;
}

enum netif_framing netif_framing(uint16_t arphrd, unsigned flags)
{
    switch (arphrd) {
    case ARPHRD_ETHER:
    case ARPHRD_LOOPBACK:
        return NETIF_ETHERNET;
    case ARPHRD_NONE:
    case ARPHRD_RAWIP:
    case ARPHRD_TUNNEL:
    case ARPHRD_TUNNEL6:
    case ARPHRD_SIT:
        return NETIF_RAW_IP;
    case ARPHRD_IPGRE: /* with many other ends, the outer header is part of what it sends */
    case ARPHRD_IP6GRE:
        return (flags & (IFF_POINTOPOINT | IFF_BROADCAST)) == IFF_POINTOPOINT ? NETIF_RAW_IP
                                                                              : NETIF_COOKED;
    case ARPHRD_CAN:
    case ARPHRD_CISCO:
    case ARPHRD_IEEE80211:
    case ARPHRD_IEEE80211_PRISM:
    case ARPHRD_IEEE80211_RADIOTAP:
    case ARPHRD_IEEE802154:
    case ARPHRD_IEEE802154_MONITOR:
    case ARPHRD_NETLINK:
    case ARPHRD_VSOCKMON:
        return NETIF_OTHER;
    default:
        return NETIF_COOKED;
    }
}

struct best_route {
    int oif;
    uint32_t metric;
};

static void restart_route(void *arg)
{
    *(struct best_route *)arg = (struct best_route){0};
}

static int each_route(const struct nlmsghdr *h, void *arg)
{
    struct best_route *best = arg;
    const struct rtmsg *info = mnl_nlmsg_get_payload(h);
    if (h->nlmsg_type != RTM_NEWROUTE || info->rtm_dst_len != 0 || info->rtm_type != RTN_UNICAST ||
        info->rtm_table != RT_TABLE_MAIN) {
        return MNL_CB_OK;
    }
    struct attrs a = attrs_of(h, sizeof(*info));
    uint32_t metric = a.at[RTA_PRIORITY] ? mnl_attr_get_u32(a.at[RTA_PRIORITY]) : 0;
    int oif = 0;
    if (a.at[RTA_OIF]) {
        oif = (int)mnl_attr_get_u32(a.at[RTA_OIF]);
    } else if (a.at[RTA_MULTIPATH] &&
               mnl_attr_get_payload_len(a.at[RTA_MULTIPATH]) >= sizeof(struct rtnexthop)) {
        oif = ((const struct rtnexthop *)mnl_attr_get_payload(a.at[RTA_MULTIPATH]))->rtnh_ifindex;
    }
    if (oif > 0 && (!best->oif || metric < best->metric)) {
        *best = (struct best_route){oif, metric};
    }
    return MNL_CB_OK;
}

int netif_default_route(char ret[IFNAMSIZ], struct error *err)
{
    const uint8_t families[] = {AF_INET, AF_INET6};
    for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
        struct best_route best = {0};
        char name[IFNAMSIZ];
        int r =
            dump(RTM_GETROUTE, families[i], sizeof(struct rtmsg), each_route, &best, restart_route);
        if (r < 0 && r != -EOPNOTSUPP && r != -EAFNOSUPPORT) {
            return error_sys(err, -r, "cannot list the routes");
        }
        if (best.oif && if_indextoname((unsigned)best.oif, name)) {
            memcpy(ret, name, IFNAMSIZ);
            return 0;
        }
    }
    return error_set(err, ENOENT, "there is no default route: name an interface with -i");
}

static int change(int ifindex, const struct netif_set *set, unsigned flags, unsigned mask,
                  bool no_addr)
{
    enum { ADDR_GEN_NONE = 1 }; /* IN6_ADDR_GEN_MODE_NONE */
    char buf[1024];
    struct nlmsghdr *req = mnl_nlmsg_put_header(buf);
    req->nlmsg_type = RTM_NEWLINK;
    req->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
    struct ifinfomsg *info = mnl_nlmsg_put_extra_header(req, sizeof(*info));
    info->ifi_family = AF_UNSPEC;
    info->ifi_index = ifindex;
    info->ifi_flags = flags;
    info->ifi_change = mask;
    if (set->mtu) {
        mnl_attr_put_u32(req, IFLA_MTU, set->mtu);
    }
    if (set->txqueuelen) {
        mnl_attr_put_u32(req, IFLA_TXQLEN, set->txqueuelen);
    }
    if (set->alias && strlen(set->alias) < NETIF_ALIAS) {
        mnl_attr_put(req, IFLA_IFALIAS, strlen(set->alias), set->alias);
    }
    if (no_addr) {
        struct nlattr *spec = mnl_attr_nest_start(req, IFLA_AF_SPEC);
        struct nlattr *inet6 = mnl_attr_nest_start(req, AF_INET6);
        mnl_attr_put_u8(req, IFLA_INET6_ADDR_GEN_MODE, ADDR_GEN_NONE);
        mnl_attr_nest_end(req, inet6);
        mnl_attr_nest_end(req, spec);
    }
    return talk(req, NULL, NULL);
}

int netif_set(int ifindex, const struct netif_set *set, struct error *err)
{
    unsigned flags = set->silent ? IFF_NOARP : 0;
    unsigned mask = set->silent ? IFF_NOARP | IFF_MULTICAST : 0;
    int r = change(ifindex, set, flags, mask, set->silent);
    if (r == -EAFNOSUPPORT && set->silent) { /* a kernel without IPv6: no address to come anyway */
        r = change(ifindex, set, flags, mask, false);
    }
    /* The kernel takes flags before it looks at addresses: up has to be a request of its own. */
    if (r == 0 && set->up) {
        r = change(ifindex, &(struct netif_set){0}, IFF_UP, IFF_UP, false);
    }
    if (r < 0) {
        char name[IFNAMSIZ] = "?";
        if_indextoname((unsigned)ifindex, name);
        return error_sys(err, -r, "cannot set up interface %s", name);
    }
    return 0;
}

bool netif_addr_is_link_local(const struct netif_addr *a)
{
    return a->family == AF_INET6 && a->addr[0] == 0xfe && (a->addr[1] & 0xc0) == 0x80;
}

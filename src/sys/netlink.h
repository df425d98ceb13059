/* SPDX-License-Identifier: Apache-2.0
 *
 * Network interfaces as the kernel tells of them (rtnetlink, by libmnl): what `-l` lists, what an
 * interface's name stands for, how a frame on it begins, and the few settings that a device of our
 * own needs. Each call opens and closes its own netlink socket; none is for a packet path.
 */
#pragma once

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum {
    NETLINK_ADDRS = 8, /* addresses kept of an interface */
    NETLINK_ALIAS = 256,
};

enum netlink_framing {
    NETLINK_ETHERNET, /* Ethernet, and the loopback interface */
    NETLINK_RAW_IP,   /* frames start with an IPv4 or IPv6 header (tun, ipip, sit, WireGuard) */
    NETLINK_COOKED, /* frames may start in several ways (PPP) or in an unknown one; the kernel knows
                     * where the packet in them starts, and of which protocol it is */
    NETLINK_OTHER,  /* not carried: what is in such a frame has no Ethernet form */
};

struct netlink_addr {
    uint8_t family; /* AF_INET or AF_INET6 */
    uint8_t prefix; /* length in bits */
    uint8_t addr[16];
};

struct netlink_link {
    int index;
    char name[IFNAMSIZ];
    char alias[NETLINK_ALIAS];
    char kind[16];  /* "veth", "tun", "bridge" …, "" for a card */
    unsigned flags; /* IFF_UP, IFF_RUNNING, IFF_LOOPBACK … of net/if.h */
    uint16_t arphrd;
    uint32_t mtu;
    uint32_t longest; /* of a super-packet sent or put together there (GSO, GRO), in bytes */
    uint8_t mac_len;  /* 6 for Ethernet, 0 for none */
    uint8_t mac[16];
    unsigned n_addrs; /* at most NETLINK_ADDRS */
    struct netlink_addr addrs[NETLINK_ADDRS];
};

/* All interfaces of this network namespace in the kernel's order. The caller frees `*ret`. */
int netlink_links(struct netlink_link **ret, size_t *ret_n, struct error *err);

/* The interface of that name. -ENODEV with a sentence that lists the names to choose from. */
int netlink_find(const char *name, struct netlink_link *ret, struct error *err);
/* The same without its addresses and without the list, for where there may be thousands. */
int netlink_get(const char *name, struct netlink_link *ret, struct error *err);

struct nlmsghdr;
/* Sends a request that wants an answer (NLM_F_ACK) and no data. 0 or -errno, the kernel's own. */
int netlink_ask(struct nlmsghdr *req);

/* What an RTM_NEWLINK or RTM_DELLINK message of the kernel's says, but for addresses. */
void netlink_link_decode(const struct nlmsghdr *h, struct netlink_link *ret);

/* How frames begin on an interface with an ARPHRD_ number of if_arp.h and flags of net/if.h. */
enum netlink_framing netlink_framing(uint16_t arphrd, unsigned flags);

/* Name of the interface of the IPv4 default route with the lowest metric, else of the IPv6 one.
 * -ENOENT when there is neither. */
int netlink_default_route(char ret[IFNAMSIZ], struct error *err);

/* What to set; 0 and NULL leave as is. Needs CAP_NET_ADMIN. */
struct netlink_set {
    uint32_t mtu;
    uint32_t txqueuelen;
    const char *alias;
    bool silent; /* no ARP, no multicast, no IPv6 address of its own: the host sends nothing */
    bool up;     /* last, when all else is set */
};

int netlink_set(int ifindex, const struct netlink_set *set, struct error *err);

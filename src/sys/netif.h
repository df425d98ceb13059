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
    NETIF_ADDRS = 8, /* addresses kept of an interface */
    NETIF_ALIAS = 256,
};

enum netif_framing {
    NETIF_ETHERNET, /* Ethernet, and the loopback interface */
    NETIF_RAW_IP,   /* frames start with an IPv4 or IPv6 header (tun, ipip, sit, WireGuard) */
    NETIF_COOKED,   /* frames may start in several ways (PPP) or in an unknown one; the kernel knows
                     * where the packet in them starts, and of which protocol it is */
    NETIF_OTHER,    /* not carried: what is in such a frame has no Ethernet form */
};

struct netif_addr {
    uint8_t family; /* AF_INET or AF_INET6 */
    uint8_t prefix; /* length in bits */
    uint8_t addr[16];
};

struct netif {
    int index;
    char name[IFNAMSIZ];
    char alias[NETIF_ALIAS];
    char kind[16];        /* "veth", "tun", "bridge" …, "" for a card */
    bool leads_elsewhere; /* of a "veth": its other end is in another namespace */
    unsigned flags;       /* IFF_UP, IFF_RUNNING, IFF_LOOPBACK … of net/if.h */
    uint16_t arphrd;
    uint32_t mtu;
    uint32_t longest; /* of a super-packet sent or put together there (GSO, GRO), in bytes */
    uint8_t mac_len;  /* 6 for Ethernet, 0 for none */
    uint8_t mac[16];
    unsigned n_addrs; /* at most NETIF_ADDRS */
    struct netif_addr addrs[NETIF_ADDRS];
};

/* An IPv6 address that every interface gives itself (fe80::/10). */
bool netif_addr_is_link_local(const struct netif_addr *a);

/* All interfaces of this network namespace in the kernel's order. The caller frees `*ret`. */
int netif_list(struct netif **ret, size_t *ret_n, struct error *err);

/* The interface of that name. -ENODEV with a sentence that lists the names to choose from. */
int netif_find(const char *name, struct netif *ret, struct error *err);
/* The same without its addresses and without the list, for where there may be thousands. */
int netif_get(const char *name, struct netif *ret, struct error *err);

struct nlmsghdr;
/* Sends a request that wants an answer (NLM_F_ACK) and no data. 0 or -errno, the kernel's own. */
int netif_ask(struct nlmsghdr *req);
/* Sends one that wants data: `each` gets each message, as libmnl has it (MNL_CB_STOP: the last). */
int netif_ask_for(struct nlmsghdr *req, int (*each)(const struct nlmsghdr *m, void *user),
                  void *user);

/* Decodes an RTM_NEWLINK or RTM_DELLINK message of the kernel's, but for addresses. */
void netif_decode(const struct nlmsghdr *h, struct netif *ret);

/* How frames begin on an interface with an ARPHRD_ number of if_arp.h and flags of net/if.h. */
enum netif_framing netif_framing(uint16_t arphrd, unsigned flags);

/* Name of the interface of the IPv4 default route with the lowest metric, else of the IPv6 one.
 * -ENOENT when there is neither. */
int netif_default_route(char ret[IFNAMSIZ], struct error *err);

/* The settings of an interface; 0 and NULL leave as is. Needs CAP_NET_ADMIN. */
struct netif_set {
    uint32_t mtu;
    uint32_t txqueuelen;
    const char *alias;
    bool silent; /* no ARP, no multicast, no IPv6 address of its own: the host sends nothing */
    bool up;     /* last, when all else is set */
};

int netif_set(int ifindex, const struct netif_set *set, struct error *err);

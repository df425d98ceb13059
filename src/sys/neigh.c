/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/neigh.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "sys/netif.h"

enum {
    BUF = 256,
};

/* The next host on a way, if it is not this one. */
struct hop {
    uint8_t family, len; /* len 0: there is none to be looked for */
    uint8_t addr[16];
    uint32_t oif;
};

static int on_attr(const struct nlattr *attr, void *user)
{
    struct hop *h = user;
    const uint16_t type = mnl_attr_get_type(attr), len = mnl_attr_get_payload_len(attr);
    if (type == RTA_OIF && len == sizeof(h->oif)) {
        h->oif = mnl_attr_get_u32(attr);
    } else if (type == RTA_GATEWAY && len == h->len) {
        memcpy(h->addr, mnl_attr_get_payload(attr), len);
    } else if (type == RTA_VIA) { /* of the other family */
        h->len = 0;
    }
    return MNL_CB_OK;
}

static int on_route(const struct nlmsghdr *m, void *user)
{
    struct hop *h = user;
    const struct rtmsg *info = mnl_nlmsg_get_payload(m);
    (void)mnl_attr_parse(m, sizeof(*info), on_attr, h);
    if (info->rtm_type != RTN_UNICAST) {
        h->len = 0;
    }
    return MNL_CB_STOP;
}

static int find_hop(const struct udp_addr *to, uint32_t mark, struct hop *h)
{
    char buf[BUF];
    const bool six = to->sa.sa_family == AF_INET6;
    *h = (struct hop){.family = six ? AF_INET6 : AF_INET, .len = six ? 16 : 4};
    memcpy(h->addr, six ? (const void *)&to->v6.sin6_addr : (const void *)&to->v4.sin_addr, h->len);
    struct nlmsghdr *req = mnl_nlmsg_put_header(buf);
    req->nlmsg_type = RTM_GETROUTE;
    req->nlmsg_flags = NLM_F_REQUEST;
    struct rtmsg *info = mnl_nlmsg_put_extra_header(req, sizeof(*info));
    info->rtm_family = h->family;
    info->rtm_dst_len = (uint8_t)(h->len * 8);
    mnl_attr_put(req, RTA_DST, h->len, h->addr);
    mnl_attr_put_u32(req, RTA_MARK, mark);
    if (six && to->v6.sin6_scope_id != 0) {
        mnl_attr_put_u32(req, RTA_OIF, to->v6.sin6_scope_id);
    }
    return netif_ask_for(req, on_route, h);
}

int neigh_look(const struct udp_addr *to, uint32_t mark)
{
    char buf[BUF];
    struct hop h;
    int r = find_hop(to, mark, &h);
    if (r < 0 || h.len == 0 || h.oif == 0) {
        return r;
    }
    struct nlmsghdr *req = mnl_nlmsg_put_header(buf);
    req->nlmsg_type = RTM_NEWNEIGH;
    req->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE;
    struct ndmsg *info = mnl_nlmsg_put_extra_header(req, sizeof(*info));
    info->ndm_family = h.family;
    info->ndm_ifindex = (int32_t)h.oif;
    info->ndm_state = NUD_NONE;
    info->ndm_flags = NTF_USE;
    mnl_attr_put(req, NDA_DST, h.len, h.addr);
    return netif_ask(req);
}

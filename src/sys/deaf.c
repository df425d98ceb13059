/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/deaf.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "sys/netif.h"

/* ---- the filter ---- */

static struct nlmsghdr *tc_request(char *buf, uint16_t type, uint16_t flags,
                                   const struct tcmsg *head, const char *kind)
{
    struct nlmsghdr *req = mnl_nlmsg_put_header(buf);
    req->nlmsg_type = type;
    req->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | flags;
    memcpy(mnl_nlmsg_put_extra_header(req, sizeof(*head)), head, sizeof(*head));
    mnl_attr_put_strz(req, TCA_KIND, kind);
    return req;
}

/* Makes the qdisc that filters at the interface hang on. One that is there already does as well. */
static int add_clsact(int ifindex)
{
    char buf[256] = "";
    const struct tcmsg head = {
        .tcm_ifindex = ifindex, .tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0), .tcm_parent = TC_H_CLSACT};
    int r = netif_ask(tc_request(buf, RTM_NEWQDISC, NLM_F_EXCL, &head, "clsact"));
    return r == -EEXIST ? 0 : r;
}

/* A program of one instruction, whose result is what becomes of the frame. */
static int add_drop(int ifindex)
{
    char buf[512] = "";
    const struct sock_filter drop = BPF_STMT(BPF_RET | BPF_K, TC_ACT_SHOT);
    const struct tcmsg head = {.tcm_ifindex = ifindex,
                               .tcm_handle = 1,
                               .tcm_parent = TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS),
                               .tcm_info = TC_H_MAKE((uint32_t)DEAF_PREF << 16, htons(ETH_P_ALL))};
    struct nlmsghdr *req = tc_request(buf, RTM_NEWTFILTER, 0, &head, "bpf");
    struct nlattr *options = mnl_attr_nest_start(req, TCA_OPTIONS);
    mnl_attr_put_u16(req, TCA_BPF_OPS_LEN, 1);
    mnl_attr_put(req, TCA_BPF_OPS, sizeof(drop), &drop);
    mnl_attr_put_strz(req, TCA_BPF_NAME, "farspan");
    mnl_attr_put_u32(req, TCA_BPF_FLAGS, TCA_BPF_FLAG_ACT_DIRECT);
    mnl_attr_nest_end(req, options);
    return netif_ask(req);
}

/* ---- the settings ---- */

static int set(const char *family, const char *name, const char *setting, const char *value)
{
    char path[96];
    snprintf(path, sizeof(path), "/proc/sys/net/%s/conf/%s/%s", family, name, setting);
    _cleanup_(closep) int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, value, strlen(value)) < 0) {
        return -errno;
    }
    return 0;
}

/* A kernel without IPv6 has none of its settings, and needs none. */
static int set_quiet(const char *name)
{
    int r = set("ipv4", name, "rp_filter", "1");
    int r4 = set("ipv4", name, "forwarding", "0");
    int r6 = r == 0 ? set("ipv6", name, "disable_ipv6", "1") : r;
    (void)set("ipv6", name, "accept_ra", "0"); /* should somebody switch IPv6 on again */
    r6 = r6 == -ENOENT && r == 0 ? 0 : r6;
    return r < 0 ? r : r4 < 0 ? r4 : r6;
}

int deaf_make(int ifindex, const char *name, struct error *err)
{
    int settings = set_quiet(name);
    int r = add_clsact(ifindex);
    r = r < 0 ? r : add_drop(ifindex);
    if (r == 0) {
        return 0;
    }
    if (settings < 0) {
        return error_set(err, -r,
                         "what appears on %s also reaches this host's own network stack: the "
                         "kernel has no way to drop it there (clsact and cls_bpf: %s), and its "
                         "settings under /proc/sys/net cannot be written (%s)",
                         name, strerror(-r), strerror(-settings));
    }
    return error_set(err, -r,
                     "the kernel has no way to drop what appears on %s behind those who capture "
                     "(clsact and cls_bpf: %s): DHCP and other IPv4 packets without a source "
                     "address, and what is neither IP nor ARP, also reach this host's own network "
                     "stack",
                     name, strerror(-r));
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/ethtool.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

enum {
    WORD = 32, /* features of a block */
    WORDS = ETHTOOL_FEATURES / WORD,
};

_Static_assert((int)ETHTOOL_NAME == (int)ETH_GSTRING_LEN, "the kernel's names fit");

/* The kernel writes behind each of these heads. */
union count {
    struct ethtool_sset_info head;
    char room[sizeof(struct ethtool_sset_info) + sizeof(uint32_t)];
};
union names {
    struct ethtool_gstrings head;
    char room[sizeof(struct ethtool_gstrings) + ETHTOOL_FEATURES * ETH_GSTRING_LEN];
};
union got {
    struct ethtool_gfeatures head;
    char room[sizeof(struct ethtool_gfeatures) + WORDS * sizeof(struct ethtool_get_features_block)];
};
union wish {
    struct ethtool_sfeatures head;
    char room[sizeof(struct ethtool_sfeatures) + WORDS * sizeof(struct ethtool_set_features_block)];
};

static int open_socket(void)
{
    const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    return fd < 0 ? -errno : fd;
}

static int ask(int fd, const char *ifname, void *command)
{
    struct ifreq ifr = {.ifr_data = command};
    (void)snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", ifname);
    return ioctl(fd, SIOCETHTOOL, &ifr) < 0 ? -errno : 0;
}

static int count_features(int fd, const char *ifname, uint32_t *ret)
{
    union count c = {.head = {.cmd = ETHTOOL_GSSET_INFO, .sset_mask = 1ULL << ETH_SS_FEATURES}};
    const int r = ask(fd, ifname, &c);
    if (r < 0) {
        return r;
    }
    if (!(c.head.sset_mask & 1ULL << ETH_SS_FEATURES)) {
        return -EOPNOTSUPP;
    }
    *ret = c.head.data[0];
    return *ret > ETHTOOL_FEATURES ? -E2BIG : 0;
}

static int get_names(int fd, const char *ifname, uint32_t n, struct ethtool_features *ret)
{
    union names s = {.head = {.cmd = ETHTOOL_GSTRINGS, .string_set = ETH_SS_FEATURES, .len = n}};
    const int r = ask(fd, ifname, &s);
    for (uint32_t i = 0; r == 0 && i < MIN(n, s.head.len); i++) {
        memcpy(ret->at[i].name, s.head.data + (size_t)i * ETH_GSTRING_LEN, ETHTOOL_NAME - 1);
    }
    return r;
}

static int get_states(int fd, const char *ifname, struct ethtool_features *ret)
{
    union got g = {.head = {.cmd = ETHTOOL_GFEATURES, .size = WORDS}};
    const int r = ask(fd, ifname, &g);
    if (r < 0) {
        return r;
    }
    for (uint32_t i = 0; i < ret->n && i / WORD < MIN(g.head.size, (uint32_t)WORDS); i++) {
        const struct ethtool_get_features_block *b = &g.head.features[i / WORD];
        const uint32_t bit = UINT32_C(1) << i % WORD;
        ret->at[i].can_change = b->available & ~b->never_changed & bit;
        ret->at[i].wanted = ret->at[i].can_change && (b->requested & bit);
        ret->at[i].active = b->active & bit;
    }
    return 0;
}

int ethtool_get(const char *ifname, struct ethtool_features *ret, struct error *err)
{
    struct ethtool_features f = {.n = 0};
    _cleanup_(closep) const int fd = open_socket();
    int r = fd < 0 ? fd : count_features(fd, ifname, &f.n);
    r = r < 0 ? r : get_names(fd, ifname, f.n, &f);
    r = r < 0 ? r : get_states(fd, ifname, &f);
    if (r < 0) {
        return error_sys(err, -r, "cannot look at the offloads of %s", ifname);
    }
    *ret = f;
    return 0;
}

int ethtool_set(const char *ifname, const struct ethtool_features *f, struct error *err)
{
    /* The kernel wants as many blocks as it has features. */
    union wish w = {.head = {.cmd = ETHTOOL_SFEATURES, .size = (f->n + WORD - 1) / WORD}};
    for (uint32_t i = 0; i < f->n; i++) {
        struct ethtool_set_features_block *b = &w.head.features[i / WORD];
        const uint32_t bit = UINT32_C(1) << i % WORD;
        b->valid |= f->at[i].can_change ? bit : 0;
        b->requested |= f->at[i].can_change && f->at[i].wanted ? bit : 0;
    }
    _cleanup_(closep) const int fd = open_socket();
    const int r = fd < 0 ? fd : ask(fd, ifname, &w);
    return r < 0 ? error_sys(err, -r, "cannot set the offloads of %s", ifname) : 0;
}

bool ethtool_cuts(const char *feature)
{
    static const char end[] = "-segmentation";
    const size_t len = strlen(feature), n = sizeof(end) - 1;
    return strncmp(feature, "tx-checksum-", strlen("tx-checksum-")) == 0 ||
           (strncmp(feature, "tx-", 3) == 0 && len > n && strcmp(feature + len - n, end) == 0);
}

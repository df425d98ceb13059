/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/linkspeed.h"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/cleanup.h"

enum {
    MASKS = 3,       /* of modes, behind the settings: supported, advertised, the peer's */
    WORDS_MAX = 127, /* of 32 bits in each: the field is signed, with 8 bits */
};

#define BIT_PER_MBIT UINT64_C(1000000)

/* The masks stand behind the settings. */
union settings {
    struct ethtool_link_settings head;
    uint8_t room[sizeof(struct ethtool_link_settings) + 4 * MASKS * WORDS_MAX];
};

static bool ask(int fd, const char *ifname, union settings *s)
{
    struct ifreq req = {.ifr_data = (void *)s};
    (void)snprintf(req.ifr_name, sizeof(req.ifr_name), "%s", ifname);
    s->head.cmd = ETHTOOL_GLINKSETTINGS;
    return ioctl(fd, SIOCETHTOOL, &req) == 0;
}

/* The kernel first answers, as a negative number, how many words its masks have, and then a
 * question with that number. */
uint64_t linkspeed_read(const char *ifname)
{
    _cleanup_(closep) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    union settings s = {.head.link_mode_masks_nwords = 0};
    if (fd < 0 || strlen(ifname) >= IFNAMSIZ || !ask(fd, ifname, &s) ||
        s.head.link_mode_masks_nwords >= 0) {
        return 0;
    }
    s = (union settings){.head.link_mode_masks_nwords = (int8_t)-s.head.link_mode_masks_nwords};
    return ask(fd, ifname, &s) && s.head.speed != (uint32_t)SPEED_UNKNOWN
               ? s.head.speed * BIT_PER_MBIT
               : 0;
}

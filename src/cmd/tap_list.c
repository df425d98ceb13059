/* SPDX-License-Identifier: Apache-2.0
 *
 * The interfaces that `farspan tap --list` shows; tap_options.c calls it.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cmd/cmd.h"
#include "cmd/tap_line.h"

int tap_list(const char *netns)
{
    _cleanup_(netns_freep) struct netns *there = NULL;
    struct netif *links = NULL;
    size_t n = 0;
    struct error err = {""};
    int r = netns ? netns_open(netns, &there, &err) : 0;
    if (r == 0 && there) {
        r = netns_enter(there, &err);
    }
    r = r < 0 ? r : netif_list(&links, &n, &err);
    if (r < 0) {
        say("tap", "%s", err.text);
        return EXIT_FAILURE;
    }
    for (size_t i = 0; i < n; i++) {
        const struct netif *l = &links[i];
        bool other = netif_framing(l->arphrd, l->flags) == NETIF_OTHER;
        const char *kind = other ? "cannot be tapped" : "";
        char name[TEXT_ESCAPE * sizeof(l->name)], alias[TEXT_ESCAPE * sizeof(l->alias)];
        text_name(name, sizeof(name), l->name, strlen(l->name));
        text_line(alias, sizeof(alias), l->alias);
        printf("%-16s %-5s mtu %-6u %s", name, l->flags & IFF_UP ? "up" : "down", l->mtu, kind);
        for (unsigned a = 0; a < l->n_addrs; a++) {
            char text[INET6_ADDRSTRLEN];
            if (inet_ntop(l->addrs[a].family, l->addrs[a].addr, text, sizeof(text))) {
                printf(" %s/%u", text, l->addrs[a].prefix);
            }
        }
        printf("%s%s\n", alias[0] ? "  # " : "", alias);
    }
    printf("%-16s all of them\n", "any");
    free(links);
    return end_output("tap", EXIT_SUCCESS);
}

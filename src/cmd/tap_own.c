/* SPDX-License-Identifier: Apache-2.0
 *
 * A collector's device is left out although a pattern matches it, since frames that a collector
 * puts there would come back to it for ever. Only the lists of collectors (sys/owndev.h) say which
 * those are, for anybody may give an interface any name and alias; the broker reads them.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/tap.h"
#include "sys/owndev.h"
#include "sys/unixsock.h"

bool tap_own_there(const struct netif *link)
{
    const uid_t users[] = {0, geteuid()};
    for (size_t i = 0; strcmp(link->kind, "tun") == 0 && i < ARRAY_SIZE(users); i++) {
        struct unixsock_dir dir;
        if (unixsock_dir_for(users[i], getenv("XDG_RUNTIME_DIR"), &dir) == 0 &&
            owndev_is(dir.path, link->index)) {
            return true;
        }
    }
    return false;
}

int tap_own_request(void *ctx, const void *args, size_t len, struct broker_reply *reply)
{
    const struct tap_conf *c = ctx;
    struct rd rd = rd_make(args, len);
    const struct netif link = {.index = (int)rd_u32(&rd), .kind = "tun"};
    int r = c->netns ? netns_enter(c->netns, &reply->err) : 0;
    if (r == 0) {
        struct wr w = wr_make(reply->data, sizeof(reply->data));
        wr_u8(&w, tap_own_there(&link));
        reply->len = wr_len(&w);
        if (c->netns) {
            netns_leave(c->netns);
        }
    }
    return r;
}

/* Where it stands among those that were told of; n_own: nowhere. */
static unsigned told_at(const struct tap *t, int index)
{
    unsigned i = 0;
    while (i < t->n_own && t->own[i] != index) {
        i++;
    }
    return i;
}

void tap_own_forget(struct tap *t, int index)
{
    unsigned at = told_at(t, index);
    if (at < t->n_own) {
        t->own[at] = t->own[--t->n_own];
    }
}

bool tap_is_own(struct tap *t, const struct netif *link)
{
    uint8_t arg[4], own = 0;
    size_t len = sizeof(own);
    if (strcmp(link->kind, "tun") != 0) {
        return false;
    }
    st_u32(arg, (uint32_t)link->index);
    int r = broker_call(t->broker, TAP_OWN, arg, sizeof(arg), &own, &len, NULL, NULL);
    if (r < 0 || len != sizeof(own) || !own) {
        tap_own_forget(t, link->index);
        return false;
    }
    if (told_at(t, link->index) == t->n_own && t->n_own < TAP_OWN_TOLD) {
        t->own[t->n_own++] = link->index;
        tap_event(t, HISTORY_OWN_DEVICE, link->name,
                  "is the device of a collector on this host, and is not tapped");
    }
    return true;
}

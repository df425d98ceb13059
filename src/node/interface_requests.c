/* SPDX-License-Identifier: Apache-2.0 */
#include "node/interface_requests.h"

#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "sys/ifwatch.h"
#include "sys/owndev.h"
#include "sys/unixsock.h"

enum {
    NAME_LEN = INTERFACE_NAME_LEN,
    NOT_THE_FRAME = 4096, /* of a block of the ring */
};

/* Is it on the list of a collector on this host? In the namespace of the interfaces. */
static bool is_own(const struct netif *link)
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

static void put_tapped(struct broker_reply *reply, const struct tapped *o)
{
    struct wr w = wr_make(reply->data, sizeof(reply->data));
    wr_u32(&w, o->index);
    wr_u32(&w, o->flags);
    wr_u32(&w, o->mtu);
    wr_u32(&w, o->longest);
    wr_u32(&w, o->ring_bytes);
    wr_u16(&w, o->arphrd);
    reply->len = wr_len(&w);
}

/* The interfaces that patterns match now, in the namespace of the interfaces. */
static unsigned count_matches(const struct interface_grants *g)
{
    unsigned n = 0;
    struct if_nameindex *all = if_nameindex();
    for (size_t i = 0; all && all[i].if_index != 0; i++) {
        const struct selection_word *word = selection_word_for(g->select, all[i].if_name);
        n += word && word->pattern;
    }
    if_freenameindex(all);
    return n;
}

/* Patterns match one interface or hundreds: the rings of all these share the memory that is meant
 * for them, but for those that have to hold longer super-packets. */
static uint32_t ring_bytes(const struct interface_grants *g, const struct selection_word *word,
                           uint32_t longest)
{
    bool shares =
        word->pattern && g->select->ring_bytes == 0 && longest < RING_BLOCK_DEFAULT - NOT_THE_FRAME;
    return shares ? selection_ring_share(count_matches(g)) : g->select->ring_bytes;
}

/* In the namespace of the interfaces. */
static int open_there(struct interface_grants *g, const char *name,
                      const struct selection_word *word, struct broker_reply *reply)
{
    struct netif link = {0};
    int r = netif_get(name, &link, &reply->err);
    r = r < 0 ? r : selection_may_carry(g->select, &link, &reply->err);
    if (r == 0 && word->pattern && is_own(&link)) {
        r = error_set(&reply->err, EBUSY, "a collector's own device");
    }
    r = r < 0 ? r : ring_list_may(&g->rings, name, &reply->err);
    if (r == 0) {
        const struct tapped o = {.index = (uint32_t)link.index,
                                 .flags = link.flags,
                                 .mtu = link.mtu,
                                 .longest = link.longest,
                                 .ring_bytes = ring_bytes(g, word, link.longest),
                                 .arphrd = link.arphrd};
        struct ring_conf rc = selection_ring(g->select, word, &o);
        r = ring_open(&rc, &reply->fd, &reply->err);
        put_tapped(reply, &o);
        if (r < 0) {
            error_prefix(&reply->err, "%s", name);
        } else {
            ring_list_add(&g->rings, name, reply->fd);
        }
    }
    return r;
}

/* Into the namespace of the interfaces, which is ours where the selection names none. */
static int enter(const struct interface_grants *g, struct error *err)
{
    return g->netns ? netns_enter(g->netns, err) : 0;
}

/* Back to ours. */
static void leave(const struct interface_grants *g)
{
    if (g->netns) {
        netns_leave(g->netns);
    }
}

int interface_serve_ring(void *ctx, const void *args, size_t len, struct broker_reply *reply)
{
    struct interface_grants *g = ctx;
    char name[NAME_LEN + 1] = "";
    memcpy(name, args, MIN(len, (size_t)NAME_LEN));
    const struct selection_word *word =
        name[NAME_LEN - 1] == '\0' ? selection_word_for(g->select, name) : NULL;
    if (!word) {
        return error_set(&reply->err, EINVAL, "the command line names no such interface");
    }
    int r = enter(g, &reply->err);
    if (r == 0) {
        r = open_there(g, name, word, reply);
        leave(g);
    }
    return r;
}

int interface_serve_watch(void *ctx, const void *args, size_t len, struct broker_reply *reply)
{
    (void)args;
    (void)len;
    const struct interface_grants *g = ctx;
    int r = enter(g, &reply->err);
    if (r == 0) {
        r = ifwatch_open(&reply->fd, &reply->err);
        leave(g);
    }
    return r;
}

int interface_serve_netns(void *ctx, const void *args, size_t len, struct broker_reply *reply)
{
    (void)args;
    (void)len;
    const struct interface_grants *g = ctx;
    struct wr w = wr_make(reply->data, sizeof(reply->data));
    wr_u64(&w, g->netns ? netns_id(g->netns) : 1);
    reply->len = wr_len(&w);
    return 0;
}

int interface_serve_own(void *ctx, const void *args, size_t len, struct broker_reply *reply)
{
    const struct interface_grants *g = ctx;
    struct rd rd = rd_make(args, len);
    const struct netif link = {.index = (int)rd_u32(&rd), .kind = "tun"};
    int r = enter(g, &reply->err);
    if (r == 0) {
        struct wr w = wr_make(reply->data, sizeof(reply->data));
        wr_u8(&w, is_own(&link));
        reply->len = wr_len(&w);
        leave(g);
    }
    return r;
}

/* ---- before the split ---- */

int interface_grants_prepare(struct selection *s, struct interface_grants *ret, struct error *err)
{
    *ret = (struct interface_grants){.select = s};
    int r = ring_may_capture(err);
    r = r < 0 ? r : selection_compile(s, err);
    if (r == 0 && s->netns) {
        r = netns_open(s->netns, &ret->netns, err);
        r = r < 0 ? r : netns_enter(ret->netns, err);
    }
    if (r == 0) {
        r = selection_check(s, err);
        if (ret->netns) {
            netns_leave(ret->netns);
        }
    }
    return r;
}

/* ---- in the engine ---- */

int tapped_decode(const uint8_t *data, size_t len, struct tapped *ret)
{
    struct rd r = rd_make(data, len);
    struct tapped o = {.index = rd_u32(&r)};
    o.flags = rd_u32(&r);
    o.mtu = rd_u32(&r);
    o.longest = rd_u32(&r);
    o.ring_bytes = rd_u32(&r);
    o.arphrd = rd_u16(&r);
    if (!rd_ok(&r)) {
        return -EBADMSG;
    }
    *ret = o;
    return 0;
}

int interface_request_ring(struct broker *b, const char *name, struct tapped *ret, int *ret_fd,
                           struct error *err)
{
    uint8_t arg[NAME_LEN] = {0}, data[BROKER_DATA_MAX];
    size_t len = sizeof(data);
    _cleanup_(closep) int fd = -1;
    snprintf((char *)arg, sizeof(arg), "%s", name);
    int r = broker_call(b, INTERFACE_OPEN_RING, arg, sizeof(arg), data, &len, &fd, err);
    r = r < 0 ? r : tapped_decode(data, len, ret);
    if (r == 0) {
        *ret_fd = TAKE_FD(fd);
    }
    return r;
}

int interface_request_watch(struct broker *b, int *ret_fd, struct error *err)
{
    return broker_call(b, INTERFACE_WATCH, NULL, 0, NULL, NULL, ret_fd, err);
}

int interface_request_netns(struct broker *b, uint64_t *ret)
{
    uint8_t data[8];
    size_t len = sizeof(data);
    int r = broker_call(b, INTERFACE_NETNS, NULL, 0, data, &len, NULL, NULL);
    struct rd rd = rd_make(data, r == 0 ? len : 0);
    uint64_t id = rd_u64(&rd);
    if (r == 0 && rd_ok(&rd)) {
        *ret = id;
    }
    return r == 0 && !rd_ok(&rd) ? -EBADMSG : r;
}

bool interface_request_own(struct broker *b, int index)
{
    uint8_t arg[4], own = 0;
    size_t len = sizeof(own);
    st_u32(arg, (uint32_t)index);
    int r = broker_call(b, INTERFACE_OWN, arg, sizeof(arg), &own, &len, NULL, NULL);
    return r == 0 && len == sizeof(own) && own;
}

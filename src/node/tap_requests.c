/* SPDX-License-Identifier: Apache-2.0 */
#include "node/tap_requests.h"

#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "sys/ifwatch.h"
#include "sys/owndev.h"
#include "sys/resolve.h"
#include "sys/unixsock.h"

enum {
    RESOLVE_MS = 5000,
    NAME_LEN = 16,
    NOT_THE_FRAME = 4096, /* of a block of the ring */
};

/* Is it on the list of a collector on this host? In the namespace where it is tapped. */
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

/* The interfaces that patterns match now, in the namespace where it is tapped. */
static unsigned count_matches(const struct tap_grants *g)
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
static uint32_t ring_bytes(const struct tap_grants *g, const struct selection_word *word,
                           uint32_t longest)
{
    bool shares =
        word->pattern && g->select->ring_bytes == 0 && longest < RING_BLOCK_DEFAULT - NOT_THE_FRAME;
    return shares ? selection_ring_share(count_matches(g)) : g->select->ring_bytes;
}

/* In the namespace where it is tapped. */
static int open_there(struct tap_grants *g, const char *name, const struct selection_word *word,
                      struct broker_reply *reply)
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

static int open_ring(void *ctx, const void *args, size_t len, struct broker_reply *reply)
{
    struct tap_grants *g = ctx;
    char name[NAME_LEN + 1] = "";
    memcpy(name, args, MIN(len, (size_t)NAME_LEN));
    const struct selection_word *word =
        name[NAME_LEN - 1] == '\0' ? selection_word_for(g->select, name) : NULL;
    if (!word) {
        return error_set(&reply->err, EINVAL, "the command line names no such interface");
    }
    int r = g->netns ? netns_enter(g->netns, &reply->err) : 0;
    if (r == 0) {
        r = open_there(g, name, word, reply);
        if (g->netns) {
            netns_leave(g->netns);
        }
    }
    return r;
}

static int watch(void *ctx, const void *args, size_t len, struct broker_reply *reply)
{
    (void)args;
    (void)len;
    const struct tap_grants *g = ctx;
    int r = g->netns ? netns_enter(g->netns, &reply->err) : 0;
    if (r == 0) {
        r = ifwatch_open(&reply->fd, &reply->err);
        if (g->netns) {
            netns_leave(g->netns);
        }
    }
    return r;
}

static int which_netns(void *ctx, const void *args, size_t len, struct broker_reply *reply)
{
    (void)args;
    (void)len;
    const struct tap_grants *g = ctx;
    struct wr w = wr_make(reply->data, sizeof(reply->data));
    wr_u64(&w, g->netns ? netns_id(g->netns) : 1);
    reply->len = wr_len(&w);
    return 0;
}

static int whether_own(void *ctx, const void *args, size_t len, struct broker_reply *reply)
{
    const struct tap_grants *g = ctx;
    struct rd rd = rd_make(args, len);
    const struct netif link = {.index = (int)rd_u32(&rd), .kind = "tun"};
    int r = g->netns ? netns_enter(g->netns, &reply->err) : 0;
    if (r == 0) {
        struct wr w = wr_make(reply->data, sizeof(reply->data));
        wr_u8(&w, is_own(&link));
        reply->len = wr_len(&w);
        if (g->netns) {
            netns_leave(g->netns);
        }
    }
    return r;
}

static int connect_to(struct tap_grants *g, const struct udp_addr *a, struct broker_reply *reply)
{
    int r = udp_connect(a, &reply->fd, &reply->err);
    if (r == 0) {
        g->found = *a;
        (void)udp_set_buffers(reply->fd, 0, 4 << 20, NULL, NULL);
    }
    return r;
}

static struct udp_addr as_addr(const struct sockaddr_storage *ss)
{
    struct udp_addr a = {.len = ss->ss_family == AF_INET ? sizeof(a.v4) : sizeof(a.v6)};
    memcpy(&a.v6, ss, a.len);
    return a;
}

/* Connects to one of the addresses: from the one in use on, or from the one behind that, the first
 * that there is a route to. */
static int connect_to_one(struct tap_grants *g, const struct sockaddr_storage found[], size_t n,
                          bool next, struct broker_reply *reply)
{
    size_t first = 0;
    int r = -ENETUNREACH;
    for (size_t i = 0; i < n && g->found.len; i++) {
        struct udp_addr a = as_addr(&found[i]);
        first = udp_addr_equal(&a, &g->found) ? i + next : first;
    }
    for (size_t i = 0; i < n && r < 0; i++) {
        struct udp_addr a = as_addr(&found[(first + i) % n]);
        r = connect_to(g, &a, reply);
    }
    return r;
}

static int connect_collector(void *ctx, const void *args, size_t len, struct broker_reply *reply)
{
    struct tap_grants *g = ctx;
    struct resolve_conf rc = {0};
    struct sockaddr_storage found[RESOLVE_MAX];
    size_t n = 0;
    int r = 0;
    struct rd rd = rd_make(args, len);
    uint8_t where = rd_u8(&rd);
    if (where > DIALER_WHERE_NEXT) {
        return error_set(&reply->err, EINVAL, "there is no such way to choose an address");
    }
    if (where == DIALER_WHERE_FOUND && g->found.len) {
        return connect_to(g, &g->found, reply);
    }
    if (geteuid() == 0) {
        r = broker_find_user(g->user, &rc.child, &reply->err);
    }
    if (r == 0) {
        r = resolve_host(&rc, g->collector->host, g->collector->port,
                         mono_add_ms(mono_now(), RESOLVE_MS), found, RESOLVE_MAX, &n, &reply->err);
    }
    return r < 0 ? r : connect_to_one(g, found, n, where == DIALER_WHERE_NEXT, reply);
}

static int reload(void *ctx, const void *args, size_t len, struct broker_reply *reply)
{
    (void)args;
    (void)len;
    const struct tap_grants *g = ctx;
    return reload_serve(&g->reload, reply);
}

const struct broker_request tap_requests[TAP_REQUESTS] = {
    [TAP_OPEN_RING] = {"open the ring", open_ring, NAME_LEN, NAME_LEN},
    [TAP_CONNECT] = {"reach the collector", connect_collector, 1, 1},
    [TAP_WATCH] = {"watch the interfaces", watch, 0, 0},
    [TAP_NETNS] = {"look for the namespace", which_netns, 0, 0},
    [TAP_OWN] = {"look for a collector's device", whether_own, 4, 4},
    [TAP_RELOAD] = {"read the configuration file again", reload, 0, 0},
};

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

int tap_request_ring(struct broker *b, const char *name, struct tapped *ret, int *ret_fd,
                     struct error *err)
{
    uint8_t arg[NAME_LEN] = {0}, data[BROKER_DATA_MAX];
    size_t len = sizeof(data);
    _cleanup_(closep) int fd = -1;
    snprintf((char *)arg, sizeof(arg), "%s", name);
    int r = broker_call(b, TAP_OPEN_RING, arg, sizeof(arg), data, &len, &fd, err);
    r = r < 0 ? r : tapped_decode(data, len, ret);
    if (r == 0) {
        *ret_fd = TAKE_FD(fd);
    }
    return r;
}

int tap_request_connect(struct broker *b, enum dialer_where where, int *ret_fd, struct error *err)
{
    uint8_t number = (uint8_t)where;
    return broker_call(b, TAP_CONNECT, &number, 1, NULL, NULL, ret_fd, err);
}

int tap_request_watch(struct broker *b, int *ret_fd, struct error *err)
{
    return broker_call(b, TAP_WATCH, NULL, 0, NULL, NULL, ret_fd, err);
}

int tap_request_netns(struct broker *b, uint64_t *ret)
{
    uint8_t data[8];
    size_t len = sizeof(data);
    int r = broker_call(b, TAP_NETNS, NULL, 0, data, &len, NULL, NULL);
    struct rd rd = rd_make(data, r == 0 ? len : 0);
    uint64_t id = rd_u64(&rd);
    if (r == 0 && rd_ok(&rd)) {
        *ret = id;
    }
    return r == 0 && !rd_ok(&rd) ? -EBADMSG : r;
}

bool tap_request_own(struct broker *b, int index)
{
    uint8_t arg[4], own = 0;
    size_t len = sizeof(own);
    st_u32(arg, (uint32_t)index);
    int r = broker_call(b, TAP_OWN, arg, sizeof(arg), &own, &len, NULL, NULL);
    return r == 0 && len == sizeof(own) && own;
}

int tap_request_reload(struct broker *b, int *ret_fd, struct error *err)
{
    return broker_call(b, TAP_RELOAD, NULL, 0, NULL, NULL, ret_fd, err);
}

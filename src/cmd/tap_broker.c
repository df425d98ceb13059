/* SPDX-License-Identifier: Apache-2.0
 *
 * The closed table of what a tap's engine may ask its broker for. What each request may open was
 * decided by the command line before the split.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/tap.h"
#include "sys/resolve.h"
#include "sys/tapdev.h"

enum {
    RESOLVE_MS = 5000,
    NAME_LEN = 16,
};

static int open_ring(void *ctx, const void *args, size_t len, struct broker_reply *reply)
{
    const struct tap_conf *c = ctx;
    struct rd r = rd_make(args, len);
    uint32_t which = rd_u32(&r);
    if (!rd_ok(&r) || which >= c->n) {
        return error_set(&reply->err, EINVAL, "there is no interface number %u", which);
    }
    int e = ring_open(&c->interface[which].ring, &reply->fd, &reply->err);
    if (e < 0) {
        error_prefix(&reply->err, "%s", c->interface[which].name);
    }
    return e;
}

static int connect_to(struct tap_conf *c, const struct udp_addr *a, struct broker_reply *reply)
{
    int r = udp_connect(a, &reply->fd, &reply->err);
    if (r == 0) {
        c->collector_found = *a;
        (void)udp_set_buffers(reply->fd, 0, 4 << 20, NULL, NULL);
    }
    return r;
}

static int connect_collector(void *ctx, const void *args, size_t len, struct broker_reply *reply)
{
    struct tap_conf *c = ctx;
    struct resolve_conf rc = {0};
    struct sockaddr_storage found[RESOLVE_MAX];
    size_t n = 0;
    int r = 0;
    struct rd rd = rd_make(args, len);
    if (rd_u8(&rd) == 1 && c->collector_found.len) {
        return connect_to(c, &c->collector_found, reply);
    }
    if (geteuid() == 0) {
        r = broker_find_user(c->user, &rc.child, &reply->err);
    }
    if (r == 0) {
        r = resolve_host(&rc, c->collector.host, c->collector.port,
                         mono_add_ms(mono_now(), RESOLVE_MS), found, RESOLVE_MAX, &n, &reply->err);
    }
    if (r < 0) {
        return r;
    }
    r = -ENETUNREACH;
    for (size_t i = 0; i < n && r < 0; i++) { /* the first that there is a route to */
        struct udp_addr a = {.len = found[i].ss_family == AF_INET ? sizeof(a.v4) : sizeof(a.v6)};
        memcpy(&a.v6, &found[i], a.len);
        r = connect_to(c, &a, reply);
    }
    return r;
}

/* The reply's data: what `put` writes of each interface there is, in at most `cap` bytes. */
static int tell_links(struct broker_reply *reply, size_t cap,
                      void (*put)(struct wr *w, const struct netlink_link *link))
{
    struct netlink_link *links = NULL;
    size_t n = 0;
    int r = netlink_links(&links, &n, &reply->err);
    struct wr w = wr_make(reply->data, MIN(sizeof(reply->data), cap));
    for (size_t i = 0; r == 0 && i < n; i++) {
        put(&w, &links[i]);
    }
    reply->len = wr_len(&w);
    free(links);
    return r;
}

static void put_own(struct wr *w, const struct netlink_link *link)
{
    if (strcmp(link->alias, TAPDEV_ALIAS) == 0) {
        wr_u32(w, (uint32_t)link->index);
    }
}

static void put_name(struct wr *w, const struct netlink_link *link)
{
    wr_u32(w, (uint32_t)link->index);
    wr_copy(w, link->name, NAME_LEN);
}

static int own_devices(void *ctx, const void *args, size_t len, struct broker_reply *reply)
{
    (void)ctx;
    (void)args;
    (void)len;
    return tell_links(reply, 4u * RING_OWN_MAX, put_own);
}

static int names(void *ctx, const void *args, size_t len, struct broker_reply *reply)
{
    (void)ctx;
    (void)args;
    (void)len;
    return tell_links(reply, TAP_LINKS * (4u + NAME_LEN), put_name);
}

const struct broker_request tap_requests[TAP_REQUESTS] = {
    [TAP_OPEN_RING] = {"open the ring", open_ring, 4, 4},
    [TAP_CONNECT] = {"reach the collector", connect_collector, 1, 1},
    [TAP_OWN] = {"find collectors' devices", own_devices, 0, 0},
    [TAP_NAMES] = {"list the interfaces", names, 0, 0},
};

unsigned tap_own_decode(const uint8_t *data, size_t len, int ret[RING_OWN_MAX])
{
    struct rd r = rd_make(data, len);
    unsigned n = 0;
    while (n < RING_OWN_MAX && rd_left(&r) >= 4) {
        ret[n++] = (int)rd_u32(&r);
    }
    return n;
}

unsigned tap_names_decode(const uint8_t *data, size_t len, struct tap_name ret[TAP_LINKS])
{
    struct rd r = rd_make(data, len);
    unsigned n = 0;
    while (n < TAP_LINKS && rd_left(&r) >= 4 + NAME_LEN) {
        ret[n].index = rd_u32(&r);
        rd_copy(&r, ret[n].name, NAME_LEN);
        ret[n++].name[NAME_LEN] = '\0';
    }
    return n;
}
